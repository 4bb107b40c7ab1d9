"""The runner of one machine and one process: job after job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from ddvideo.errors import UsageError
from ddvideo.runners.base import Execute, Failures, Record, attempt_job, with_attempts
from ddvideo.types import Job, Progress

__all__ = ["InProcessRunner"]


class InProcessRunner:
    """Runs jobs one after the other in the calling process, in the order given as far as ``after`` allows."""

    kind = "inprocess"
    workers = 1

    def run(self, jobs: Sequence[Job], execute: Execute, progress: Progress) -> Iterator[Record]:
        """See :class:`ddvideo.runners.base.Runner`.

        KeyboardInterrupt and SystemExit pass through at once: what was yielded is done, the job in flight is lost.
        """
        failures = Failures()
        for job in in_order(jobs):
            if failures.blocks(job):
                continue
            for attempt in count(1):
                try:
                    record = execute(attempt_job(job, attempt), progress)
                except Exception as error:  # noqa: BLE001 (noted, retried, and raised at the end by name)
                    if failures.failed(job, attempt, error):
                        break
                else:
                    yield with_attempts(record, attempt)
                    break
        failures.raise_if_any(jobs)


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, each behind those it waits for, otherwise as given.

    Raises:
        UsageError: two jobs share an id, or jobs wait for each other.
    """
    waiting = {job.id: job for job in jobs}
    if len(waiting) != len(jobs):
        raise UsageError("two jobs have the same id")
    ordered: list[Job] = []
    while waiting:
        ready = next((job for job in waiting.values() if not any(name in waiting for name in job.after)), None)
        if ready is None:
            raise UsageError(f"jobs wait for each other: {', '.join(sorted(waiting))}")
        ordered.append(waiting.pop(ready.id))
    return ordered
