"""From the times that a container tells to the times that are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from av.container import InputContainer

from ddvideo.media.container import origin_seconds

__all__ = ["Clock", "OpenClock", "Span", "start_clock"]

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
