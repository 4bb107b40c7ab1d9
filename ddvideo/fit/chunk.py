"""A chunk: fitted from its shot's prior, brought to full resolution, written into the work folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.fit.clock import Clock
from ddvideo.fit.reading import gather
from ddvideo.fit.shared import camera_motion, read_shared
from ddvideo.fit.solver import fit
from ddvideo.media import open_source
from ddvideo.store import ChunkWriter
from ddvideo.tasks.task import Task
from ddvideo.tasks.window import Footage, Window
from ddvideo.types import ChunkJob, ChunkRecord, Progress, ProgressEvent

__all__ = ["fit_chunk"]

_REFINING = 0.25
"""Part of the prior's steps that a chunk takes: it starts from the prior's weights."""
_TOLD_EVERY_STEPS = 5


def fit_chunk(job: ChunkJob, task: Task, options: Mapping[str, Any], progress: Progress) -> ChunkRecord:
    """Read a chunk, fit it, and write its layers.

    See :func:`ddvideo.fit.execute` for the errors.
    """
    clock = Clock()
    shot, chunk, settings = job.shot, job.chunk, job.settings
    frames = range(chunk.start, chunk.stop)
    reach = max((abs(offset) for offset in task.offsets), default=0)
    shared = read_shared(job.folder, chunk.shot, frames)

    def tell(done: int, total: int, message: str, loss: float | None = None) -> None:
        progress(
            ProgressEvent(
                stage="chunk",
                message=message,
                shot=chunk.shot,
                chunk=chunk.index,
                done=done,
                total=total,
                loss=loss,
            )
        )

    begin = max(chunk.start - reach, shot.start)
    span = (begin, min(chunk.stop + reach, shot.stop))
    full: list[AnyArray] = []
    with open_source(job.source) as source:
        gathered = gather(
            source,
            span,
            frames,
            known=shared.observations,
            observe=lambda around: task.observe(around, settings),
            offsets=task.offsets,
            longer_px=settings.working_px,
            threads=settings.threads,
            on_frame=lambda index, frame: tell(index - begin + 1, span[1] - begin, "reading"),
            clock=clock,
        )
    window = Window(
        shot=shot,
        indices=tuple(frames),
        frames=[gathered.frames[index] for index in frames],
        observations=[gathered.observations[index] for index in frames],
        camera=camera_motion(shared.camera, np.arange(chunk.start, chunk.stop) - shot.start),
    )
    with clock.count("seeds"):
        seeds = task.seed(window, shared.memory, settings)
    steps, loss, warnings, render = 0, 0.0, (), None
    drawn: dict[str, FloatArray] = {}
    if options["coupled"]:

        def tell_step(done: int, total: int, loss: float) -> None:
            if done % _TOLD_EVERY_STEPS == 0 or done == total:
                tell(done, total, "fitting", loss)

        fitted = fit(
            task,
            window,
            seeds,
            device=settings.device,
            seed=settings.seed + chunk.index,
            effort=options["effort"] * _REFINING,
            start=shared.weights,
            tell=tell_step,
        )
        seeds, steps, loss, warnings = fitted.seeds, fitted.steps, fitted.loss, fitted.warnings
        render = fitted.model.render
        with clock.count("fit"):
            drawn = _draw(task, render, settings.working_px)
    conclusion = task.conclude(window, seeds, render, shared.memory)
    with open_source(job.source) as source:
        full = [frame.rgb for frame in clock.each("decode", source.frames(chunk.start, chunk.stop))]
    footage = Footage(frames=full, window=window, conclusion=conclusion, drawn=drawn)
    dtype: Any = full[0].dtype.name
    with ChunkWriter(job.folder, chunk, dtype=dtype) as writer:
        for done, layers in enumerate(task.finish(footage), start=1):
            writer.append(layers)
            tell(done, chunk.frames, "full size")
        record = writer.finish(
            steps=steps,
            seconds=clock.total,
            loss=loss,
            timings_seconds=clock.seconds,
            warnings=(*conclusion.warnings, *warnings),
        )
    if torch.device(settings.device).type == "cuda":
        torch.cuda.empty_cache()
    return record


def _draw(task: Task, render: Any, size_px: int) -> dict[str, FloatArray]:
    """All fitted colour layers of all frames, ``(T, h, w, C)``."""
    names = [layer.name for layer in task.layers if layer.spatial]
    frames = list(render(names, size_px))
    return {name: np.stack([frame[name] for frame in frames]) for name in names}
