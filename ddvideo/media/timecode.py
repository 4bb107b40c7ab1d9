"""SMPTE timecode, counted on by a number of frames."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["advance"]

_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;.])(\d{1,3})")


def advance(timecode: str, frames: int, fps: Fraction) -> str:
    """The timecode ``frames`` later.

    Drop-frame timecode (``;`` or ``.`` before the frames) leaves out two numbers a minute at 30 frames a second, four
    at 60, but none in every tenth minute (SMPTE ST 12-1). At other rates none are left out, and ``:`` is written.

    Raises:
        ValueError: this is no timecode, or not one of that rate.
    """
    found = _TIMECODE.fullmatch(timecode.strip())
    nominal = round(fps)
    if found is None or int(found[5]) >= nominal:
        raise ValueError(f"{timecode!r} is no timecode of {nominal} frames a second")
    hours, minutes, seconds, shown = (int(found[place]) for place in (1, 2, 3, 5))
    minute = 60 * hours + minutes
    mark = found[4] if nominal % 30 == 0 else ":"
    drop = nominal // 15 if mark != ":" else 0
    count = (60 * minute + seconds) * nominal + shown - drop * (minute - minute // 10) + frames
    ten_minutes = 600 * nominal - 9 * drop
    count %= 144 * ten_minutes
    if drop:
        tens, rest = divmod(count, ten_minutes)
        skipped = max(0, (rest - drop) // (60 * nominal - drop))
        count += drop * (9 * tens + skipped)
    minute, rest = divmod(count, 60 * nominal)
    seconds, shown = divmod(rest, nominal)
    width = max(2, len(found[5]))
    return f"{minute // 60:02}:{minute % 60:02}:{seconds:02}{mark}{shown:0{width}}"
