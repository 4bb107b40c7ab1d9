"""Which frames of a shot its prior looks at."""

from __future__ import annotations

from ddvideo.types import Shot

__all__ = ["key_frames"]


def key_frames(shot: Shot, most: int, run: int = 2) -> tuple[int, ...]:
    """All frames of a short shot; of a longer one, runs of neighbours spread evenly over it.

    Neighbours, because what goes along the flow needs them.

    Args:
        shot: the shot.
        most: at most so many frames, at least 2.
        run: neighbours in a row, at least 2; fewer where ``most`` is less.

    Returns:
        Absolute indices, ascending, the first and the last frame among them where there are at least two runs.
    """
    if shot.frames <= most:
        return tuple(range(shot.start, shot.stop))
    run = min(run, most)
    runs = max(most // run, 1)
    last = shot.frames - run
    firsts = [shot.start + (last * n // (runs - 1) if runs > 1 else last // 2) for n in range(runs)]
    return tuple(sorted({index for first in firsts for index in range(first, first + run)}))
