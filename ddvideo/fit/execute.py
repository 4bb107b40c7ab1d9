"""One job from its plain data to its record."""

from __future__ import annotations

import cv2
import torch

from ddvideo.errors import UsageError
from ddvideo.fit.chunk_job import fit_chunk
from ddvideo.fit.prior_job import fit_prior
from ddvideo.hardware import release_memory
from ddvideo.tasks import TASKS
from ddvideo.tasks.options import check_options
from ddvideo.types import ChunkRecord, Job, PriorJob, PriorRecord, Progress

__all__ = ["execute"]


def execute(job: Job, progress: Progress) -> PriorRecord | ChunkRecord:
    """Carry out a job: read its frames, fit, write its files into the work folder.

    Depends on nothing but the job and the files it names, so that any process can run it, and run it again.

    Args:
        job: a shot's prior or a chunk.
        progress: told of frames read and steps done.

    Raises:
        UsageError: an unknown task or option.
        InputError: the input cannot be read.
        OutputError: the work folder cannot be written.
        DecompositionError: the fit failed, or the prior that a chunk starts from is damaged.
    """
    task = TASKS.get(job.settings.task)
    if task is None:
        raise UsageError(f"unknown task {job.settings.task!r}; it is one of {', '.join(TASKS)}")
    options = check_options(task, job.settings)
    torch.set_num_threads(job.settings.threads)
    cv2.setNumThreads(job.settings.threads)
    try:
        if isinstance(job, PriorJob):
            return fit_prior(job, task, options, progress)
        return fit_chunk(job, task, options, progress)
    finally:
        release_memory()
