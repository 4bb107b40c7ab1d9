"""The runner of several processes or machines: jobs on Ray actors, results on disk."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from ddvideo.errors import UsageError
from ddvideo.hardware import thread_count
from ddvideo.runners.base import Execute, Outcome, attempt_job
from ddvideo.runners.cluster import leave, nodes, require, start_or_join
from ddvideo.runners.queue import JobQueue
from ddvideo.runners.ray_pool import Pool, Slot
from ddvideo.types import Job, Progress, ProgressEvent

__all__ = ["RayRunner"]

_WAIT_SECONDS = 1.0


class RayRunner:
    """Runs jobs on actors. Ray is started, or joined, with the first jobs, and left by ``close``.

    Args:
        workers: how many actors; None for as many as the cluster has room for.
        address: of a cluster to join (``auto`` finds one); None starts one on this machine.
        gpus: GPUs of each worker; a part of one is possible.
        threads: of each worker; None shares out this machine's cores, and takes one on a cluster.
    """

    kind = "ray"

    def __init__(
        self,
        workers: int | None = None,
        *,
        address: str | None = None,
        gpus: float = 0.0,
        threads: int | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise UsageError(f"workers must be at least 1, not {workers}")
        cores = thread_count()
        self._asked, self._address, self._gpus = workers, address, gpus
        self.workers = workers or (cores if address is None else 1)
        self.threads = threads or (max(cores // self.workers, 1) if address is None else 1)
        self._pool: Pool | None = None

    def run(self, jobs: Iterable[Job | None], execute: Execute, progress: Progress) -> Generator[Outcome, None, None]:
        """See :class:`ddvideo.runners.base.Runner`."""
        queue = JobQueue(jobs)
        pool = self._connected()
        is_whole = False
        try:
            while True:
                for slot in pool.free():
                    taken = queue.take()
                    if taken is None:
                        break
                    pool.give(slot, execute, *taken, attempt_job(*taken))
                yield from queue.left_out()
                if queue.is_done and pool.is_idle():
                    break
                for slot in pool.wait(_WAIT_SECONDS):
                    if (outcome := self._listen(pool, slot, queue, progress)) is not None:
                        yield outcome
            is_whole = True
        finally:
            # Stopped in the middle, by an error or by whoever asked: jobs in flight end with their actors.
            if not is_whole:
                self.close()

    def _listen(self, pool: Pool, slot: Slot, queue: JobQueue, progress: Progress) -> Outcome | None:
        job, attempt = slot.job, slot.attempt
        news = pool.news(slot)
        if isinstance(news, ProgressEvent):
            progress(news)
            return None
        if news is None or job is None:
            return None
        pool.end(slot)
        if isinstance(news, Exception):
            return queue.failed(job, attempt, news)
        return queue.succeeded(job, attempt, news)

    def _connected(self) -> Pool:
        if self._pool is None:
            start_or_join(self._address, cpus=self.workers * self.threads, gpus=self._gpus * self.workers)
            try:
                found = nodes()
                require(found, cpus=self.threads, gpus=self._gpus)
                room = sum(_room(node.cpus, self.threads, node.gpus, self._gpus) for node in found)
                self.workers = min(self._asked or room, room)
                self._pool = Pool(self.workers, cpus=self.threads, gpus=self._gpus)
            except BaseException:
                leave()
                raise
        return self._pool

    def close(self) -> None:
        """End the workers and leave Ray; a cluster of our own ends."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
            leave()


def _room(cpus: float, cpus_each: int, gpus: float, gpus_each: float) -> int:
    """How many workers fit on a machine."""
    fits = int(cpus // cpus_each)
    return min(fits, int(gpus / gpus_each + 1e-6)) if gpus_each else fits
