"""What a source gives: frames, one at a time, with their exact times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Protocol, Self

from ddvideo.arrays import AnyArray
from ddvideo.errors import UsageError
from ddvideo.types import InputInfo

__all__ = ["Frame", "Source", "frame_range"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: ``rgb`` is ``(H, W, 3)``, uint8, or full-range uint16 where the input is deeper than 8 bits.

    ``alpha`` is ``(H, W)`` of the same type where the input carries transparency; ``rgb`` is over black then.
    """

    index: int
    pts_seconds: Fraction
    duration_seconds: Fraction
    rgb: AnyArray
    alpha: AnyArray | None = None


class Source(Protocol):
    """An opened input. ``warnings`` tells what was noticed so far; reading may add to it."""

    info: InputInfo

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the input, in plain words: all that the index shows and reading has met so far."""
        ...

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Stream frames ``start`` to ``stop`` (excluded; None: to the end), frame-exact.

        Raises:
            UsageError: the range does not lie inside the input.
            InputError: a frame cannot be read.
        """
        ...

    def close(self) -> None:
        """Close every reader that is still open; iterators that are not at their end stop."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def frame_range(info: InputInfo, start: int, stop: int | None) -> range:
    """The frames meant by ``start`` and ``stop``.

    Raises:
        UsageError: the range does not lie inside the input.
    """
    end = info.frames if stop is None else stop
    if not 0 <= start <= end <= info.frames:
        raise UsageError(f"{info.path}: frames {start}:{end} do not lie inside its {info.frames} frames")
    return range(start, end)
