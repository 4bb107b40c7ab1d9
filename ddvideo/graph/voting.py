"""Diffusion of scores over the likeness graph: consensus voting."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from ddvideo.arrays import FloatArray

__all__ = ["reliability", "vote"]


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


def reliability(before: FloatArray, after: FloatArray, weights: FloatArray) -> float:
    """How far superpixels that look alike have like scores: ``1 - var(v0 - v15) / var(v0)``, weighted.

    Near one, superpixels that look alike scored alike; under 0.4 the motion is noise (running water).
    """

    def variance(values: FloatArray) -> float:
        return float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights))

    return 1 - variance(before - after) / max(variance(before), 1e-12)
