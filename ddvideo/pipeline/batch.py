"""Many inputs as one queue: all their jobs go to the same workers, longest input first, and each is written when it is
whole.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ddvideo.errors import DDVideoError, DecompositionError
from ddvideo.pipeline.chain import join_stages, name_stage, stage_request, stage_root
from ddvideo.pipeline.input_run import InputRun
from ddvideo.pipeline.request import Request
from ddvideo.pipeline.result import Result
from ddvideo.runners import reason_of
from ddvideo.types import Job, Progress, ProgressEvent

__all__ = ["Batch", "Item", "Status", "as_ours"]

_log = logging.getLogger(__name__)

Status = Literal["waiting", "running", "done", "failed"]


@dataclass
class Item:
    """One input of a batch, and how far it is."""

    path: Path
    root: Path
    frames: int = 0
    pixels: int = 0
    status: Status = "waiting"
    error: DDVideoError | None = None
    result: Result | None = None
    was_done: bool = False
    """Whether an earlier start of the batch has done it."""
    facts: dict[str, Any] = field(default_factory=dict)
    """For the user of this class: kept with the item."""


class Batch:
    """Carries out the stages of a recipe on many inputs.

    Inputs are opened when a worker has nothing else to do, so that thousands of them cost no more than a few. An input
    that fails is noted, and all others are still done.

    Args:
        items: in the order in which they are begun; those that are done already are passed over.
        requests: the stages; all with the same runner.
        progress: told of every step.
        changed: told of every item whose status has changed.
    """

    def __init__(
        self, items: Sequence[Item], requests: Sequence[Request], progress: Progress, changed: Callable[[Item], None]
    ) -> None:
        self._items, self._requests = items, requests
        self._progress, self._changed = progress, changed
        waiting = [item for item in items if item.status == "waiting"]
        self._waiting: deque[tuple[Item, tuple[Result, ...], Path]] = deque((item, (), item.path) for item in waiting)
        self._total = len(self._waiting)
        self._ended = 0
        self._message = ""
        self._open: dict[str, _Open] = {}
        self._writing: dict[Future[Result], _Open] = {}
        self._writer: ThreadPoolExecutor | None = None
        self._is_stopped = False

    def run(self) -> None:
        """Do it all; returns when every item is done or failed. One that is cut short waits again.

        Raises:
            UsageError: the workers that were asked for cannot be had.
            DecompositionError: workers die as soon as they are started.
        """
        runner = self._requests[0].runner
        # Several workers go on while one input is written; a single one would only be slowed down.
        self._writer = (
            ThreadPoolExecutor(1, "ddvideo-write") if runner.workers > 1 or runner.kind != "inprocess" else None
        )
        try:
            with closing(runner.run(self._jobs(), self._requests[0].execute, self._tell)) as outcomes:
                for outcome in outcomes:
                    opened = self._open[outcome.job.id.partition("/")[0]]
                    if opened.error is None:
                        try:
                            opened.run.take(outcome)
                        except Exception as error:  # noqa: BLE001 (see as_ours)
                            opened.error = as_ours(error, opened.item)
                    opened.left.discard(outcome.job.id)
                    self._write_if_ready(opened)
        finally:
            self._is_stopped = True
            if self._writer is not None:
                self._writer.shutdown(wait=True, cancel_futures=True)
            for opened in [*self._open.values(), *self._writing.values()]:
                opened.run.folder.close()
            for item in self._items:
                if item.status == "running":
                    item.status = "waiting"

    def _jobs(self) -> Iterator[Job | None]:
        """Jobs for whoever has a worker free; None while all that is left is at work or being written."""
        while True:
            self._collect()
            if self._waiting:
                yield from self._begin(*self._waiting.popleft())
            elif self._open or self._writing:
                yield None
            else:
                return

    def _begin(self, item: Item, before: tuple[Result, ...], source: Path) -> Iterator[Job]:
        stage = len(before)
        key = f"{item.root.name}-{stage}"
        request = stage_request(self._requests, stage)
        run = InputRun(source, stage_root(item.root, self._requests, stage), request, name=f"{key}/")
        opened = _Open(item=item, before=before, key=key, run=run)
        at = f", stage {stage + 1} of {len(self._requests)}" if len(self._requests) > 1 else ""
        self._message = f"{item.path.name} ({self._ended + 1} of {self._total}{at})"
        self._set(item, "running")
        try:
            jobs = run.begin(self._tell)
        except Exception as error:  # noqa: BLE001 (see as_ours)
            self._fail(opened, as_ours(error, item))
            return
        except BaseException:
            run.folder.close()
            raise
        opened.left = {job.id for job in jobs}
        self._open[key] = opened
        for job in jobs:
            if opened.error is None:
                yield job
            else:  # nothing can come of it any more
                opened.left.discard(job.id)
        self._write_if_ready(opened)

    def _write_if_ready(self, opened: _Open) -> None:
        if opened.left or self._open.pop(opened.key, None) is None:
            return
        if opened.error is not None:
            self._fail(opened, opened.error)
        elif self._writer is not None:
            self._writing[self._writer.submit(opened.run.finish, self._check_stopped)] = opened
        else:
            self._settle(opened, partial(opened.run.finish, self._tell))

    def _settle(self, opened: _Open, result: Callable[[], Result]) -> None:
        """Take over what writing an input has come to."""
        try:
            written = result()
        except Exception as error:  # noqa: BLE001 (see as_ours)
            self._fail(opened, as_ours(error, opened.item))
        else:
            self._finish(opened, written)
        finally:
            opened.run.folder.close()

    def _check_stopped(self, event: ProgressEvent) -> None:
        if self._is_stopped:
            raise DecompositionError("stopped while the results were written; the next start goes on from there")

    def _collect(self) -> None:
        for future in [future for future in self._writing if future.done()]:
            self._settle(self._writing.pop(future), future.result)

    def _finish(self, opened: _Open, result: Result) -> None:
        done = (*opened.before, result)
        if len(done) < len(self._requests):
            main = self._requests[opened.stage].task.main
            self._waiting.appendleft((opened.item, done, result.layers[main].path))
            return
        opened.item.result = join_stages(opened.item.path, done)
        self._ended += 1
        self._set(opened.item, "done")

    def _fail(self, opened: _Open, error: DDVideoError) -> None:
        opened.run.folder.close()
        name_stage(error, self._requests, opened.stage)
        opened.item.error = error
        self._ended += 1
        self._set(opened.item, "failed")

    def _set(self, item: Item, status: Status) -> None:
        item.status = status
        self._changed(item)

    def _tell(self, event: ProgressEvent) -> None:
        """Pass a step on with what it is a step of: with several workers, only how many inputs there are is known."""
        several = f"{self._ended} of {self._total} inputs done"
        self._progress(replace(event, message=self._message if self._writer is None else several))


def as_ours(error: Exception, item: Item) -> DDVideoError:
    """The error that an input ends with: a fault of ours with one of them must not cost all the others."""
    if isinstance(error, DDVideoError):
        return error
    _log.debug("traceback of %s", item.path, exc_info=error)
    return DecompositionError(f"{item.path}: a fault of ddvideo: {reason_of(error)}")


@dataclass(eq=False)
class _Open:
    """An input that is begun: its run, and the ids of the jobs that have not ended."""

    item: Item
    before: tuple[Result, ...]
    """What the stages before this one have come to."""
    key: str
    run: InputRun
    left: set[str] = field(default_factory=set)
    error: DDVideoError | None = None

    @property
    def stage(self) -> int:
        """The number of the stage, counted from 0."""
        return len(self.before)
