"""How strong a barrier lies between a superpixel and the frame's edge."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from ddvideo.arrays import AnyArray, BoolArray, FloatArray

__all__ = ["barrier_distance"]

_TOUCH = 1e-6
"""Added to all lengths: an edge of length zero is none to a sparse matrix."""


def barrier_distance(values: FloatArray, pairs: AnyArray, start: BoolArray) -> FloatArray:
    """Minimum barrier distance: the least range of values that a path from the start has to cross.

    Unlike a sum along the path, it does not grow across texture that rises and falls back. Paths run along the minimum
    spanning tree of the differences, on which each channel's range is taken for itself; they are added.

    Args:
        values: ``(N, C)`` of the superpixels.
        pairs: ``(E, 2)``, which of them touch.
        start: ``(N,)``, where paths begin.

    Returns:
        ``(N,)`` float32, >= 0; 0 at the start, and where no path leads.
    Source: Tu et al., CVPR 2016 (on the tree), after Strand et al., CVIU 2013, definition 5.
    """
    count = len(values)
    begins = np.flatnonzero(start)
    if not len(begins):
        return np.zeros(count, np.float32)
    length = np.sqrt(((values[pairs[:, 0]] - values[pairs[:, 1]]) ** 2).sum(1)) + _TOUCH
    # All starts hang on one root, nearer to it than to each other.
    rows, columns = np.concatenate([pairs[:, 0], begins]), np.concatenate([pairs[:, 1], np.full_like(begins, count)])
    lengths = np.concatenate([length, np.full(len(begins), _TOUCH / 2)])
    tree = minimum_spanning_tree(csr_array((lengths, (rows, columns)), shape=(count + 1, count + 1)))
    _, before = breadth_first_order(tree, count, directed=False)
    above = before[:count].copy()
    ends = start | (above < 0)
    above[ends] = np.flatnonzero(ends)
    high, low = values.copy(), values.copy()
    # Each looks twice as far up the tree as the round before.
    while not np.array_equal(above, above[above]):
        high, low = np.maximum(high, high[above]), np.minimum(low, low[above])
        above = above[above]
    high, low = np.maximum(high, high[above]), np.minimum(low, low[above])
    return np.asarray((high - low).sum(1) * start[above], np.float32)
