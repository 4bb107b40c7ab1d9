"""Frames at working size, read once in order, and what a task observes in each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddvideo.arrays import ByteArray
from ddvideo.fit.clock import Clock
from ddvideo.media.working import working_frame
from ddvideo.tasks.contract import Neighbourhood, Observation

if TYPE_CHECKING:
    from ddvideo.media import Source

__all__ = ["Gathered", "gather"]


@dataclass
class Gathered:
    """What a pass over the frames has brought."""

    frames: dict[int, ByteArray] = field(default_factory=dict)
    observations: dict[int, Observation] = field(default_factory=dict)


def gather(
    source: Source,
    span: tuple[int, int],
    wanted: Collection[int],
    *,
    observe: Callable[[Neighbourhood], Observation],
    offsets: tuple[int, ...],
    longer_px: int,
    threads: int,
    on_frame: Callable[[int, ByteArray], None],
    clock: Clock,
) -> Gathered:
    """Read frames ``span[0]`` to ``span[1]`` once and observe those that are wanted.

    Args:
        source: opened input.
        span: frames that are read; neighbours outside it are not looked at.
        wanted: frames that are kept and observed, inside the span.
        observe: looks at a frame and its neighbours; called from several threads.
        offsets: which neighbours it is shown.
        longer_px: working size.
        threads: frames observed at once.
        on_frame: told of every frame of the span, in order.
        clock: counts the seconds of decoding and observing.
    """
    gathered = Gathered()
    reach = max((abs(offset) for offset in offsets), default=0)
    recent: dict[int, ByteArray] = {}
    pending: deque[tuple[int, Future[Observation]]] = deque()

    def look(index: int) -> None:
        gathered.frames[index] = recent[index]
        around = {offset: recent[index + offset] for offset in (0, *offsets) if index + offset in recent}
        pending.append((index, pool.submit(observe, Neighbourhood(index=index, frames=around))))
        while len(pending) > 2 * threads:  # bounded: frames wait in memory no longer than the threads need
            collect()

    def collect() -> None:
        index, future = pending.popleft()
        with clock.count("seeds"):
            gathered.observations[index] = future.result()

    with ThreadPoolExecutor(threads) as pool:
        try:
            for index, frame in clock.each("decode", _small(source, span, longer_px)):
                recent[index] = frame
                recent.pop(index - 2 * reach - 1, None)
                on_frame(index, frame)
                if index - reach in wanted:
                    look(index - reach)
            for index in range(max(span[1] - reach, span[0]), span[1]):
                if index in wanted and index in recent:
                    look(index)
            while pending:
                collect()
        finally:
            for _, future in pending:
                future.cancel()
    return gathered


def _small(source: Source, span: tuple[int, int], longer_px: int) -> Iterator[tuple[int, ByteArray]]:
    for frame in source.frames(*span):
        yield frame.index, working_frame(frame.rgb, longer_px)
