"""Superpixels of a frame and averages over them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import slic

from ddvideo.arrays import AnyArray, FloatArray

__all__ = ["LabelArray", "adjacent_labels", "border_labels", "mean_per_label", "superpixels", "to_lab"]

LabelArray = NDArray[np.int32]

_COMPACTNESS = 20.0
"""Higher than the usual 10: wiggly superpixels are broken by the connectivity step and swallowed by the wrong side."""


def to_lab(frame: AnyArray) -> FloatArray:
    """CIE L*a*b* of a frame ``(H, W, 3)``, RGB uint8 or float in [0, 1]: L in [0, 100], a and b about [-100, 100]."""
    unit = frame.astype(np.float32) / 255 if frame.dtype == np.uint8 else frame
    return np.asarray(cv2.cvtColor(unit, cv2.COLOR_RGB2LAB), np.float32)


def superpixels(lab: FloatArray, count: int) -> LabelArray:
    """Cut a frame into about ``count`` compact regions of even colour.

    Args:
        lab: ``(H, W, 3)`` L*a*b*.
        count: regions wanted; the result has about as many.

    Returns:
        ``(H, W)`` int32 labels, 0 to n - 1 without gaps.
    Source: Achanta et al., PAMI 2012 (SLIC), as scikit-image has it.
    """
    # The library stretches what it is given to [0, 1]: the weight of distances shrinks with it.
    spread = max(float(lab.max() - lab.min()), 1e-6)
    labels = slic(
        lab,
        n_segments=count,
        compactness=_COMPACTNESS / spread,
        max_num_iter=5,
        start_label=0,
        enforce_connectivity=True,
        convert2lab=False,
    )
    return np.asarray(labels, np.int32)


def mean_per_label(values: FloatArray, labels: LabelArray, count: int) -> FloatArray:
    """Mean of pixels over each superpixel.

    Args:
        values: ``(H, W)`` or ``(H, W, C)``.
        labels: ``(H, W)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count,)`` or ``(count, C)`` float32.
    """
    flat = labels.ravel()
    size = np.maximum(np.bincount(flat, minlength=count), 1)
    if values.ndim == 2:
        return np.asarray(np.bincount(flat, values.ravel(), minlength=count) / size, np.float32)
    sums = [np.bincount(flat, values[..., c].ravel(), minlength=count) / size for c in range(values.shape[2])]
    return np.asarray(np.stack(sums, -1), np.float32)


def border_labels(labels: LabelArray, count: int) -> NDArray[np.bool_]:
    """Which superpixels touch the frame's edge, ``(count,)``."""
    touching = np.zeros(count, np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[edge] = True
    return touching


def adjacent_labels(labels: AnyArray) -> AnyArray:
    """Which superpixels touch, each pair once and in order, ``(E, 2)`` int64."""
    wide = labels.astype(np.int64)
    count = int(wide.max()) + 1
    one = np.concatenate([wide[:, :-1].ravel(), wide[:-1].ravel()])
    other = np.concatenate([wide[:, 1:].ravel(), wide[1:].ravel()])
    apart = one != other
    keys = np.unique(np.minimum(one, other)[apart] * count + np.maximum(one, other)[apart])
    return np.stack([keys // count, keys % count], 1)
