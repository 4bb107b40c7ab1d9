"""A shot's prior: what is decided once for all of its chunks, and the weights they start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddvideo.arrays import ByteArray
from ddvideo.errors import InputError
from ddvideo.fit.clock import Clock
from ddvideo.fit.key_frames import key_frames
from ddvideo.fit.reading import gather
from ddvideo.fit.shot_prior import ShotPrior, camera_motion, write_prior
from ddvideo.fit.window_fit import fit_window
from ddvideo.media import open_source
from ddvideo.motion.flow import to_grey
from ddvideo.motion.homography import CameraTracker
from ddvideo.store import save_record
from ddvideo.tasks.contract import Task, Window
from ddvideo.types import PriorJob, PriorRecord, Progress, ProgressEvent, first_path

__all__ = ["fit_prior"]

_TOLD_EVERY_FRAMES = 8


def fit_prior(job: PriorJob, task: Task, options: Mapping[str, Any], progress: Progress) -> PriorRecord:
    """Read a shot once, fit its key frames, and write what its chunks share.

    Where the key frames are all of the shot's frames, this is the whole fit, and its chunks only have to bring their
    part of it to full size.

    See :func:`ddvideo.fit.execute` for the errors.
    """
    clock = Clock()
    shot, settings = job.shot, job.settings
    also = () if task.also_keys is None else task.also_keys(shot, settings)
    keys = tuple(sorted({*key_frames(shot, settings.key_frames, task.key_run), *also}))
    tracker = CameraTracker()

    def tell(done: int, total: int, message: str, loss: float | None = None) -> None:
        progress(ProgressEvent(stage="prior", message=message, shot=job.shot_index, done=done, total=total, loss=loss))

    def on_frame(index: int, frame: ByteArray) -> None:
        tracker.add(to_grey(frame))
        done = index - shot.start + 1
        if done % _TOLD_EVERY_FRAMES == 0 or done == shot.frames:
            tell(done, shot.frames, "reading")

    with open_source(job.source, interlaced=job.settings.interlaced) as source:
        full_size = source.info.height, source.info.width
        gathered = gather(
            source,
            (shot.start, shot.stop),
            set(keys),
            observe=lambda around: task.observe(around, settings),
            offsets=task.offsets,
            longer_px=settings.working_px,
            threads=settings.threads,
            on_frame=on_frame,
            clock=clock,
        )
    path = tracker.path()
    if len(path) != shot.frames:
        raise InputError(
            f"{first_path(job.source)}: frames {shot.start} to {shot.stop - 1} could not all be read; was it changed?"
        )
    window = Window(
        shot=shot,
        indices=keys,
        frames=[gathered.frames[index] for index in keys],
        observations=[gathered.observations[index] for index in keys],
        camera=camera_motion(path, np.array(keys) - shot.start),
        full_size=full_size,
    )
    window_fit = fit_window(task, window, settings, options, seed=settings.seed, clock=clock, tell=tell)
    is_whole = len(keys) == shot.frames
    prior = ShotPrior(
        camera=path,
        memory=window_fit.conclusion.memory,
        weights={} if is_whole else window_fit.weights,
        maps=window_fit.conclusion.maps if is_whole else {},
        drawn=window_fit.drawn if is_whole else {},
        loss=window_fit.loss,
    )
    name, sha256 = write_prior(job.folder, job.shot_index, prior)
    record = PriorRecord(
        shot_index=job.shot_index,
        file=name,
        sha256=sha256,
        steps=window_fit.steps,
        seconds=clock.total,
        timings_seconds=clock.seconds,
        warnings=window_fit.warnings,
    )
    save_record(job.folder, record)
    return record
