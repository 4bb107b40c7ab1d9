"""Several images as one input: one run, one result, one shot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddvideo.config import Settings
from ddvideo.errors import DecompositionError, InputError, UsageError
from ddvideo.pipeline import ask, decompose
from ddvideo.store import input_sha256, run_identity
from ddvideo.types import PriorJob
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, split

NAMES = ("c.png", "a.png", "b.png")


class Recorder:
    """The small engine; keeps its jobs, and fails at those whose ids begin with ``poisoned``."""

    def __init__(self):
        self.jobs = []
        self.poisoned = "none"

    def __call__(self, job, progress):
        self.jobs.append(job)
        if job.id.startswith(self.poisoned):
            raise ValueError("poisoned")
        return fake_execute(job, progress)

    def chunks(self):
        return [job.chunk.index for job in self.jobs if not isinstance(job, PriorJob)]


@pytest.fixture
def recorder():
    return Recorder()


def save(path, rgb):
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def noise(count, size=(20, 30), dtype=np.uint8):
    rng = np.random.default_rng(count)
    return [rng.integers(0, np.iinfo(dtype).max, (*size, 3), dtype, endpoint=True) for _ in range(count)]


@pytest.fixture
def images(tmp_path):
    """Three images, in an order that is not that of their names."""
    return [save(tmp_path / name, rgb) for name, rgb in zip(NAMES, noise(3), strict=True)]


@pytest.fixture
def many(tmp_path):
    """24 images: three chunks."""
    return [save(tmp_path / f"m{index}.png", rgb) for index, rgb in enumerate(noise(24, (8, 12)))]


def run(inputs, out, execute=fake_execute, **more):
    return decompose(
        inputs, **{"task": SEGMENT, "settings": SETTINGS, "together": True} | more, out=out, execute=execute
    )


def test_images_together_are_one_result_with_folders_of_png(images, tmp_path):
    (result,) = run(images, tmp_path / "out")
    assert result.folder == tmp_path / "out" / "c"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c"]
    assert result.input == images[0]
    names = {"foreground", "background", "alpha", "preview.mp4", "report.html", "report.json"}
    assert {path.name for path in result.folder.iterdir()} == names
    for index, rgb in enumerate(noise(3)):
        wanted = split(rgb)
        for name, layer in result.layers.items():
            read = cv2.imread(str(layer.path / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
            read = read[..., 2::-1] if read.ndim == 3 else read[..., None]
            assert np.abs(read - 255 * wanted[name]).max() <= 1, (index, name)
    assert [len(list(layer.path.iterdir())) for layer in result.layers.values()] == [3, 3, 3]


def test_the_report_names_the_first_image_and_all(images, tmp_path):
    (result,) = run(images, tmp_path / "out")
    told = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))
    assert told == result.report
    assert told["input"]["path"] == str(images[0])
    assert told["input"]["paths"] == [str(path) for path in images]
    assert told["input"]["kind"] == "frames"
    assert told["input"]["frames"] == 3
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "<h1>c.png and 2 more</h1>" in page
    assert str(images[2]) in page
    (alone,) = run(images[0], tmp_path / "alone", together=False)
    assert "paths" not in alone.report["input"]


def test_jobs_name_every_image_and_tasks_are_told_that_they_are_a_set(images, tmp_path, recorder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(list(NAMES), "out", recorder)
    assert len(recorder.jobs) == 2
    assert {job.source for job in recorder.jobs} == {tuple(images)}, "absolute, in the order given"
    assert all(job.settings.together for job in recorder.jobs)
    recorder.jobs.clear()
    assert len(run(list(NAMES), "out", recorder, together=False)) == 3
    assert not any(job.settings.together for job in recorder.jobs)
    assert [job.source for job in recorder.jobs[::2]] == images


def test_images_together_are_one_shot_however_different(tmp_path, recorder):
    folder = tmp_path / "shots"
    folder.mkdir()
    pictures = [rgb // 8 + (200 if index >= 16 else 0) for index, rgb in enumerate(noise(32, (24, 32)))]
    paths = [save(folder / f"{index:02d}.png", rgb) for index, rgb in enumerate(pictures)]
    settings = replace(SETTINGS, chunk_frames=64)
    (video,) = run(folder, tmp_path / "video", settings=settings, together=False)
    assert len(video.report["shots"]) == 2, "the same pictures as a video have a cut"
    (result,) = run(paths, tmp_path / "out", recorder, settings=settings)
    assert result.report["shots"] == [{"start": 0, "stop": 32}]
    assert len(recorder.jobs) == 2
    (part,) = run(paths, tmp_path / "part", settings=settings, frames=(3, 20))
    assert part.report["shots"] == [{"start": 3, "stop": 20}]
    assert len(list(part.layers["alpha"].path.iterdir())) == 17


def test_a_dry_run_plans_one_shot_and_writes_nothing(many, tmp_path):
    (result,) = run(many, tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists()
    assert result.plan.info.paths == tuple(many)
    assert (result.plan.frames, len(result.plan.shots), len(result.plan.chunks)) == (24, 1, 3)
    assert 0 < result.plan.estimated_seconds < 60


def test_a_second_start_goes_on_and_another_set_starts_anew(many, tmp_path, recorder):
    recorder.poisoned = "chunk-0001"
    with pytest.raises(DecompositionError, match="poisoned"):
        run(many, tmp_path / "out", recorder)
    assert set(recorder.chunks()) == {0, 1, 2}

    def start(paths):
        """The chunks that a start does when the second one fails again."""
        recorder.jobs.clear()
        with pytest.raises(DecompositionError, match="poisoned"):
            run(paths, tmp_path / "out", recorder)
        return set(recorder.chunks())

    assert start(many) == {1}, "the same files"
    assert start([many[0], many[2], many[1], *many[3:]]) == {0, 1, 2}, "another order"
    assert start([many[0], many[2], many[1], *many[3:]]) == {1}
    save(many[20], noise(1, (8, 12))[0])
    assert start([many[0], many[2], many[1], *many[3:]]) == {0, 1, 2}, "a changed file"
    assert start([many[0], many[2], many[1], *many[3:-1]]) == {0, 1, 2}, "one less"
    recorder.poisoned = "none"
    recorder.jobs.clear()
    (result,) = run([many[0], many[2], many[1], *many[3:-1]], tmp_path / "out", recorder)
    assert recorder.chunks() == [1]
    assert not (result.folder / ".work").exists()


def test_the_hash_of_a_set_follows_contents_and_order(images, tmp_path):
    first = input_sha256(tuple(images))
    assert input_sha256((images[0], images[2], images[1])) != first
    assert input_sha256(tuple(images[:2])) != first
    moved = images[1].rename(tmp_path / "other.png")
    assert input_sha256((images[0], moved, images[2])) == first, "a name decides nothing"
    save(moved, noise(1)[0])
    assert input_sha256((images[0], moved, images[2])) != first
    with pytest.raises(InputError, match=r"a\.png: No such file"):
        input_sha256(tuple(images))


def test_a_set_and_a_video_are_not_the_same_run():
    facts = {"sha256": "ab", "frames": (0, 9), "layers": [("alpha", 1)], "dtype": "uint8"}
    one, other = Settings(task="segment"), Settings(task="segment", together=True)
    assert run_identity(**facts, settings=one) != run_identity(**facts, settings=other)


@pytest.mark.parametrize(
    ("names", "error", "said"),
    [
        (["a.png"], UsageError, r"a\.png: two images or more .* --together"),
        ([], UsageError, "no input"),
        (["a.png", "b.png", "a.png"], UsageError, r"a\.png: the same image as .*a\.png"),
        (["a.png", "link.png"], UsageError, r"link\.png: the same image as .*a\.png"),
        (["a.png", "clip.mp4"], UsageError, r"clip\.mp4: it is no still image"),
        (["shots", "a.png"], UsageError, r"shots: a folder cannot be"),
        (["shots"], UsageError, r"shots: a folder cannot be"),
        (["a.png", "gone.png"], InputError, r"gone\.png: cannot be read \(No such file"),
        (
            ["a.png", "large.png"],
            InputError,
            r"large\.png: 31x20 pixels, but a\.png has 30x20; all images taken together",
        ),
        (["a.png", "empty.png"], InputError, r"empty\.png: the file is empty"),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_what_is_no_set_of_images_is_refused_in_one_line(names, error, said, dry, images, tmp_path, clip):
    (tmp_path / "clip.mp4").symlink_to(clip)
    (tmp_path / "shots").mkdir()
    save(tmp_path / "shots" / "0.png", noise(1)[0])
    save(tmp_path / "large.png", noise(1, (20, 31))[0])
    (tmp_path / "link.png").symlink_to(images[1])
    (tmp_path / "empty.png").touch()
    with pytest.raises(error, match=said) as caught:
        run([tmp_path / name for name in names], tmp_path / "out", dry_run=dry)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_every_stage_of_a_recipe_knows_that_it_is_a_set(images, tmp_path, recorder, monkeypatch):
    recipe = tmp_path / "twice.toml"
    stage = '[[stage]]\ntask = "segment"\n'
    recipe.write_text(f'[recipe]\nname = "twice"\nsummary = "The same again."\n{stage * 2}')
    monkeypatch.setattr(ask, "_task", lambda name: SEGMENT)
    (result,) = decompose(
        images, recipe=str(recipe), together=True, out=tmp_path / "out", execute=recorder, device="cpu"
    )
    assert result.input == images[0]
    first, last = recorder.jobs[0].source, recorder.jobs[-1].source
    assert first == tuple(images)
    assert last == tmp_path / "out" / "c" / "stages" / "1-segment" / "foreground"
    assert [job.settings.together for job in recorder.jobs] == [True] * 4
    assert len(result.report["shots"]) == 1


@pytest.mark.ray
def test_workers_are_given_all_images(many, tmp_path):
    (one,) = run(many, tmp_path / "one")
    (result,) = run(many, tmp_path / "out", runner="ray", workers=2)
    assert result.report["runner"] == {"kind": "ray", "workers": 2}
    for name, layer in result.layers.items():
        files = sorted(layer.path.iterdir())
        assert len(files) == 24
        assert [file.read_bytes() for file in files] == [
            file.read_bytes() for file in sorted(Path(one.layers[name].path).iterdir())
        ]
