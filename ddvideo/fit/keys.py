"""Which frames of a shot its prior looks at."""

from __future__ import annotations

from ddvideo.types import Shot

__all__ = ["key_frames"]


def key_frames(shot: Shot, most: int) -> tuple[int, ...]:
    """All frames of a short shot; of a longer one, pairs of neighbours spread evenly over it.

    Neighbours, because the coherence along the flow needs them.

    Args:
        shot: the shot.
        most: at most so many frames, at least 2.

    Returns:
        Absolute indices, ascending, the first and the last frame among them where there are at least two pairs.
    """
    if shot.frames <= most:
        return tuple(range(shot.start, shot.stop))
    pairs = max(most // 2, 1)
    last = shot.frames - 2
    firsts = [shot.start + (last * n // (pairs - 1) if pairs > 1 else last // 2) for n in range(pairs)]
    return tuple(sorted({index for first in firsts for index in (first, first + 1)}))
