"""A chunk: fitted from its shot's prior, brought to full resolution, written into the work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ddvideo.errors import InputError
from ddvideo.fit.clock import Clock
from ddvideo.fit.reading import gather
from ddvideo.fit.shot_prior import ShotPrior, camera_motion, read_prior
from ddvideo.fit.window_fit import WindowFit, fit_window
from ddvideo.hardware import release_memory
from ddvideo.media import open_source
from ddvideo.media.working import working_frame
from ddvideo.store import ChunkWriter
from ddvideo.tasks.contract import Footage, Task, Window
from ddvideo.types import ChunkJob, ChunkRecord, Progress, ProgressEvent, first_path

__all__ = ["REFINING", "fit_chunk"]

REFINING = 0.3
"""Part of the prior's steps that a chunk takes: it starts from the prior's weights."""

Tell = Callable[[int, int, str, float | None], None]


def fit_chunk(job: ChunkJob, task: Task, options: Mapping[str, Any], progress: Progress) -> ChunkRecord:
    """Read a chunk, fit it, and write its layers.

    See :func:`ddvideo.fit.execute` for the errors.
    """
    clock = Clock()
    chunk, settings = job.chunk, job.settings

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

    prior = read_prior(job.folder, chunk.shot, range(chunk.start - job.shot.start, chunk.stop - job.shot.start))
    window_fit = prior.window_fit() if prior.maps else _refine(job, task, options, prior, clock, tell)
    release_memory()  # of the fit, before the full frames come
    with open_source(job.source, interlaced=job.settings.interlaced) as source:
        full = [frame.rgb for frame in clock.each("decode", source.frames(chunk.start, chunk.stop))]
    if len(full) != chunk.frames:
        raise InputError(
            f"{first_path(job.source)}: frames {chunk.start} to {chunk.stop - 1} could not all be read; was it changed?"
        )
    rows = np.arange(chunk.start, chunk.stop) - job.shot.start
    footage = Footage(
        frames=full,
        small=[working_frame(frame, settings.working_px) for frame in full],
        camera=camera_motion(prior.camera, rows).matrices,
        maps=window_fit.conclusion.maps,
        drawn=window_fit.drawn,
        threads=settings.threads,
        memory=prior.memory,
    )
    dtype: Any = full[0].dtype.name
    with ChunkWriter(job.folder, chunk, dtype=dtype) as writer:
        for done, layers in enumerate(clock.each("full_size", task.finish(footage)), start=1):
            writer.append(layers)
            tell(done, chunk.frames, "full size")
        return writer.finish(
            steps=window_fit.steps,
            seconds=clock.total,
            loss=window_fit.loss,
            timings_seconds=clock.seconds,
            warnings=window_fit.warnings,
        )


def _refine(
    job: ChunkJob, task: Task, options: Mapping[str, Any], prior: ShotPrior, clock: Clock, tell: Tell
) -> WindowFit:
    """Fit the chunk's own frames, from where the prior has come to."""
    shot, chunk, settings = job.shot, job.chunk, job.settings
    frames = range(chunk.start, chunk.stop)
    reach = max((abs(offset) for offset in task.offsets), default=0)
    begin, end = max(chunk.start - reach, shot.start), min(chunk.stop + reach, shot.stop)
    with open_source(job.source, interlaced=job.settings.interlaced) as source:
        full_size = source.info.height, source.info.width
        gathered = gather(
            source,
            (begin, end),
            frames,
            observe=lambda around: task.observe(around, settings),
            offsets=task.offsets,
            longer_px=settings.working_px,
            threads=settings.threads,
            on_frame=lambda index, frame: tell(index - begin + 1, end - begin, "reading", None),
            clock=clock,
        )
    window = Window(
        shot=shot,
        indices=tuple(frames),
        frames=[gathered.frames[index] for index in frames],
        observations=[gathered.observations[index] for index in frames],
        camera=camera_motion(prior.camera, np.array(frames) - shot.start),
        full_size=full_size,
    )
    return fit_window(
        task,
        window,
        settings,
        options,
        seed=settings.seed + chunk.index,
        clock=clock,
        tell=tell,
        memory=prior.memory,
        start=prior.weights if task.shares_weights else None,
        effort=REFINING if task.shares_weights else 1.0,
    )
