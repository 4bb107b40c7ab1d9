"""Boundary accuracy, the measure F of the DAVIS benchmark."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray
from ddvideo.errors import ShapeError

__all__ = ["boundary_f", "boundary_map"]


def boundary_f(predicted: BoolArray, truth: BoolArray, tolerance: float = 0.008) -> float:
    """Harmonic mean of the boundaries' precision and recall, each matched within a tolerance.

    Args:
        predicted: ``(H, W)`` bool.
        truth: likewise, of the same shape.
        tolerance: share of the image's diagonal, rounded up to whole pixels; from 1 up, pixels.

    Returns:
        A number in [0, 1]. Masks without a boundary (empty or full): 1 where both have none, 0 where one has none.

    Raises:
        ShapeError: the masks differ in shape, or are not ``(H, W)``.
    Source: Perazzi et al., CVPR 2016, section 4.1 (contour accuracy F), as in the benchmark's own code: bipartite
        matching is approximated by a dilation with a disk.
    """
    if predicted.shape != truth.shape or predicted.ndim != 2:
        raise ShapeError(f"two masks (H, W) of one shape are needed, not {predicted.shape} and {truth.shape}")
    radius_px = math.ceil(tolerance if tolerance >= 1 else tolerance * math.hypot(*predicted.shape))
    found, wanted = boundary_map(predicted), boundary_map(truth)
    count_found, count_wanted = int(np.count_nonzero(found)), int(np.count_nonzero(wanted))
    if not count_found or not count_wanted:
        return float(count_found == count_wanted)
    precision = int(np.count_nonzero(found & _grown(wanted, radius_px))) / count_found
    recall = int(np.count_nonzero(wanted & _grown(found, radius_px))) / count_wanted
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_map(mask: BoolArray) -> BoolArray:
    """Boundary of one pixel's width, half a pixel towards the origin of the real one.

    A pixel is on it where its right, lower or lower right neighbour differs; the last row looks only to the right, the
    last column only down.

    Args:
        mask: ``(H, W)`` bool.

    Returns:
        ``(H, W)`` bool.
    Source: ``seg2bmap`` of the Berkeley segmentation benchmark (Martin, 2003), as DAVIS uses it.
    """
    edge = np.zeros_like(mask, dtype=np.bool_)
    edge[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edge[:-1] |= mask[:-1] ^ mask[1:]
    edge[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edge


def _grown(edge: BoolArray, radius_px: int) -> BoolArray:
    return np.asarray(cv2.dilate(edge.view(np.uint8), _disk(radius_px)), np.bool_)


@cache
def _disk(radius_px: int) -> ByteArray:
    """All pixels whose centre lies within the radius; OpenCV's own ellipse is another set."""
    offset = np.arange(-radius_px, radius_px + 1)
    return np.asarray(offset[:, None] ** 2 + offset**2 <= radius_px**2, np.uint8)
