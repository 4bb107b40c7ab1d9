"""The runner of one machine and one process: job after job."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable

from ddvideo.hardware import thread_count
from ddvideo.runners.base import Execute, Outcome, attempt_job
from ddvideo.runners.queue import JobQueue
from ddvideo.types import Job, Progress

__all__ = ["InProcessRunner"]

_PAUSE_SECONDS = 0.05
"""Before a source that has nothing now is asked again."""


class InProcessRunner:
    """Runs jobs one after the other in the calling process, in the order given."""

    kind = "inprocess"
    workers = 1

    def __init__(self) -> None:
        self.threads = thread_count()

    def run(self, jobs: Iterable[Job | None], execute: Execute, progress: Progress) -> Generator[Outcome, None, None]:
        """See :class:`ddvideo.runners.base.Runner`.

        KeyboardInterrupt and SystemExit pass through at once: what was told is done, the job in flight is lost.
        """
        queue = JobQueue(jobs)
        while not queue.is_done:
            taken = queue.take()
            yield from queue.left_out()
            if taken is None:
                time.sleep(_PAUSE_SECONDS)
                continue
            job, attempt = taken
            outcome: Outcome | None
            try:
                record = execute(attempt_job(job, attempt), progress)
            except Exception as error:  # noqa: BLE001 (noted, retried, and told by the outcome)
                outcome = queue.failed(job, attempt, error)
            else:
                outcome = queue.succeeded(job, attempt, record)
            if outcome is not None:
                yield outcome
            yield from queue.left_out()

    def close(self) -> None:
        """Nothing is held."""
