from __future__ import annotations

import json
import shutil
from collections import namedtuple
from dataclasses import replace

import cv2
import numpy as np
import pytest

from ddvideo.errors import InputError, LockedError, OutputError, UsageError
from ddvideo.media import open_source, probe
from ddvideo.pipeline import decompose
from ddvideo.pipeline.plan import fit_settings
from ddvideo.store import RunFolder
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, split, write_clip

KEYS = {
    "ddvideo",
    "task",
    "recipe",
    "seed",
    "device",
    "threads",
    "input",
    "runner",
    "shots",
    "chunks",
    "layers",
    "quality",
    "timings_seconds",
    "seconds_per_frame",
    "peak_rss_mib",
    "warnings",
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "waves.mp4")


def run(inputs, out, **options):
    return decompose(inputs, task=SEGMENT, out=out, settings=SETTINGS, execute=fake_execute, **options)


def write_images(folder, count, dtype=np.uint8, size=(20, 30)):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pictures = []
    for index in range(count):
        picture = rng.integers(0, np.iinfo(dtype).max, (*size, 3), dtype=dtype, endpoint=True)
        assert cv2.imwrite(str(folder / f"f{index}.png"), picture[..., ::-1])
        pictures.append(picture)
    return pictures


def test_layers_report_and_files_of_a_clip(clip, tmp_path):
    events = []
    (result,) = run(clip, tmp_path, progress=events.append)
    assert result.folder == tmp_path / "waves"
    assert list(result.layers) == ["foreground", "background", "alpha"]
    with open_source(clip) as source:
        frames = [split(frame.rgb) for frame in source.frames()]
    for name, layer in result.layers.items():
        read = list(layer.frames())
        assert len(read) == 44
        assert read[0].shape == ((48, 64) if name == "alpha" else (48, 64, 3))
        error = np.mean([np.square(a - b[name].reshape(a.shape)).mean() for a, b in zip(read, frames, strict=True)])
        assert -10 * np.log10(error) > 38, name
    report = json.loads((result.folder / "report.json").read_text())
    assert report == result.report
    assert set(report) >= KEYS
    assert [shot["start"] for shot in report["shots"]] == [0, 22]
    assert set(report["chunks"][0]) == {"index", "start", "stop", "steps", "seconds", "loss", "attempts"}
    assert set(report["timings_seconds"]) >= {"probe", "decode", "seeds", "fit", "merge", "encode", "total"}
    assert report["timings_seconds"]["fit"] == pytest.approx(6 * 0.01 + 2 * 0.01)
    assert report["quality"]["recomposition_psnr_db"] > 45
    assert [layer["name"] for layer in report["layers"]] == list(result.layers)
    assert report["input"]["frames"] == 44
    assert len(report["input"]["sha256"]) == 64
    assert events[-1].stage == "done"
    assert {event.stage for event in events} >= {"probe", "plan", "merge", "done"}
    assert max(event.done for event in events if event.stage == "merge") == 44
    assert [(event.jobs_done, event.jobs) for event in events if event.stage in ("prior", "chunk")] == [
        (n, 8) for n in range(8)
    ]


def test_timestamps_of_a_vfr_clip_come_through(clip_path, tmp_path):
    (result,) = run(clip_path("mixed"), tmp_path, frames=(0, 44))
    times = []
    for path in (clip_path("mixed"), result.layers["alpha"].path, result.folder / "preview.mp4"):
        with open_source(path) as source:
            times.append([frame.pts_seconds for frame in source.frames()])
    assert times[0] == times[1] == times[2]
    assert probe(result.layers["foreground"].path).audio == ("aac",)
    assert probe(result.layers["background"].path).audio == ()
    assert probe(result.folder / "preview.mp4").audio == ("aac",)


