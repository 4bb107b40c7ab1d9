"""A soft map made a matte: solid but for its edges."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import FloatArray

__all__ = ["solid_matte"]


def solid_matte(soft: FloatArray) -> FloatArray:
    """A soft map as a matte that is solid but for its edges, without crumbs.

    Args:
        soft: ``(H, W)``, about 1 on the foreground and 0 off it.

    Returns:
        ``(H, W)`` float32 in [0, 1]; of its connected parts, those far smaller than the largest are gone.
    """
    alpha = np.clip((soft - 0.5) * 2.5 + 0.5, 0, 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.25).astype(np.uint8), connectivity=8)
    if count > 2:
        area = stats[1:, cv2.CC_STAT_AREA]
        kept = np.concatenate([[True], area >= 0.05 * area.max()])
        alpha = np.where(kept[labels], alpha, 0)
    return np.asarray(alpha, np.float32)
