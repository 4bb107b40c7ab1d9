"""Recipes of several stages: where each stage's results go, what a second start does, and what a failure keeps."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ddvideo.errors import DecompositionError, UsageError
from ddvideo.pipeline import ask, decompose, decompose_all
from ddvideo.store import ChunkWriter
from ddvideo.types import PriorJob
from tests.media.media_clips import natural
from tests.media.media_clips import write_clip as write_natural
from tests.run.run_fakes import SEGMENT, FakeTask, Layer, fake_execute

DEHAZE = FakeTask(
    "dehaze",
    (Layer("radiance", 3), Layer("transmission_map", 1)),
    "radiance",
    lambda layers: 0.5 * layers["radiance"] + 0.5 * layers["transmission_map"],
)
MATTE = str(Path(__file__).resolve().parents[2] / "pipelines" / "matte.toml")
STAGE = Path("stages") / "1-dehaze"


@dataclass
class Engine:
    """Small engines of both tasks: dehazing takes the colours' complement, so that it shows whether it was done."""

    jobs: list[tuple[str, str]] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)
    poisoned: str = ""

    def __call__(self, job, progress):
        kind = "prior" if isinstance(job, PriorJob) else f"chunk {job.chunk.index}"
        self.jobs.append((job.settings.task, kind))
        self.settings[job.settings.task] = job.settings
        if job.settings.task == self.poisoned and not isinstance(job, PriorJob):
            raise ValueError("poisoned")
        if job.settings.task == "segment" or isinstance(job, PriorJob):
            return fake_execute(job, progress)
        from ddvideo.media import open_source

        with open_source(job.source) as source, ChunkWriter(job.folder, job.chunk) as writer:
            for frame in source.frames(job.chunk.start, job.chunk.stop):
                radiance = 1 - frame.rgb.astype(np.float32) / 255
                writer.append({"radiance": radiance, "transmission_map": radiance.mean(axis=2, keepdims=True)})
            return writer.finish(steps=1, seconds=0.01, loss=0.1, timings_seconds={})


@pytest.fixture
def engine(monkeypatch):
    tasks = {"segment": SEGMENT, "dehaze": DEHAZE}
    monkeypatch.setattr(ask, "_task", lambda name: tasks[name])
    monkeypatch.setattr(ask, "resolve_device", lambda name: "cpu")
    return Engine()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "road.mp4"
    return write_natural(path, natural(20, 96, 64), audio="aac", pts=[n * 25 + n * n for n in range(20)])


def run(clip, out, engine, **more):
    return decompose(clip, out=out, execute=engine, **{"recipe": MATTE, "preset": "fast"} | more)


def packets(path):
    """The sound as it is stored."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(file.streams.audio[0]) if packet.size]


def times(path):
    with av.open(str(path)) as file:
        return [float(frame.time) for frame in file.decode(video=0)]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_each_stage_has_its_folder_and_the_last_ones_results_are_the_main_ones(clip, tmp_path, engine):
    (result,) = run(clip, tmp_path, engine)
    assert result.folder == tmp_path / "road"
    assert result.input == clip
    assert set(result.layers) == {"foreground", "background", "alpha"}
    ends = ["preview.mp4", "report.html", "report.json"]
    first = [f"{STAGE}/{name}" for name in ["radiance.mp4", "transmission_map.mp4", *ends]]
    assert files(tmp_path / "road") == sorted(["alpha.mp4", "background.mp4", "foreground.mp4", *ends, *first])
    assert [task for task, _ in engine.jobs] == ["dehaze"] * 2 + ["segment"] * 2
    first_frame = next(result.layers["background"].frames())
    with av.open(str(clip)) as file:
        original = next(file.decode(video=0)).to_ndarray(format="rgb24").astype(np.float32) / 255
    assert np.abs(first_frame - (1 - original)).mean() < 0.05, "the second stage was given what the first one made"
    report = json.loads((tmp_path / "road" / "report.json").read_text(encoding="utf-8"))
    assert report["task"] == "segment"
    assert report["recipe"]["name"] == "matte"
    assert report["recipe"]["stage"] == 1
    assert report["input"]["path"] == str(tmp_path / "road" / STAGE / "radiance.mp4")


@pytest.mark.parametrize("format", ["auto", "png"])
def test_sound_and_times_come_through_to_the_end(clip, tmp_path, engine, format):
    run(clip, tmp_path, engine, format=format)
    last = tmp_path / "road" / ("foreground.mp4" if format == "auto" else "preview.mp4")
    assert packets(last) == packets(clip)
    np.testing.assert_allclose(times(last), times(clip), atol=2e-3)
    if format == "png":
        assert len(list((tmp_path / "road" / "foreground").iterdir())) == 20


def test_a_second_start_does_nothing_again_and_fresh_does_all(clip, tmp_path, engine):
    run(clip, tmp_path, engine)
    done = list(engine.jobs)
    (result,) = run(clip, tmp_path, engine)
    assert engine.jobs == done
    assert result.report["task"] == "segment"
    (tmp_path / "road" / "alpha.mp4").unlink()
    engine.jobs.clear()
    run(clip, tmp_path, engine)
    assert engine.jobs == done[2:], "only the second stage"
    engine.jobs.clear()
    run(clip, tmp_path, engine, fresh=True)
    assert engine.jobs == done
    engine.jobs.clear()
    run(clip, tmp_path, engine, seed=1)
    assert engine.jobs == done


def test_a_failing_second_stage_keeps_the_first_and_is_named(clip, tmp_path, engine):
    engine.poisoned = "segment"
    with pytest.raises(DecompositionError, match=r"^stage 2, segment: failed 3 times: chunk 0") as caught:
        run(clip, tmp_path, engine)
    assert caught.value.exit_code == 5
    assert (tmp_path / "road" / STAGE / "report.json").is_file()
    assert not (tmp_path / "road" / "alpha.mp4").exists()
    engine.poisoned = ""
    engine.jobs.clear()
    run(clip, tmp_path, engine)
    assert engine.jobs == [("segment", "chunk 0")]
    assert (tmp_path / "road" / "alpha.mp4").is_file()


def test_a_batch_of_a_recipe_is_done_stage_by_stage_and_named_where_it_fails(clip, tmp_path, engine):
    source = tmp_path / "v"
    source.mkdir()
    (source / "b.mp4").write_bytes(clip.read_bytes())
    write_natural(source / "a.mp4", natural(30, 96, 64))
    asked = {"recipe": MATTE, "preset": "fast", "execute": engine, "out": tmp_path / "out"}
    engine.poisoned = "segment"
    items, _ = decompose_all(str(source), **asked)
    assert [(item.path.name, item.status) for item in items] == [("a.mp4", "failed"), ("b.mp4", "failed")]
    assert all(str(item.error).startswith("stage 2, segment: failed 3 times") for item in items)
    engine.poisoned = ""
    engine.jobs.clear()
    items, _ = decompose_all(str(source), **asked)
    assert engine.jobs == [("segment", "chunk 0")] * 2
    assert [item.status for item in items] == ["done", "done"]
    for name in ("a", "b"):
        assert (tmp_path / "out" / name / "alpha.mp4").is_file()
        assert (tmp_path / "out" / name / "thumbnail.jpg").is_file()
        assert (tmp_path / "out" / name / STAGE / "radiance.mp4").is_file()
    assert packets(tmp_path / "out" / "b" / "foreground.mp4") == packets(clip)
    engine.jobs.clear()
    items, _ = decompose_all(str(source), **asked)
    assert engine.jobs == []
    assert all(item.was_done for item in items)


def test_a_part_of_the_input_is_cut_by_the_first_stage_only(clip, tmp_path, engine):
    (result,) = run(clip, tmp_path, engine, frames=(4, 14))
    assert sum(1 for _ in result.layers["alpha"].frames()) == 10
    (plan,) = run(clip, tmp_path / "plan", engine, frames=(4, 14), dry_run=True)
    assert plan.plan.frames == 10
    assert plan.plan.estimated_seconds > 0
    assert not (tmp_path / "plan").exists()


def test_images_and_frame_folders_go_through_all_stages(tmp_path, engine):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(natural(5, 96, 64)):
        cv2.imwrite(str(folder / f"{number}.png"), frame[..., ::-1])
    results = run([folder, folder / "3.png"], tmp_path / "out", engine)
    assert [result.error for result in results] == [None, None]
    assert len(list((tmp_path / "out" / "frames" / "alpha").iterdir())) == 5
    assert len(list((tmp_path / "out" / "frames" / STAGE / "radiance").iterdir())) == 5
    assert (tmp_path / "out" / "3" / "alpha.png").is_file()


MINE = """
[recipe]
name = "mine"
summary = "Both."

