"""Connected parts of the foreground whose score is far below that of the strongest part are taken for background."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.tasks.segment.regions import Painted, Regions

__all__ = ["without_weak_components"]

_APART = 43
"""Parts nearer to each other than twice this part of the frame's longer side are one: limbs, a rider and a horse."""
_FAINT = 0.6
"""Fainter than this, in parts of the foremost part, is no foreground of its own."""
_FOREMOST = 0.8
"""A part's score is this quantile of its superpixels'."""
_LEFT = 0.2


def without_weak_components(likelihood: FloatArray, scores: FloatArray, regions: Regions) -> FloatArray:
    """Lower the likelihood of parts that lie apart from the strongest one and have less than a share of its score.

    This is hysteresis, as in edge detectors: a threshold low enough for an object's thin parts also lets through what
    only resembles the object; an object of its own has a core with a high score.

    Args:
        likelihood: ``(N,)`` of being foreground.
        scores: ``(N,)`` from which it came.
        regions: frames.

    Returns:
        ``(N,)``.
    Source: Canny, PAMI 1986, section VI (hysteresis), over regions.
    """
    found = likelihood.copy()
    for t, painted in enumerate(Painted(regions, likelihood)):
        inside = (painted > 0.5).astype(np.uint8)
        reach = max(round(max(inside.shape) / _APART), 1)
        near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        count, parts = cv2.connectedComponents(cv2.dilate(inside, near), connectivity=8)
        if count <= 2:
            continue
        part = np.zeros(regions.counts[t], np.int64)
        part[regions.labels[t].ravel()] = (parts * inside).ravel()
        score = regions.of_frame(scores, t)
        tops = [float(np.quantile(score[part == p], _FOREMOST)) if (part == p).any() else 0.0 for p in range(1, count)]
        faint = [p for p, top in enumerate(tops, start=1) if top < _FAINT * max(tops)]
        regions.of_frame(found, t)[np.isin(part, faint)] *= _LEFT
    return found
