"""Frames at the size at which they are worked on."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray

__all__ = ["working_frame", "working_size"]


def working_size(width: int, height: int, longer_px: int) -> tuple[int, int]:
    """Width and height with the longer side at most ``longer_px``, never enlarged, at least 16 each."""
    scale = min(1.0, longer_px / max(width, height))
    return max(round(width * scale), 16), max(round(height * scale), 16)


def working_frame(rgb: AnyArray, longer_px: int) -> ByteArray:
    """A frame as the fit sees it: 8 bits, small, averaged over the pixels it covers."""
    height, width = rgb.shape[:2]
    size = working_size(width, height, longer_px)
    if size != (width, height):
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    if rgb.dtype != np.uint8:
        rgb = ((rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.ascontiguousarray(rgb)
