"""What a superpixel looks like, as a vector whose distances mean likeness."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.graph.superpixels import LabelArray, mean_per_label

__all__ = ["FEATURES", "POSITION_WEIGHT", "appearance"]

_BINS = (8, 7, 7)  # of the L, a and b histograms
_RANGES = ((0.0, 100.0), (-40.0, 40.0), (-40.0, 40.0))
_ORIENTATIONS = 9
FEATURES = sum(_BINS) + _ORIENTATIONS + 3 + 3 + 2
"""Length of the vector: histograms, orientations, context colour, mean colour, position."""

POSITION_WEIGHT = 0.8
"""The position comes last, in parts of the frame times this."""


def appearance(lab: FloatArray, labels: LabelArray, count: int) -> FloatArray:
    """Features of every superpixel of a frame, weighted so that Euclidean distance compares them.

    Root L*a*b* histograms with soft bins, a root histogram of gradient orientations, the colour of a wider
    surrounding, the mean colour, and the position.

    Args:
        lab: ``(H, W, 3)`` L*a*b*.
        labels: ``(H, W)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count, FEATURES)`` float32.
    """
    height, width = labels.shape
    flat = labels.ravel()
    size = np.maximum(np.bincount(flat, minlength=count), 1).astype(np.float32)
    parts = []
    for channel in range(3):
        parts.append(_soft_histogram(lab[..., channel].ravel(), flat, size, _BINS[channel], _RANGES[channel]) * 0.7)
    parts.append(_orientations(lab[..., 0], flat, size) * 0.7)
    context = cv2.blur(lab, (max(width // 9, 1), max(width // 9, 1)), borderType=cv2.BORDER_REFLECT)
    parts.append(mean_per_label(np.asarray(context, np.float32), labels, count) / np.float32(60))
    parts.append(mean_per_label(lab, labels, count) / np.float32(40))
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    parts.append(mean_per_label(np.stack([x, y], -1), labels, count) * np.float32(POSITION_WEIGHT))
    return np.concatenate(parts, 1).astype(np.float32)


def _soft_histogram(
    values: FloatArray, flat: LabelArray, size: FloatArray, bins: int, limits: tuple[float, float]
) -> FloatArray:
    """Root histogram in which a value is shared between its two nearest bins, ``(count, bins)``."""
    low, high = limits
    position = np.clip((values - low) / (high - low), 0, 1) * (bins - 1)
    lower = np.minimum(position.astype(np.int32), bins - 2)
    share = position - lower
    base = flat * bins + lower
    length = len(size) * bins
    mass = np.bincount(base, 1 - share, minlength=length) + np.bincount(base + 1, share, minlength=length)
    return np.asarray(np.sqrt(mass.reshape(-1, bins) / size[:, None]), np.float32)


def _orientations(luma: FloatArray, flat: LabelArray, size: FloatArray) -> FloatArray:
    """Root histogram of unsigned gradient orientations weighted by magnitude, ``(count, _ORIENTATIONS)``."""
    gx, gy = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    magnitude, angle = cv2.cartToPolar(gx, gy)
    bins = np.minimum((np.mod(angle, np.pi) * (_ORIENTATIONS / np.pi)).astype(np.int32), _ORIENTATIONS - 1)
    mass = (
        np.bincount(
            flat * _ORIENTATIONS + bins.ravel(), magnitude.ravel() / 100, minlength=len(size) * _ORIENTATIONS
        ).reshape(-1, _ORIENTATIONS)
        / size[:, None]
    )
    return np.asarray(np.sqrt(mass), np.float32)