def test_a_turned_clip_keeps_its_turn_and_the_preview_is_upright(tmp_path):
    quarter = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    turned = write_clip(tmp_path / "turned.mp4", 6, rotation_degrees=-90, display_matrix=quarter)
    assert probe(turned).rotation_degrees == -90
    (result,) = run(turned, tmp_path / "out")
    assert probe(result.layers["alpha"].path).rotation_degrees == -90
    preview = probe(result.folder / "preview.mp4")
    assert preview.rotation_degrees == 0
    assert preview.height >= 64, "the panels stand"


def test_a_part_of_the_input(clip_path, tmp_path):
    (result,) = run(clip_path("mixed"), tmp_path, frames=(10, 30))
    with open_source(result.layers["background"].path) as source:
        assert source.info.frames == 20
        frames = list(source.frames())
    with open_source(clip_path("mixed")) as source:
        wanted = list(source.frames(10, 30))
    assert [frame.pts_seconds for frame in frames] == [frame.pts_seconds - wanted[0].pts_seconds for frame in wanted]
    assert np.mean([np.abs(a.rgb.astype(int) - b.rgb).mean() for a, b in zip(frames, wanted, strict=True)]) < 2
    assert probe(result.layers["foreground"].path).audio == ("aac",)
    assert probe(result.folder / "preview.mp4").duration_seconds < 1.2
    assert result.report["chunks"][0]["start"] == 10


