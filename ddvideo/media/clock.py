"""From the times that a container tells to the times that are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from av.container import InputContainer

from ddvideo.media.container import origin_seconds
from ddvideo.types import InputInfo

__all__ = ["Clock", "OpenClock", "Span", "clock_of", "start_clock"]

Clock: TypeAlias = Callable[[int, Fraction], Fraction]
"""Gives the input's time of a raw container time in seconds; asked with a stream's index, in reading order."""

OpenClock: TypeAlias = Callable[[InputContainer], Clock]
"""Makes the clock of an opened input; each pass over the input gets its own, as a clock may remember."""


@dataclass(frozen=True)
class Span:
    """Which part of the input's time is written: from ``start`` to before ``end`` (None: all), moved by ``shift``.

    ``pictures_end`` is when the last frame ends, in the input's time. All in seconds.
    """

    pictures_end: Fraction
    start: Fraction | None = None
    end: Fraction | None = None
    shift: Fraction = Fraction(0)

    @property
    def begin(self) -> Fraction:
        """When the written part begins, in the input's time."""
        return self.start if self.start is not None else Fraction(0)


def start_clock(container: InputContainer) -> Clock:
    """The usual clock: the input's times are those of its container less their origin."""
    origin = origin_seconds(container)
    return lambda _, seconds: seconds - origin


def clock_of(info: InputInfo) -> OpenClock:
    """The clock by which an input's frames were read: its origin, and the restarts of its clock, mended."""

    def opened(container: InputContainer) -> Clock:
        return _MendedClock(info.origin_seconds, info.clock_parts) if info.clock_parts else _from(info.origin_seconds)

    return opened


def _from(origin: Fraction) -> Clock:
    return lambda _, seconds: seconds - origin


class _MendedClock:
    """Follows each track through the parts of a joined recording, whose pictures tell when a part starts and ends.

    A track passes on to the next part where its time runs back, or beyond the part's end, to somewhere that is nearer
    to the start of the next part than to where the track was.
    """

    def __init__(self, origin: Fraction, parts: Sequence[tuple[Fraction, Fraction, Fraction]]) -> None:
        self._origin, self._parts = origin, parts
        self._place: dict[int, int] = {}
        self._before: dict[int, Fraction] = {}

    def __call__(self, stream: int, seconds: Fraction) -> Fraction:
        place, before = self._place.get(stream, 0), self._before.get(stream, seconds)
        while place + 1 < len(self._parts) and (seconds < before or seconds > self._parts[place][1]):
            following = self._parts[place + 1][0]
            if abs(seconds - following) >= abs(seconds - before):
                break
            place, before = place + 1, following
        self._place[stream], self._before[stream] = place, seconds
        return seconds + self._parts[place][2] - self._origin
