"""What a runner is: something that carries out jobs, in an order that honours ``job.after``, each up to three times."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from ddvideo.errors import DDVideoError, DecompositionError
from ddvideo.types import ChunkJob, ChunkRecord, Job, PriorRecord, Progress

__all__ = [
    "MAX_ATTEMPTS",
    "Execute",
    "JobsFailedError",
    "Outcome",
    "Record",
    "Runner",
    "attempt_job",
    "describe",
    "is_final",
    "jobs_failed",
    "reason_of",
    "with_attempts",
]

Record: TypeAlias = PriorRecord | ChunkRecord
Execute: TypeAlias = Callable[[Job, Progress], Record]
MAX_ATTEMPTS = 3
_SEED_STEP = 1_000_003

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended: with its record; with the error of its last try; or with neither, left out because one that it
    waits for failed.
    """

    job: Job
    record: Record | None = None
    error: Exception | None = None


class Runner(Protocol):
    """Carries out jobs and tells of each one as soon as it has ended."""

    kind: str
    workers: int
    threads: int
    """Threads of each worker."""

    def run(self, jobs: Iterable[Job | None], execute: Execute, progress: Progress) -> Generator[Outcome, None, None]:
        """Run jobs; each waits for those of its ``after`` jobs that came before it, others count as done.

        Jobs are asked for when a worker is free, so that the iterable may be long, or be made as it goes; None in
        between says that none can be told now, but perhaps once others have ended. A job that
        raises is tried three times, each time from another seed; an error that no retry can mend (unreadable input,
        full disk, wrong usage) ends it at once. All other jobs are still carried out: whoever wants to stop does not
        ask for the next outcome, and closes the iterator, which ends what is in flight.

        Raises:
            UsageError: two jobs have the same id, or the workers that were asked for cannot be had.
        """
        ...

    def close(self) -> None:
        """Give back what the runner holds; it may be used again afterwards."""
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


def is_final(error: Exception) -> bool:
    """Whether another try cannot help."""
    return isinstance(error, DDVideoError) and not isinstance(error, DecompositionError)


def reason_of(error: Exception) -> str:
    """One line about an error: its own message where it is one of ours, its type as well where it is not."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, DDVideoError) else f"{type(error).__name__}: {text}".rstrip(": ")


class JobsFailedError(DecompositionError):
    """Some jobs failed for good; ``reasons`` tells which (job id) and why."""

    def __init__(self, message: str, *, reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reasons = dict(reasons or {})


def jobs_failed(failed: Sequence[Outcome], *, left_out: int, total: int) -> JobsFailedError:
    """The error that a run with failed jobs ends with.

    Args:
        failed: outcomes with an error, at least one.
        left_out: how many jobs waited for one of them.
        total: how many jobs the run had.
    """
    reasons = {outcome.job.id: reason_of(outcome.error) for outcome in failed if outcome.error is not None}
    shown = [f"{describe(outcome.job)}: {reasons[outcome.job.id]}" for outcome in failed[:3]]
    more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return JobsFailedError(
        f"failed {MAX_ATTEMPTS} times: {'; '.join(shown)}{more}\n"
        f"the other {total - len(failed) - left_out} of {total} jobs are kept: the same command tries only what is "
        "missing",
        reasons=reasons,
    )