@pytest.mark.parametrize("frames", [(44, None), (50, 60), (3, 3)])
def test_frames_that_are_not_there_are_refused(clip, tmp_path, frames):
    with pytest.raises(UsageError, match="it has 44"):
        run(clip, tmp_path, frames=frames)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_folder_of_frames_gives_folders_of_png(tmp_path, dtype):
    pictures = write_images(tmp_path / "shots.v1", 5, dtype)
    (result,) = run(tmp_path / "shots.v1", tmp_path / "out")
    assert result.folder.name == "shots.v1"
    read = cv2.imread(str(result.layers["foreground"].path / "000003.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == dtype
    assert read.shape == (20, 30, 4)
    # The fake engine stores 8 bits.
    assert np.abs(read[..., 2::-1].astype(int) - pictures[3]).max() <= (0 if dtype == np.uint8 else 129)
    assert len(list(result.layers["alpha"].path.iterdir())) == 5
    assert next(result.layers["foreground"].frames()).shape == (20, 30, 3)
    assert (result.folder / "preview.mp4").exists()
    again = run(tmp_path / "shots.v1", tmp_path / "out", frames=(1, 3))[0]
    assert len(list(again.layers["alpha"].path.iterdir())) == 2, "an older folder is replaced, not filled up"


def test_an_image_gives_images(tmp_path):
    write_images(tmp_path, 1)
    (result,) = run(tmp_path / "f0.png", tmp_path / "out")
    assert sorted(path.name for path in result.folder.iterdir()) == [
        "alpha.png",
        "background.png",
        "foreground.png",
        "preview.png",
        "report.html",
        "report.json",
    ]
    assert cv2.imread(str(result.layers["foreground"].path), cv2.IMREAD_UNCHANGED).shape == (20, 30, 4)
    with pytest.raises(UsageError, match="single image"):
        run(tmp_path / "f0.png", tmp_path / "out", format="mp4")


def test_several_inputs_each_have_an_outcome(clip, tmp_path):
    other = tmp_path / "b" / "waves.mp4"
    other.parent.mkdir()
    shutil.copy(clip, other)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    results = run([clip, broken, other, clip], tmp_path / "out", frames=(0, 6))
    assert [result.folder.name for result in results] == ["waves", "broken", "waves-2"]
    assert isinstance(results[1].error, InputError)
    assert not (tmp_path / "out" / "broken").exists()
    for result in (results[0], results[2]):
        assert result.error is None
        assert result.layers["alpha"].path.exists()
    assert results[2].report["input"]["path"] == str(other)


def test_a_single_input_that_fails_raises(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputError):
        run(tmp_path / "broken.mp4", tmp_path / "out")
    with pytest.raises(UsageError, match="no input"):
        run([], tmp_path / "out")
    with pytest.raises(UsageError, match="unknown format"):
        run("x", tmp_path / "out", format="gif")
    with pytest.raises(UsageError, match="unknown runner"):
        run("x", tmp_path / "out", runner="moon")


def test_a_locked_folder_is_refused(clip, tmp_path):
    with RunFolder(tmp_path / "waves"), pytest.raises(LockedError):
        run(clip, tmp_path)


def test_a_dry_run_plans_and_writes_nothing(clip, tmp_path):
    (result,) = run(clip, tmp_path / "out", dry_run=True)
    plan = result.plan
    assert not (tmp_path / "out").exists()
    assert [(chunk.start, chunk.stop) for chunk in plan.chunks][:2] == [(0, 9), (6, 15)]
    assert plan.work_mib == pytest.approx(56 * 64 * 48 * 7 / 2**20)
    assert 0 < plan.estimated_seconds < 60
    assert plan.estimated_memory_mib > 50
    json.dumps(plan.as_dict(), allow_nan=False)


def test_a_full_disk_is_told_before_the_work(clip, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30, 2**20))
    with pytest.raises(OutputError, match="are free"):
        run(clip, tmp_path)
    assert not list((tmp_path / "waves" / ".work").glob("chunk-*"))


def test_a_disk_that_fills_while_encoding_leaves_old_results_and_the_chunks(clip, tmp_path, monkeypatch):
    (first,) = run(clip, tmp_path, frames=(0, 12))
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    ran = []

    def execute(job, progress):
        ran.append(job.id)
        return fake_execute(job, progress)

    def start(**options):
        return decompose(clip, task=SEGMENT, out=tmp_path, settings=SETTINGS, execute=execute, **options)

    with monkeypatch.context() as patch:
        patch.setattr("ddvideo.media.video_sink.VideoSink.write", _no_space)
        with pytest.raises(OutputError, match="no space left"):
            start()
    now = {path.name: path.read_bytes() for path in first.folder.iterdir() if path.name != ".work"}
    assert now == before
    done = len(ran)
    (result,) = start()
    assert len(ran) == done
    assert result.report["input"]["frames"] == 44
    assert not (result.folder / ".work").exists()


def _no_space(*_):
    raise OutputError("cannot write x: no space left on the device")


def test_a_run_killed_while_it_cleans_up_is_finished_without_work(clip, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "_empty", _stop_when_cleaning)
        with pytest.raises(KeyboardInterrupt):
            run(clip, tmp_path)
    assert (tmp_path / "waves" / "report.json").exists()
    for path in (tmp_path / "waves" / ".work").glob("chunk-*"):
        path.unlink()
    (result,) = decompose(clip, task=SEGMENT, out=tmp_path, settings=SETTINGS, execute=_never)
    assert sum(1 for _ in result.layers["alpha"].frames()) == 44
    assert not (tmp_path / "waves" / ".work").exists()


_EMPTY = RunFolder._empty


def _stop_when_cleaning(self, keep=("lock",)):
    if "state.json" in keep:
        raise KeyboardInterrupt
    _EMPTY(self, keep)


def _never(job, progress):
    raise AssertionError(job.id)


def test_warnings_of_jobs_and_bad_recomposition_are_told(clip, tmp_path):
    def execute(job, progress):
        record = fake_execute(job, progress)
        return replace(record, warnings=("nothing moves in this shot",))

    task = replace(SEGMENT, forward=lambda layers: layers["foreground"] * np.float32(0.9), settle=lambda f, x: dict(x))
    (result,) = decompose(clip, task=task, out=tmp_path, settings=SETTINGS, execute=execute)
    assert result.report["quality"]["recomposition_psnr_db"] < 40
    assert result.report["warnings"].count("nothing moves in this shot") == 1
    assert any("give the input back at" in text for text in result.report["warnings"])


def test_large_frames_get_short_chunks(clip):
    info = replace(probe(clip), width=7680, height=4320)
    settings = fit_settings(replace(SETTINGS, chunk_frames=64, overlap_frames=12), info)
    assert (settings.chunk_frames, settings.overlap_frames) == (8, 1)
