"""Maps of a clip made steady: each averaged with its neighbours in time, along the motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import backward_warp

__all__ = ["LinksInTime", "TimeLink", "steady"]

TimeLink: TypeAlias = tuple[FloatArray, FloatArray]
"""Flow ``(h, w, 2)`` to a neighbour in time, in pixels, and its confidence ``(h, w)``."""


class LinksInTime(Protocol):
    """The way from each frame to a neighbour, by the frame's index; None where there is none. A list is one."""

    def __getitem__(self, t: int, /) -> TimeLink | None: ...


def steady(
    maps: Sequence[FloatArray],
    back: LinksInTime,
    ahead: LinksInTime,
    *,
    memory: float = 0.8,
    trust: float = 0.0,
) -> FloatArray:
    """Run a leaky average through the clip forth and back, carried along the flow, and take the mean of both.

    Args:
        maps: ``(h, w)``, one a frame.
        back: per frame the way to the one before.
        ahead: likewise, to the one after.
        memory: part of the average that stays from frame to frame where the flow is sure; in [0, 1).
        trust: in [0, 1], confidence that every flow has at the least: smooth maps forgive a wrong one.

    Returns:
        ``(T, h, w)`` float32.
    Source: recursive filtering along motion trajectories, Dubois and Sabri, IEEE Trans. Communications 1984.
    """
    out = np.zeros((len(maps), *maps[0].shape), np.float32)
    for order, links in ((range(len(maps)), back), (range(len(maps) - 1, -1, -1), ahead)):
        average: FloatArray | None = None
        for t in order:
            link, here = links[t], maps[t]
            if average is None or link is None:
                average = here
            else:
                kept = np.float32(memory) * np.maximum(link[1], np.float32(trust))
                average = here + kept * (backward_warp(average, link[0]) - here)
            out[t] += np.float32(0.5) * average
    return out
