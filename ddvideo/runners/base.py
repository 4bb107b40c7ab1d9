"""What a runner is: something that carries out jobs, in an order that honours ``job.after``, each up to three times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias

from ddvideo.errors import DDVideoError, DecompositionError
from ddvideo.types import ChunkJob, ChunkRecord, Job, PriorRecord, Progress

__all__ = ["MAX_ATTEMPTS", "Execute", "Failures", "JobsFailedError", "Record", "Runner", "attempt_job", "with_attempts"]

Record: TypeAlias = PriorRecord | ChunkRecord
Execute: TypeAlias = Callable[[Job, Progress], Record]
MAX_ATTEMPTS = 3
_SEED_STEP = 1_000_003

_log = logging.getLogger(__name__)


class Runner(Protocol):
    """Carries out jobs and yields each one's record as soon as it is done."""

    kind: str
    workers: int

    def run(self, jobs: Sequence[Job], execute: Execute, progress: Progress) -> Iterator[Record]:
        """Run every job whose ``after`` jobs have succeeded; ids that are not among ``jobs`` count as done before.

        A job that raises is tried three times, each time from another seed. One that fails for good, and those that
        wait for it, are left out; all others are still finished.

        Raises:
            DecompositionError: at the end, naming what failed.
            UsageError, InputError, OutputError: at once, for another try cannot help.
        """
        ...


def attempt_job(job: Job, attempt: int) -> Job:
    """The job as its ``attempt``-th try sees it: the first as given, later ones with another seed."""
    if attempt == 1:
        return job
    seed = (job.settings.seed + (attempt - 1) * _SEED_STEP) % 2**31
    return replace(job, settings=replace(job.settings, seed=seed))


def with_attempts(record: Record, attempts: int) -> Record:
    """The record of a job that took so many attempts (a prior's record has no place for it)."""
    return replace(record, attempts=attempts) if isinstance(record, ChunkRecord) else record


def describe(job: Job) -> str:
    """A job in words: which frames, counted as the user counts them."""
    if isinstance(job, ChunkJob):
        return f"chunk {job.chunk.index} (frames {job.chunk.start} to {job.chunk.stop - 1})"
    return f"the prior of shot {job.shot_index} (frames {job.shot.start} to {job.shot.stop - 1})"


@dataclass
class Failures:
    """What went wrong in a run so far, and the error it ends with."""

    reasons: dict[str, str] = field(default_factory=dict)
    """Job id to the last attempt's error."""
    skipped: list[str] = field(default_factory=list)
    """Ids of jobs that wait for one that failed."""
    _names: dict[str, str] = field(default_factory=dict)

    def failed(self, job: Job, attempt: int, error: Exception) -> bool:
        """Note a failed attempt; returns whether it was the last one. An error that a retry cannot mend is raised."""
        if isinstance(error, DDVideoError) and not isinstance(error, DecompositionError):
            raise error
        _log.warning("%s failed (attempt %d of %d): %s", describe(job), attempt, MAX_ATTEMPTS, reason_of(error))
        _log.debug("traceback of %s", job.id, exc_info=error)
        if attempt < MAX_ATTEMPTS:
            return False
        self.reasons[job.id] = reason_of(error)
        self._names[job.id] = describe(job)
        return True

    def blocks(self, job: Job) -> bool:
        """Whether the job waits for one that failed; if so, it is noted as left out."""
        blocked = any(name in self.reasons or name in self.skipped for name in job.after)
        if blocked:
            self.skipped.append(job.id)
        return blocked

    def raise_if_any(self, jobs: Sequence[Job]) -> None:
        """End the run with an error that names the jobs that failed; nothing happens where all went well."""
        if not self.reasons:
            return
        shown = [f"{self._names[name]}: {reason}" for name, reason in list(self.reasons.items())[:3]]
        more = f" and {len(self.reasons) - 3} more" if len(self.reasons) > 3 else ""
        done = len(jobs) - len(self.reasons) - len(self.skipped)
        raise JobsFailedError(
            f"failed {MAX_ATTEMPTS} times: {'; '.join(shown)}{more}\n"
            f"the other {done} of {len(jobs)} jobs are kept: the same command tries only what is missing",
            reasons=self.reasons,
        )


class JobsFailedError(DecompositionError):
    """Some jobs failed for good; ``reasons`` tells which (job id) and why."""

    def __init__(self, message: str, *, reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reasons = dict(reasons or {})


def reason_of(error: Exception) -> str:
    """One line about an error: its own message where it is one of ours, its type as well where it is not."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, DDVideoError) else f"{type(error).__name__}: {text}".rstrip(": ")
