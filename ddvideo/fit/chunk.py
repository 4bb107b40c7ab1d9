"""A chunk: fitted from its shot's prior, brought to full resolution, written into the work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ddvideo.errors import InputError
from ddvideo.fit.clock import Clock
from ddvideo.fit.reading import gather
from ddvideo.fit.shared import Shared, camera_motion, read_shared
from ddvideo.fit.solve import Solved, solve
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

    shared = read_shared(job.folder, chunk.shot, range(chunk.start - job.shot.start, chunk.stop - job.shot.start))
    solved = shared.solved() if shared.maps else _refine(job, task, options, shared, clock, tell)
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
        camera=camera_motion(shared.camera, rows).matrices,
        maps=solved.conclusion.maps,
        drawn=solved.drawn,
        threads=settings.threads,
        memory=shared.memory,
    )
    dtype: Any = full[0].dtype.name
    with ChunkWriter(job.folder, chunk, dtype=dtype) as writer:
        for done, layers in enumerate(clock.each("full_size", task.finish(footage)), start=1):
            writer.append(layers)
            tell(done, chunk.frames, "full size")
        return writer.finish(
            steps=solved.steps,
            seconds=clock.total,
            loss=solved.loss,
            timings_seconds=clock.seconds,
            warnings=solved.warnings,
        )


def _refine(job: ChunkJob, task: Task, options: Mapping[str, Any], shared: Shared, clock: Clock, tell: Tell) -> Solved:
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
        camera=camera_motion(shared.camera, np.array(frames) - shot.start),
        full_size=full_size,
    )
    return solve(
        task,
        window,
        settings,
        options,
        seed=settings.seed + chunk.index,
        clock=clock,
        tell=tell,
        memory=shared.memory,
        start=shared.weights if task.shares_weights else None,
        effort=REFINING if task.shares_weights else 1.0,
    )
