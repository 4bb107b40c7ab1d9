"""Drops parts of a fitted mark without an outline: a mark ends at constant edges, an error of the fit fades out."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, FloatArray

__all__ = ["outlined"]

_LEAST_ALPHA = 0.04
_NEAR_PX, _BESIDE_PX = 5, 3
_LEAST_SHARE = 0.5
"""Of a part's outline that has to be seen."""


def outlined(alpha: FloatArray, edges: BoolArray) -> FloatArray:
    """Alpha without the parts whose outline shows no edges.

    Args:
        alpha: ``(h, w)`` in [0, 1].
        edges: ``(h, w)``: where there are edges that stay; the picture's border is taken for one.

    Returns:
        ``(h, w)``: the same, 0 in parts that end where nothing is seen to end.
    """
    parts = (alpha > _LEAST_ALPHA).astype(np.uint8)
    count, labels = cv2.connectedComponents(parts, connectivity=4)
    inner = cv2.erode(parts, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outline = (parts > 0) & (inner == 0)
    near = cv2.dilate(edges.astype(np.uint8), np.ones((_NEAR_PX, _NEAR_PX), np.uint8)) > 0
    near[[0, -1]] = near[:, [0, -1]] = True
    length = np.bincount(labels[outline], minlength=count)
    seen = np.bincount(labels[outline & near], minlength=count)
    is_mark = seen > _LEAST_SHARE * np.maximum(length, 1)
    is_mark[0] = False
    kept = cv2.dilate(is_mark[labels].astype(np.uint8), np.ones((_BESIDE_PX, _BESIDE_PX), np.uint8)) > 0
    return np.asarray(np.where(kept, alpha, 0), np.float32)
