"""A layer's colours carried on beyond where it shows, so that a soft edge has a colour to be soft with."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import FloatArray

__all__ = ["extend_colours"]

_SOLID = 0.9
_SHRINK = 4


def extend_colours(frame: FloatArray, alpha: FloatArray, *, reach: float = 0.02) -> FloatArray:
    """The frame where the layer is solid; around that the nearest solid colours, fading to black further out.

    Args:
        frame: ``(H, W, 3)`` in [0, 1].
        alpha: ``(H, W)`` in [0, 1].
        reach: of the colours, in parts of the longer side.

    Returns:
        ``(H, W, 3)`` float32.
    Source: normalised convolution, Knutsson and Westin, CVPR 1993.
    """
    height, width = alpha.shape
    solid = (alpha >= _SOLID).astype(np.float32)
    if not solid.any():
        solid = alpha  # nothing is solid: all that shows lends its colour, by how much it shows
    small = (max(width // _SHRINK, 1), max(height // _SHRINK, 1))
    weight = cv2.resize(solid, small, interpolation=cv2.INTER_AREA)
    colour = cv2.resize(frame * solid[..., None], small, interpolation=cv2.INTER_AREA)
    total = np.zeros_like(colour)
    mass = np.full(weight.shape, 1e-6, np.float32)
    spread = max(reach * max(width, height) / _SHRINK, 1.0)
    for sigma, share in ((spread / 3, 1.0), (spread, 1e-2)):  # the near decides; the far only where nothing is near
        mass = mass + np.float32(share) * np.asarray(cv2.GaussianBlur(weight, (0, 0), sigma), np.float32)
        total = total + np.float32(share) * np.asarray(cv2.GaussianBlur(colour, (0, 0), sigma), np.float32)
    shown = np.clip(cv2.GaussianBlur(weight, (0, 0), spread) * 20, 0, 1)
    carried = cv2.resize(total / mass[..., None] * shown[..., None], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(alpha[..., None] >= _SOLID, frame, np.clip(carried, 0, 1)).astype(np.float32)
