"""A small task and an engine of a few lines, for tests of what lies around them."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ddvideo.config import Settings
from ddvideo.errors import InputError
from ddvideo.runners.worker import Solver
from ddvideo.store import ChunkWriter, save_record
from ddvideo.types import Chunk, ChunkJob, InputInfo, PriorJob, PriorRecord, ProgressEvent, Shot


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
    options: Mapping[str, Any] = field(default_factory=lambda: {"steps": 1})
    steady: str | None = None


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

    FAKE_LOG: file that gets a line a job. FAKE_POISON: id of a job that raises. FAKE_FULL: id of a job that finds the
    disk full. FAKE_STOP: id of a job before which the file of the log gets the line "waiting" and the process sleeps
    for long.
    """
    if log := os.environ.get("FAKE_LOG"):
        if os.environ.get("FAKE_STOP") == job.id:
            note(Path(log), "waiting")
            time.sleep(600)
        note(Path(log), job.id)
    progress(ProgressEvent(stage="prior" if isinstance(job, PriorJob) else "chunk", done=1, total=1))
    if os.environ.get("FAKE_POISON") == job.id:
        raise ValueError("poisoned")
    if os.environ.get("FAKE_FULL") == job.id:
        limit_files(20_000)
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


@dataclass(frozen=True)
class Engine:
    """An engine that can be sent to workers, told what each try of a job does.

    Every try adds a line to ``log``: the job's id, the seed and the process that it ran in.

    Args:
        log: its file.
        acts: by job id, what the first, second, ... try does: see ``_act``. Other tries, and other jobs, just work.
        slow_seconds: what every job takes at least.
    """

    log: Path
    acts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slow_seconds: float = 0.0

    def __call__(self, job, progress):
        note(self.log, f"{job.id} {job.settings.seed} {os.getpid()}")
        acts = self.acts.get(job.id, ())
        number = len(self.tries(job.id))
        time.sleep(self.slow_seconds)
        if number <= len(acts):
            progress(ProgressEvent(stage="chunk", message=acts[number - 1], done=0, total=1))
            _act(acts[number - 1])
        try:
            return fake_execute(job, progress)
        finally:
            limit_files(resource.RLIM_INFINITY)

    def tries(self, name=None):
        """Job, seed and process of every try, in order; of one job where it is named."""
        lines = [line.split() for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [(job, int(seed), int(pid)) for job, seed, pid in lines if name in (None, job)]


class UnpicklableError(Exception):
    """What some libraries raise: it cannot be sent to another process."""

    def __init__(self, one, two):
        super().__init__("cannot be sent")
        self.lock = threading.Lock()


def limit_files(size):
    """Let no file of this process grow over ``size`` bytes: for whoever writes, that is what a full disk is like."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _act(name):
    match name:
        case "raise":
            raise ValueError("poisoned")
        case "input":
            raise InputError("waves.mp4: the file ends in the middle")
        case "unpicklable":
            raise UnpicklableError(1, 2)
        case "memory":
            raise MemoryError
        case "exit":
            raise SystemExit(3)
        case "die":
            os._exit(137)
        case "sleep":
            time.sleep(600)
        case "limit":
            limit_files(20_000)


class DeadSolver(Solver):
    """A worker that ends before it can say a word."""

    def __init__(self):
        os._exit(1)


class BrokenSolver(Solver):
    """A worker on a machine where something is missing."""

    def about(self):
        raise RuntimeError("no libcodec on this machine")


class OtherSolver(Solver):
    """A worker on a machine with another version."""

    def about(self):
        return super().about() | {"host": "elsewhere", "ddvideo": "9.9"}


def make_jobs(folder, clip, *, frames=30, each=10):
    """A prior and the chunks that wait for it, in a work folder as the driver leaves it."""
    folder.mkdir(exist_ok=True)
    (folder / "state.json").write_text("{}")
    common = {"source": clip, "shot": Shot(0, frames), "settings": SETTINGS, "folder": folder}
    chunks = [Chunk(index, 0, start, start + each) for index, start in enumerate(range(0, frames, each))]
    return [
        PriorJob(id="prior-0000", shot_index=0, **common),
        *(ChunkJob(id=f"chunk-{c.index:04d}", chunk=c, after=("prior-0000",), **common) for c in chunks),
    ]


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
        **{"pix_fmt": "yuv420p"} | facts,
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
