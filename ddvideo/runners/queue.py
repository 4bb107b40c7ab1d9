"""Jobs on their way to a runner's workers: which may start, which wait, which are tried again."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator

from ddvideo.errors import UsageError
from ddvideo.runners.base import MAX_ATTEMPTS, Outcome, Record, describe, is_final, reason_of, with_attempts
from ddvideo.types import Job

__all__ = ["JobQueue"]

_log = logging.getLogger(__name__)


class JobQueue:
    """Takes jobs from their source when a worker is free, and keeps the book of how they end.

    Args:
        jobs: each behind those that it waits for; None in between says that there is none now, but may be later.
    """

    def __init__(self, jobs: Iterable[Job | None]) -> None:
        self._source = iter(jobs)
        self._is_dry = False
        self._held: list[Job] = []
        self._again: deque[tuple[Job, int]] = deque()
        self._seen: set[str] = set()
        self._open: set[str] = set()
        self._failed: set[str] = set()
        self._left_out: deque[Outcome] = deque()

    def take(self) -> tuple[Job, int] | None:
        """A job that may start now, and which attempt it is; None if there is none before another one has ended.

        Raises:
            UsageError: two jobs have the same id.
        """
        if self._again:
            return self._again.popleft()
        for place, job in enumerate(self._held):
            if not self._open.intersection(job.after):
                return self._held.pop(place), 1
        for following in self._source:
            if following is None:
                return None
            if self._admit(following):
                return following, 1
        self._is_dry = True
        return None

    def _admit(self, job: Job) -> bool:
        """Enter a job into the book; returns whether it may start at once."""
        if job.id in self._seen:
            raise UsageError(f"two jobs have the same id: {job.id}")
        self._seen.add(job.id)
        if self._failed.intersection(job.after):
            self._leave_out(job)
            return False
        waits = bool(self._open.intersection(job.after))
        self._open.add(job.id)
        if waits:
            self._held.append(job)
        return not waits

    def succeeded(self, job: Job, attempt: int, record: Record) -> Outcome:
        """Note that a job is done; what waits for it may start."""
        self._open.discard(job.id)
        return Outcome(job=job, record=with_attempts(record, attempt))

    def failed(self, job: Job, attempt: int, error: Exception) -> Outcome | None:
        """Note that an attempt failed; returns the outcome if it was the last one."""
        if not is_final(error):
            _log.warning("%s failed (attempt %d of %d): %s", describe(job), attempt, MAX_ATTEMPTS, reason_of(error))
            _log.debug("traceback of %s", job.id, exc_info=error)
            if attempt < MAX_ATTEMPTS:
                self._again.append((job, attempt + 1))
                return None
        self._open.discard(job.id)
        self._failed.add(job.id)
        for waiting in list(self._held):
            if self._failed.intersection(waiting.after):
                self._held.remove(waiting)
                self._leave_out(waiting)
        return Outcome(job=job, error=error)

    def _leave_out(self, job: Job) -> None:
        self._open.discard(job.id)
        self._failed.add(job.id)
        self._left_out.append(Outcome(job=job))

    def left_out(self) -> Iterator[Outcome]:
        """The jobs that were left out since this was last asked for."""
        while self._left_out:
            yield self._left_out.popleft()

    @property
    def is_done(self) -> bool:
        """Whether no job is open any more, and none is to come as far as is known."""
        return self._is_dry and not self._open
