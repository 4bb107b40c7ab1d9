"""Where a mark may be on stills: at edges that all images share, or at narrow lines in a box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.tasks.dewatermark.mark import unit
from ddvideo.tasks.dewatermark.stills.level_vote import DARKER, strokes

__all__ = ["find_boxed_mark", "find_shared_mark"]

_SURE, _WEAK, _TWO = 1.5, 0.8, 2.0
"""An edge that all images share, in a usual edge there."""
_SURE_STEP, _WEAK_STEP = 0.02, 0.01
_NOISE = 0.012
_TEXTURE_PX, _NEAR_PX, _GROWN_PX, _EDGE_PX = 21, 41, 15, 5
_LEAST_PX, _LEAST_PX_OF_TWO, _LEAST_EDGES, _LEAST_EDGES_OF_TWO = 8, 20, 40, 200
_DENSER, _LEAST_DENSITY = 2.2, 1e-3


def find_shared_mark(images: Sequence[ByteArray]) -> list[tuple[BoolArray, BoolArray]]:
    """Where different images have the same edges.

    A mark's edge has the same direction in all of them, and the least of their steps is large against what is usual
    around; of a scene's edges, those of other images hardly ever have that.

    Args:
        images: two or more, ``(h, w, 3)`` uint8.

    Returns:
        for each mark, from the largest to the smallest, the edges found and how far it may reach: ``(h, w)``.
    """
    gradients = _gradients(np.stack([unit(image) for image in images]))
    count = len(images)
    order = np.sort(gradients, 0)
    skipped = count // 4
    low, high = order[skipped], order[count - 1 - skipped]
    shared = np.where(low > 0, low, np.where(high < 0, high, 0))
    step = np.sqrt((shared**2).sum((2, 3)))
    sizes = np.minimum(np.sqrt((gradients**2).sum((3, 4))), 0.1)
    usual = np.min([cv2.blur(size, (_TEXTURE_PX, _TEXTURE_PX)) for size in sizes], 0)
    ratio = step / (usual + _NOISE)
    # Two images share some edges by chance; three hardly any.
    ratio = ratio / (_TWO if count == 2 else 1)
    edges = (ratio > _WEAK) & (step > _WEAK_STEP)
    total, labels = cv2.connectedComponents(edges.astype(np.uint8))
    mass = np.bincount(labels[(ratio > _SURE) & (step > _SURE_STEP)], minlength=total)
    mass[0] = 0
    sure = (mass >= (_LEAST_PX_OF_TWO if count == 2 else _LEAST_PX))[labels]
    total, groups = cv2.connectedComponents(cv2.dilate(sure.astype(np.uint8), np.ones((_NEAR_PX,) * 2, np.uint8)))
    found = []
    for group in range(1, total):
        own = sure & (groups == group)
        if np.count_nonzero(own) < (_LEAST_EDGES_OF_TWO if count == 2 else _LEAST_EDGES):
            continue
        hull = np.zeros(own.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(np.argwhere(own)[:, ::-1].astype(np.int32)), 1)
        hull = cv2.dilate(hull, np.ones((_GROWN_PX, _GROWN_PX), np.uint8))
        piece = cv2.dilate(own.astype(np.uint8), np.ones((_EDGE_PX, _EDGE_PX), np.uint8))
        found.append((piece > 0, hull > 0))
    return sorted(found, key=lambda mark: -int(mark[1].sum()))


def find_boxed_mark(image: ByteArray, box: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Narrow lines in a crude box, if there are more of them than around it, and how far the mark may reach.

    A mark without such lines is found by :func:`fit_stills`.

    Args:
        image: ``(h, w, 3)`` uint8.
        box: ``(h, w)``: around the mark.
    """
    hull = cv2.erode(box.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    whole = unit(image)
    inside = [strokes(whole, value, hull) for value in (1.0, 0.0)]
    outside = [strokes(whole, value, ~box) for value in (1.0, 0.0)]
    best = int(inside[1][1] > DARKER * inside[0][1])
    found, density = inside[best][0] < 0, inside[best][1] / max(int(np.count_nonzero(hull)), 1)
    usual = outside[best][1] / max(int(np.count_nonzero(~box)), 1)
    if density < _DENSER * usual + _LEAST_DENSITY:
        found = np.zeros_like(hull)
    return found, hull


def _gradients(images: FloatArray) -> FloatArray:
    """Central differences across and down, ``(N, h, w, 3, 2)``; 0 along the border."""
    out = np.zeros((*images.shape, 2), np.float32)
    out[:, :, 1:-1, :, 0] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    out[:, 1:-1, :, :, 1] = (images[:, 2:] - images[:, :-2]) / 2
    return out
