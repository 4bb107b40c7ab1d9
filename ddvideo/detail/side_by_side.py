"""Frames brought to full size side by side, as many as threads and memory allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ddvideo.arrays import AnyArray

__all__ = ["side_by_side"]

_PIXELS_AT_ONCE = 2**23
"""Some hundred bytes a pixel are in use while a frame is worked on: a large one is worked on alone."""

_Result = TypeVar("_Result")


def side_by_side(work: Callable[[int], _Result], frames: Sequence[AnyArray], *, threads: int) -> Iterator[_Result]:
    """What comes of the work on each frame, in order; a few are worked on ahead, each in a thread.

    Args:
        work: on the frame of that index; what it raises is raised here.
        frames: ``(H, W, 3)``, all of one size.
        threads: at most so many at once.
    """
    height, width = frames[0].shape[:2]
    at_once = max(min(threads, _PIXELS_AT_ONCE // (height * width)), 1)
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(at_once, "ddvideo-full-size") as pool:
        try:
            for index in range(len(frames)):
                pending.append(pool.submit(work, index))
                if len(pending) > at_once:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
