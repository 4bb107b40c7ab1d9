"""What runs on a worker: an actor that carries out one job at a time and tells how far it is."""

from __future__ import annotations

import os
import pickle
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import TypeAlias

from ddvideo.errors import DecompositionError, OutputError
from ddvideo.runners.base import Execute, Record
from ddvideo.store import code_sha256
from ddvideo.types import Job, ProgressEvent
from ddvideo.version import __version__

__all__ = ["About", "Solver", "about_here"]

_TOLD_SECONDS = 0.5

About: TypeAlias = dict[str, str | int]


def about_here() -> About:
    """Who and what this process is."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "ddvideo": __version__, "code": code_sha256()}


def _sendable(error: BaseException) -> BaseException:
    """The error, or one that says the same where it would not survive the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (what goes wrong is up to the class of the error)
        return DecompositionError(f"{type(error).__name__}: {error}")
    return error


class Solver:
    """The actor. Gets plain jobs and reads and writes files; nothing large passes through Ray."""

    def about(self) -> About:
        """See :func:`about_here`; answered as soon as the worker is there."""
        return about_here()

    def solve(self, execute: Execute, job: Job) -> Iterator[ProgressEvent | Record]:
        """Carry out a job.

        Yields:
            Events, now and then, and the record last.

        Raises:
            OutputError: this machine does not see the work folder.
            Exception: what ``execute`` raises.
        """
        if not (job.folder / "state.json").is_file():
            raise OutputError(
                f"{job.folder}: not seen by the worker on {socket.gethostname()}: inputs and --out must lie on a file "
                "system that all machines of the cluster share"
            )
        news: queue.SimpleQueue[ProgressEvent | Record | BaseException] = queue.SimpleQueue()

        def work() -> None:
            try:
                news.put(execute(job, news.put))
            except BaseException as error:  # noqa: BLE001 (raised again on the other side of the queue)
                news.put(error)

        threading.Thread(target=work, daemon=True).start()
        told = 0.0
        while True:
            item = news.get()
            if isinstance(item, BaseException):
                raise _sendable(item)
            if not isinstance(item, ProgressEvent):
                yield item
                return
            now = time.monotonic()
            if now - told >= _TOLD_SECONDS:
                told = now
                yield item
