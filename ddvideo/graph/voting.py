"""Diffusion of scores over the likeness graph: consensus voting, and the walk that tells what is surrounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ddvideo.arrays import FloatArray

__all__ = ["reliability", "surroundedness", "vote"]


def vote(graph: csr_array, scores: FloatArray, *, steps: int) -> FloatArray:
    """Let every superpixel take the mean of its likes, ``steps`` times: ``v <- W v``.

    Args:
        graph: ``(N, N)`` with rows that sum to one.
        scores: ``(N,)``.
        steps: rounds.

    Returns:
        ``(N,)`` float32.
    Source: Faktor and Irani, BMVC 2014.
    """
    for _ in range(steps):
        scores = graph @ scores
    return np.asarray(scores, np.float32)


def surroundedness(
    graph: csr_array, border: NDArray[np.bool_], *, steps: int = 60, start: FloatArray | None = None
) -> FloatArray:
    """How hard it is to reach the frame's edge over the graph: all ones, with the edge held at zero.

    Args:
        graph: ``(N, N)`` with rows that sum to one.
        border: ``(N,)``, superpixels on the frame's edge.
        steps: of the walk.
        start: ``(N,)`` instead of all ones.

    Returns:
        ``(N,)`` float32 in [0, 1], scaled so that its 99th percentile is one.
    """
    scores = np.ones(len(border), np.float32) if start is None else start
    inside = (~border).astype(np.float32)
    for _ in range(steps):
        scores = (graph @ scores) * inside
    return np.asarray(np.clip(scores / max(float(np.quantile(scores, 0.99)), 1e-9), 0, 1), np.float32)


def reliability(before: FloatArray, after: FloatArray) -> float:
    """Whether a seed agrees with what looks alike: ``1 - var(v0 - v15) / var(v0)``.

    Near one, superpixels that look alike were seeded alike; under 0.4 the motion is noise (running water).
    """
    return float(1 - np.var(before - after) / max(float(np.var(before)), 1e-12))
