"""Workers on a Ray cluster: actors that are started, given jobs, listened to, and replaced when they die."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from ddvideo.errors import DecompositionError, UsageError
from ddvideo.runners.base import Execute, Record
from ddvideo.runners.worker import About, Solver, about_here
from ddvideo.types import Job, ProgressEvent

__all__ = ["Pool", "Slot", "WorkerLostError"]

_STALL_SECONDS = 300.0
_START_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_FALSE_STARTS = 3
"""Workers that died before they could say a word, one after the other, until that is taken for the rule."""

_log = logging.getLogger(__name__)


class WorkerLostError(DecompositionError):
    """A worker ended in the middle of a job: killed, out of memory, or its machine is gone."""


@dataclass(eq=False)
class Slot:
    """One worker, and what it is at."""

    actor: Any
    hello: Any
    """Answer of a worker that is still on its way; None once it is there."""
    job: Job | None = None
    attempt: int = 0
    stream: Any = None
    heard: float = field(default_factory=time.monotonic)
    is_told: bool = False
    """Whether the user knows that this one is silent."""

    @property
    def is_free(self) -> bool:
        """Whether a job may be given to it."""
        return self.hello is None and self.job is None


class Pool:
    """So many actors with so many CPUs and GPUs each; used by one thread.

    Args:
        workers: how many.
        cpus: CPUs, and threads, of each.
        gpus: GPUs of each, may be a part of one.
    """

    def __init__(self, workers: int, *, cpus: int, gpus: float) -> None:
        import ray

        # Retried by the driver, which counts the attempts; an actor that dies is replaced by it as well.
        self._kind: Any = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(Solver)
        self._here = about_here()
        self.slots: list[Slot] = []
        self._false_starts = 0
        for _ in range(workers):
            self._start()

    def _start(self) -> None:
        actor = self._kind.remote()
        self.slots.append(Slot(actor=actor, hello=actor.about.remote()))

    def free(self) -> list[Slot]:
        """Workers that wait for a job."""
        return [slot for slot in self.slots if slot.is_free]

    def is_idle(self) -> bool:
        """Whether no worker has a job."""
        return all(slot.job is None for slot in self.slots)

    def give(self, slot: Slot, execute: Execute, job: Job, attempt: int, sent: Job) -> None:
        """Let a free worker begin: ``sent`` is the job as this attempt sees it."""
        slot.job, slot.attempt, slot.heard, slot.is_told = job, attempt, time.monotonic(), False
        slot.stream = slot.actor.solve.options(num_returns="streaming").remote(execute, sent)

    def wait(self, seconds: float) -> list[Slot]:
        """Workers of which something is heard, at most so much later; tells the user of those that are silent."""
        import ray

        pending = {id(waited): slot for slot in self.slots if (waited := _waited(slot)) is not None}
        if not pending:
            time.sleep(min(seconds, _PAUSE_SECONDS))
            return []
        handles = [_waited(slot) for slot in self.slots if _waited(slot) is not None]
        ready, _ = ray.wait(handles, num_returns=1, timeout=seconds, fetch_local=False)
        now = time.monotonic()
        found = [pending[id(handle)] for handle in ready]
        for slot in found:
            slot.heard = now
        for slot in self.slots:
            limit = _STALL_SECONDS if slot.hello is None else _START_SECONDS
            if _waited(slot) is not None and now - slot.heard > limit and not slot.is_told:
                slot.is_told = True
                what = "a worker has not started" if slot.hello is not None else f"nothing is heard of {_name(slot)}"
                _log.warning("%s for %.0f s; is the cluster busy, or a machine gone?", what, now - slot.heard)
        return found

    def news(self, slot: Slot) -> ProgressEvent | Record | Exception | None:
        """What a worker has to tell: an event, its job's record, or the error that ended it; None: it has started.

        Raises:
            UsageError: the worker runs another ddvideo than this process.
            DecompositionError: workers die as soon as they are started.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            if slot.hello is not None:
                self._check(ray.get(slot.hello))
                slot.hello = None
                self._false_starts = 0
                return None
            item: ProgressEvent | Record = ray.get(next(slot.stream))
        except StopIteration:
            return WorkerLostError("the worker fell silent before the job was done")
        except RayError as error:
            _log.debug("from a worker: %s", error)
            if slot.hello is None and isinstance(error, RayTaskError):
                return error.cause if isinstance(error.cause, Exception) else error
            self._replace(slot, error)
            return WorkerLostError(
                f"the worker was lost ({type(error).__name__}): killed, out of memory, or its node gone"
            )
        return item

    def end(self, slot: Slot) -> None:
        """A worker's job has ended; it is free again."""
        slot.job, slot.stream = None, None

    def _replace(self, slot: Slot, error: Exception) -> None:
        """Start another worker in place of one that is gone; its job is for the caller to try again."""
        self._false_starts += slot.hello is not None
        if self._false_starts >= _FALSE_STARTS:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise DecompositionError(f"workers do not start: {(lines or [type(error).__name__])[-1]}") from error
        self._kill(slot)
        self.slots.remove(slot)
        self._start()

    def _check(self, about: About) -> None:
        for name in ("ddvideo", "code"):
            if about[name] != self._here[name]:
                raise UsageError(
                    f"the worker on {about['host']} has another ddvideo ({about['ddvideo']}) than this machine "
                    f"({self._here['ddvideo']}): install the same one on all machines of the cluster"
                )

    def _kill(self, slot: Slot) -> None:
        import ray

        with contextlib.suppress(Exception):
            ray.kill(slot.actor)

    def close(self) -> None:
        """End all workers at once; what they are at is lost."""
        for slot in self.slots:
            self._kill(slot)
        self.slots.clear()


def _waited(slot: Slot) -> Any:
    return slot.hello if slot.hello is not None else slot.stream


def _name(slot: Slot) -> str:
    return slot.job.id if slot.job is not None else "a worker"
