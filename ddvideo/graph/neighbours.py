"""A graph over the superpixels of many frames that joins those which look alike, near or far in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_array

from ddvideo.arrays import FloatArray

__all__ = ["OFFSETS", "likeness_graph"]

OFFSETS = (0, 1, -1, 2, -2, 3, -3, 5, -5, 8, -8, 12, -12, 16, -16)
"""Frames, relative to a superpixel's own, among which its neighbours are sought."""


_ROWS = 256
"""Superpixels that are compared to their pool at once, which bounds the memory."""


def likeness_graph(
    features: Sequence[FloatArray],
    *,
    neighbours: int = 14,
    offsets: Sequence[int] = OFFSETS,
    anchors: FloatArray | None = None,
) -> csr_array:
    """Join every superpixel to those nearest in feature space.

    Args:
        features: per frame ``(n_t, D)``.
        neighbours: links of each superpixel.
        offsets: frame offsets that are searched; those outside the sequence are left out.
        anchors: ``(A, D)``, superpixels of elsewhere among which every frame's are also sought; they come last, and
            only themselves are their neighbours.

    Returns:
        Sparse ``(N + A, N + A)`` matrix over all superpixels, frame after frame; rows sum to one, with weights
        ``exp(-d^2 / median(d^2))`` before normalisation.
    Source: Faktor and Irani, BMVC 2014 (non-local consensus voting); offsets and weights are this project's.
    """
    starts = np.concatenate([[0], np.cumsum([len(f) for f in features])]).astype(np.int64)
    count = int(starts[-1])
    fixed = torch.from_numpy(anchors) if anchors is not None and len(anchors) else None
    tensors = [torch.from_numpy(f) for f in features]
    columns, distances = [], []
    largest = max(len(f) for f in features)
    # One buffer for all distances: made anew for each block, they would leave the heap in pieces.
    scratch = torch.empty(min(_ROWS, largest) * (largest * len(offsets) + (0 if fixed is None else len(fixed))))
    # A superpixel that is alone in its frame, and has no other frame to look at, is joined to itself.
    links = max(min(neighbours, min(len(f) for f in features) - 1), 1)
    for t, queries in enumerate(tensors):
        near = [t + o for o in offsets if 0 <= t + o < len(tensors)]
        pool = torch.cat([tensors[u] for u in near] + ([] if fixed is None else [fixed]))
        ids = torch.cat(
            [torch.arange(starts[u], starts[u + 1]) for u in near]
            + ([] if fixed is None else [torch.arange(count, count + len(fixed))])
        )
        norms = (pool**2).sum(1)[None]
        for first in range(0, len(queries), _ROWS):
            some = queries[first : first + _ROWS]
            square = scratch[: len(some) * len(pool)].view(len(some), len(pool))
            torch.addmm(norms, some, pool.T, alpha=-2, out=square)
            if len(pool) > 1:
                rows = torch.arange(len(some))
                square[rows, rows + first] = torch.inf  # itself: offset 0 comes first
            value, index = square.topk(links, 1, largest=False, sorted=True)
            distances.append((value + (some**2).sum(1, keepdim=True)).clamp_min(0).numpy())
            columns.append(ids[index].numpy())
    squared = np.concatenate(distances)
    # Counted from each row's nearest, which leaves the normalised weights as they are: an outlier's do not underflow.
    spread = max(float(np.median(squared)), 1e-12)
    weights = np.exp(-(squared - squared.min(1, keepdims=True)) / spread)
    weights /= weights.sum(1, keepdims=True)
    extra = 0 if fixed is None else len(fixed)
    data = np.concatenate([weights.ravel(), np.ones(extra)]).astype(np.float32)
    indices = np.concatenate([np.concatenate(columns).ravel(), np.arange(count, count + extra)])
    pointers = np.concatenate([np.arange(count + 1) * links, count * links + np.arange(1, extra + 1)])
    return csr_array((data, indices, pointers), shape=(count + extra, count + extra))