[[stage]]
task = "dehaze"
options = { effort = 0.25 }

[[stage]]
task = "segment"

[stage.options]
effort = 0.75
coupled = false
"""


def test_stages_have_options_of_their_own_over_their_tasks_presets(clip, tmp_path, engine):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(MINE)
    run(clip, tmp_path / "out", engine, recipe=str(recipe))
    assert engine.settings["dehaze"].options == {"effort": 0.25}
    assert engine.settings["segment"].options == {"effort": 0.75, "coupled": False}
    assert {settings.working_px for settings in engine.settings.values()} == {320}, "the fast presets of the tasks"
    done = list(engine.jobs)
    engine.jobs.clear()
    recipe.write_text(MINE.replace("0.75", "0.5"))
    run(clip, tmp_path / "out", engine, recipe=str(recipe))
    assert engine.jobs == done[2:], "a changed second stage leaves the first as it is"


def test_a_recipe_without_the_preset_that_is_asked_for_is_refused_before_anything_is_done(clip, tmp_path, engine):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(MINE + "[presets.quality]\nworking_px = 640\n")
    with pytest.raises(UsageError, match=r"mine\.toml: there is no preset 'fast' \(known: quality\)"):
        run(clip, tmp_path / "out", engine, recipe=str(recipe))
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="unknown preset 'best'"):
        run(clip, tmp_path / "out", engine, preset="best")


@pytest.mark.parametrize("size", [(97, 65), (96, 65), (97, 64)])
def test_stages_take_padded_layers_and_the_size_of_the_first_input_comes_back(tmp_path, engine, size):
    source = tmp_path / "v"
    source.mkdir()
    clip = write_natural(source / "odd.mp4", natural(12, *size), pix_fmt="yuv444p")
    (alone,) = run(clip, tmp_path / "out", engine, chroma="420")
    items, _ = decompose_all(
        str(source), out=tmp_path / "batch", recipe=MATTE, preset="fast", execute=engine, chroma="420"
    )
    with av.open(tmp_path / "out" / "odd" / STAGE / "radiance.mp4") as file:
        padded = file.streams.video[0].width, file.streams.video[0].height
    assert padded == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    clear = 1 - np.array(natural(12, *size)) / 255
    for result in (alone, items[0].result):
        told = [text for text in result.report["warnings"] if text.startswith("mp4 layers are")]
        assert len(told) == 1, "of the first stage: the second one's input is even"
        assert f"{size[0]}x{size[1]}" in told[0]
        found = np.array(list(result.layers["foreground"].frames()))
        assert found.shape == (12, size[1], size[0], 3)
        assert np.abs(found - clear).mean() < 0.03
        assert {frame.shape for frame in result.layers["alpha"].frames()} == {(size[1], size[0])}
