"""A small task and an engine of a few lines, for tests of what lies around them."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ddvideo.config import Settings
from ddvideo.store import ChunkWriter, save_record
from ddvideo.types import InputInfo, PriorJob, PriorRecord, ProgressEvent


@dataclass(frozen=True)
class Layer:
    name: str
    channels: int
    spatial: bool = True


@dataclass(frozen=True)
class FakeTask:
    name: str
    layers: tuple[Layer, ...]
    main: str
    forward: Callable[[Mapping[str, Any]], Any]
    settle: Callable[[Any, Mapping[str, Any]], dict[str, Any]] = field(default=lambda frame, layers: dict(layers))


def alpha_forward(layers):
    return layers["alpha"] * layers["foreground"] + (1 - layers["alpha"]) * layers["background"]


def alpha_settle(frame, layers):
    residual = frame - alpha_forward(layers)
    alpha = layers["alpha"]
    norm = alpha**2 + (1 - alpha) ** 2
    return {
        "alpha": alpha,
        "foreground": layers["foreground"] + residual * alpha / norm,
        "background": layers["background"] + residual * (1 - alpha) / norm,
    }


SEGMENT = FakeTask(
    "segment",
    (Layer("foreground", 3), Layer("background", 3), Layer("alpha", 1)),
    "foreground",
    alpha_forward,
    alpha_settle,
)
SEPARATE = FakeTask(
    "separate",
    (Layer("transmission", 3), Layer("reflection", 3)),
    "transmission",
    lambda layers: layers["transmission"] + layers["reflection"],
)
SETTINGS = Settings(task="segment", device="cpu", chunk_frames=10, overlap_frames=3, key_frames=4)


def split(rgb):
    """Alpha is luminance; both colour layers are the frame, so that they recompose."""
    frame = rgb.astype(np.float32) / np.iinfo(rgb.dtype).max
    return {"foreground": frame, "background": frame, "alpha": frame.mean(axis=2, keepdims=True)}


def fake_execute(job, progress):
    """The engine of the tests: says in a log which job ran, and does what the environment tells it to.

    FAKE_LOG: file that gets a line a job. FAKE_POISON: id of a job that raises. FAKE_STOP: id of a job before which the
    file of the log gets the line "waiting" and the process sleeps for long.
    """
    if log := os.environ.get("FAKE_LOG"):
        if os.environ.get("FAKE_STOP") == job.id:
            note(Path(log), "waiting")
            time.sleep(600)
        note(Path(log), job.id)
    progress(ProgressEvent(stage="prior" if isinstance(job, PriorJob) else "chunk", done=1, total=1))
    if os.environ.get("FAKE_POISON") == job.id:
        raise ValueError("poisoned")
    if isinstance(job, PriorJob):
        path = job.folder / f"prior-{job.shot_index:04d}.safetensors"
        path.write_bytes(json.dumps([job.shot.start, job.settings.seed]).encode())
        record = PriorRecord(
            shot_index=job.shot_index,
            file=path.name,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            steps=1,
            seconds=0.01,
        )
        save_record(job.folder, record)
        return record
    from ddvideo.media import open_source

    with open_source(job.source) as source, ChunkWriter(job.folder, job.chunk) as writer:
        for frame in source.frames(job.chunk.start, job.chunk.stop):
            writer.append(split(frame.rgb))
        return writer.finish(steps=3, seconds=0.02, loss=0.5, timings_seconds={"decode": 0.01, "fit": 0.01})


def write_clip(path, frames=44, cut=22, width=64, height=48, **facts):
    """A small clip of two shots of moving waves; returns its path."""
    from ddvideo.media import open_sink

    info = InputInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frames=frames,
        fps=Fraction(25),
        duration_seconds=frames / 25,
        codec="h264",
        pix_fmt="yuv420p",
        **facts,
    )
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    with open_sink(path, like=info) as sink:
        for index in range(frames):
            angle = (0.3, 1.9)[index >= cut]
            wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) / 5 + index / 6)
            tint = np.array([(0.8, 0.5, 0.2), (0.1, 0.4, 0.9)][index >= cut], np.float32)
            sink.write((0.5 + 0.4 * wave[..., None]) * tint, Fraction(index, 25), Fraction(1, 25))
    return path


def note(path, line):
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
