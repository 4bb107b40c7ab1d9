"""A folder of small clips and the small engine, for tests of batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2

from ddvideo.media import read_layer
from ddvideo.pipeline import decompose_all
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, write_clip

FRAMES = {"short": 8, "middle": 16, "long": 30}


def write_clips(folder):
    """One clip a length."""
    return {name: write_clip(folder / f"{name}.mp4", count, cut=count // 2) for name, count in FRAMES.items()}


def make_folder(folder, clips):
    """A folder of the three clips, under names whose order is not that of their lengths."""
    folder.mkdir()
    for name, new in (("short", "a"), ("long", "b"), ("middle", "c")):
        shutil.copy(clips[name], folder / f"{new}.mp4")
    return folder


class Engine:
    """The small engine; remembers its jobs and does what a test wants at some of them."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.at: dict[str, Exception | Callable[[], None]] = {}

    def __call__(self, job, progress):
        self.jobs.append(job.id)
        error = self.at.get(job.id)
        if callable(error):
            error()
        elif error is not None:
            raise error
        return fake_execute(job, progress)

    def inputs(self) -> list[str]:
        """The inputs whose jobs were done, in order."""
        return list(dict.fromkeys(job.partition("/")[0].rpartition("-")[0] for job in self.jobs))


def batch(source, out, engine, **more):
    asked = {"task": SEGMENT, "settings": SETTINGS, "execute": engine} | more
    items, _ = decompose_all(str(source), out=out, **asked)
    return {item.path.name: item for item in items}


def record(out):
    return json.loads((out / "batch.json").read_text(encoding="utf-8"))


def statuses(out):
    return {Path(entry["input"]).name: entry["status"] for entry in record(out)["items"]}


def assert_whole(folder, frames):
    assert sum(1 for _ in read_layer(folder / "alpha.mp4")) == frames
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["input"]["frames"] == frames
    names = {path.name for path in folder.iterdir()}
    assert names >= {"foreground.mp4", "background.mp4", "preview.mp4", "report.html", "thumbnail.jpg"}
    assert ".work" not in names
    assert cv2.imread(str(folder / "thumbnail.jpg")) is not None
