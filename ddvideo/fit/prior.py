"""A shot's prior: what is decided once for all of its chunks, and the weights they start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.fit.clock import Clock
from ddvideo.fit.keys import key_frames
from ddvideo.fit.reading import gather
from ddvideo.fit.shared import Shared, camera_motion, write_shared
from ddvideo.fit.solver import fit
from ddvideo.media import open_source
from ddvideo.motion.flow import to_grey
from ddvideo.motion.homography import CameraTracker
from ddvideo.store import save_record
from ddvideo.tasks.task import Task
from ddvideo.tasks.window import Window
from ddvideo.types import PriorJob, PriorRecord, Progress, ProgressEvent

__all__ = ["fit_prior"]

_TOLD_EVERY_FRAMES, _TOLD_EVERY_STEPS = 8, 5


def fit_prior(job: PriorJob, task: Task, options: Mapping[str, Any], progress: Progress) -> PriorRecord:
    """Read a shot once, fit its key frames, and write what its chunks share.

    See :func:`ddvideo.fit.execute` for the errors.
    """
    clock = Clock()
    shot, settings = job.shot, job.settings
    keys = key_frames(shot, settings.key_frames)
    tracker = CameraTracker()

    def tell(done: int, total: int, message: str, loss: float | None = None) -> None:
        progress(
            ProgressEvent(
                stage="prior", message=message, shot=job.shot_index, done=done, total=total, loss=loss
            )
        )

    def on_frame(index: int, frame: AnyArray) -> None:
        tracker.add(to_grey(frame))
        done = index - shot.start + 1
        if done % _TOLD_EVERY_FRAMES == 0 or done == shot.frames:
            tell(done, shot.frames, "reading")

    with open_source(job.source) as source:
        gathered = gather(
            source,
            (shot.start, shot.stop),
            set(keys),
            known={},
            observe=lambda around: task.observe(around, settings),
            offsets=task.offsets,
            longer_px=settings.working_px,
            threads=settings.threads,
            on_frame=on_frame,
            clock=clock,
        )
    path: FloatArray = tracker.path()
    present = tuple(index for index in keys if index in gathered.frames)
    window = Window(
        shot=shot,
        indices=present,
        frames=[gathered.frames[index] for index in present],
        observations=[gathered.observations[index] for index in present],
        camera=camera_motion(path, np.array(present) - shot.start),
    )
    with clock.count("seeds"):
        seeds = task.seed(window, None, settings)
    steps, weights, warnings, render = 0, {}, (), None
    if options["coupled"]:

        def tell_step(done: int, total: int, loss: float) -> None:
            if done % _TOLD_EVERY_STEPS == 0 or done == total:
                tell(done, total, "fitting", loss)

        fitted = fit(
            task,
            window,
            seeds,
            device=settings.device,
            seed=settings.seed,
            effort=options["effort"],
            tell=tell_step,
        )
        seeds, steps, warnings, render = fitted.seeds, fitted.steps, fitted.warnings, fitted.model.render
        weights = {name: values.detach().cpu() for name, values in fitted.model.state_dict().items()}
    conclusion = task.conclude(window, seeds, render, None)
    shared = Shared(
        camera=path,
        observations=dict(zip(present, window.observations, strict=True)),
        memory=conclusion.memory,
        weights=weights,
    )
    name, sha256 = write_shared(job.folder, job.shot_index, shared)
    record = PriorRecord(
        shot_index=job.shot_index,
        file=name,
        sha256=sha256,
        steps=steps,
        seconds=clock.total,
        timings_seconds=clock.seconds,
        warnings=(*conclusion.warnings, *warnings),
    )
    save_record(job.folder, record)
    if torch.device(settings.device).type == "cuda":
        torch.cuda.empty_cache()
    return record
