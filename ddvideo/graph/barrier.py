"""How strong a barrier lies between a superpixel and the frame's edge."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray

__all__ = ["barrier_distance"]

_GAIN = 1e-5
"""A path has to be so much better than the one before, which ends the search in finite time."""


def barrier_distance(values: FloatArray, pairs: AnyArray, start: BoolArray) -> FloatArray:
    """Minimum barrier distance: the least range of values that a path from the start has to cross.

    Unlike a sum along the path, it does not grow across texture that rises and falls back. Each channel is taken for
    itself, and their distances are added.

    Args:
        values: ``(N, C)`` of the superpixels.
        pairs: ``(E, 2)``, which of them touch.
        start: ``(N,)``, where paths begin.

    Returns:
        ``(N,)`` float32, >= 0; 0 at the start, and where no path leads.
    Source: Zhang et al., ICCV 2015, eqs. 1 to 3. Paths are improved for all superpixels at once until none is better;
    each keeps the range of its best path only, as there.
    """
    count = len(values)
    source, target = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.argsort(target, kind="stable")
    source, target = source[order], target[order]
    reached, first = np.unique(target, return_index=True)
    total = np.zeros(count)
    for value in values.T.astype(np.float64):
        high, low = value.copy(), value.copy()
        cost = np.where(start, 0.0, np.inf)
        for _ in range(count):
            up, down = np.maximum(high[source], value[target]), np.minimum(low[source], value[target])
            span = np.where(np.isfinite(cost[source]), up - down, np.inf)
            best = np.full(count, np.inf)
            best[reached] = np.minimum.reduceat(span, first)
            better = best < cost - _GAIN
            if not better.any():
                break
            hits = np.flatnonzero(better[target] & (span == best[target]))
            high[target[hits]], low[target[hits]], cost[target[hits]] = up[hits], down[hits], span[hits]
        total += np.where(np.isfinite(cost), cost, 0)
    return total.astype(np.float32)
