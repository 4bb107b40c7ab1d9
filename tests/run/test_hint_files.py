"""Hints on their way into a run: checked against the input, part of its identity, told in the report."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from ddvideo.errors import InputError, UsageError
from ddvideo.hint_options import HINTS
from ddvideo.media import open_sink, probe
from ddvideo.pipeline import decompose
from ddvideo.pipeline.hints import hint_options
from ddvideo.store import file_sha256
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

TASK = replace(SEGMENT, options={"steps": 1, **HINTS})


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "told.png"
    assert cv2.imwrite(str(path), np.pad(np.full((4, 4), 255, np.uint8), 8))
    return path


@pytest.fixture
def run(clip, tmp_path):
    """Runs the clip with hints, and returns settings of every job, and the report."""

    def start(fg_hint=None, bg_hint=None, box=None, hint_frame=None, inputs=None, **more):
        seen = []

        def execute(job, progress):
            seen.append(job)
            return fake_execute(job, progress)

        told = hint_options(fg_hint, bg_hint, box, hint_frame)
        given = {"out": tmp_path / "out", "settings": SETTINGS, "execute": execute} | more
        results = decompose(inputs or [clip], task=TASK, options=told, **given)
        return seen, results[0]

    return start


def masks(path, like, frames):
    """A video of masks."""
    info = probe(like)
    with open_sink(path, like=replace(info, frames=frames, audio=())) as sink:
        for index in range(frames):
            sink.write(np.full((info.height, info.width, 3), 255, np.uint8), Fraction(index, 25), Fraction(1, 25))
    return path


def test_every_job_has_the_hint_by_its_whole_path_and_the_report_tells_its_content(run, image, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    jobs, result = run(fg_hint="told.png", frames=(3, 20))
    told = {"path": str(image), "sha256": file_sha256(image), "first": 3, "frames": 1, "turns": 0}
    assert jobs
    for job in jobs:
        assert job.settings.options["fg_hint"] == told
        assert job.settings.options["hint_frame"] == 3
    assert result.report["recipe"]["options"]["fg_hint"] == told


def test_a_changed_hint_starts_anew_and_the_same_one_goes_on(run, image, tmp_path):
    first, _ = run(fg_hint=image, keep_work=True)
    assert len(first) > 2
    again, _ = run(fg_hint=shutil.copy(image, tmp_path / "moved.png"), keep_work=True)
    assert not again
    moved, _ = run(fg_hint=image, hint_frame=5, keep_work=True)
    assert len(moved) == len(first)
    assert cv2.imwrite(str(image), np.full((20, 20), 255, np.uint8))
    changed, _ = run(fg_hint=image, hint_frame=5, keep_work=True)
    assert len(changed) == len(first)


def test_a_video_is_of_the_whole_input_or_of_the_frames_asked_for(run, clip, tmp_path):
    count = probe(clip).frames
    for frames, first in ((count, 0), (8, 4)):
        hint = masks(tmp_path / f"{frames}.mp4", clip, frames)
        jobs, _ = run(bg_hint=hint, frames=(4, 12))
        assert (
            jobs[0].settings.options["bg_hint"] | {"first": first, "frames": frames}
            == (jobs[0].settings.options["bg_hint"])
        )
    with pytest.raises(UsageError, match=rf"7\.mp4: it has 7 frames; a hint has one, or as many as the input, {count}"):
        run(bg_hint=masks(tmp_path / "7.mp4", clip, 7), frames=(4, 12))
    with pytest.raises(UsageError, match="a hint of all frames has none"):
        run(bg_hint=hint, frames=(4, 12), hint_frame=5)


def test_what_does_not_go_with_the_input_is_refused_before_any_work(run, image, clip, tmp_path):
    dark = tmp_path / "dark.png"
    assert cv2.imwrite(str(dark), np.zeros((9, 9), np.uint8))
    (tmp_path / "broken.png").write_bytes(image.read_bytes()[:60])
    for error, said, hints in (
        (UsageError, "dark.png: nothing is marked in --fg-hint", {"fg_hint": dark}),
        (InputError, "broken.png", {"bg_hint": tmp_path / "broken.png"}),
        (InputError, "gone.png", {"bg_hint": tmp_path / "gone.png"}),
        (UsageError, "not among frames 0 to", {"fg_hint": image, "hint_frame": 4000}),
        (UsageError, "--hint-frame", {"hint_frame": 4}),
        (UsageError, "outside the picture", {"box": [99999, 0, 4, 4]}),
        (UsageError, "one input", {"fg_hint": image, "inputs": [clip, image]}),
    ):
        with pytest.raises(error, match=said):
            run(**hints)
    assert not list(tmp_path.rglob("prior-*"))


def test_a_shot_that_no_hint_is_of_is_told_once(run, image):
    _, result = run(fg_hint=image)
    assert len(result.report["shots"]) == 2
    start = result.report["shots"][1]["start"]
    told = [warning for warning in result.report["warnings"] if "hint" in warning]
    assert len(told) == 1
    assert told[0].startswith(f"frames {start} to ")
    _, other = run()
    assert not [warning for warning in other.report["warnings"] if "hint" in warning]


def test_a_dry_run_checks_hints_and_measures_without_them(run, image):
    jobs, result = run(fg_hint=image, hint_frame=0, dry_run=True)
    assert result.plan is not None
    assert all("fg_hint" not in job.settings.options for job in jobs)
    with pytest.raises(UsageError, match="not among"):
        run(fg_hint=image, hint_frame=4000, dry_run=True)
