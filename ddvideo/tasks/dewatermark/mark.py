"""A mark (its alpha and colour), and the small steps that marks in videos and on stills share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray

__all__ = ["Mark", "inpainted", "tidied", "unit"]

_INPAINT_PX = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Mark:
    """What is laid over the frames of a shot, in a part of the picture."""

    alpha: FloatArray
    """``(h, w)`` in [0, 1]."""
    colour: FloatArray
    """``(h, w, 3)`` in [0, 1]."""


def unit(frame: ByteArray) -> FloatArray:
    """Bytes as float32 in [0, 1]."""
    return frame.astype(np.float32) / np.float32(255)


def inpainted(image: FloatArray, region: BoolArray) -> FloatArray:
    """``(h, w, 3)`` in [0, 1], filled in a region ``(h, w)`` from around it.

    Source: Telea, J. Graphics Tools 2004, as OpenCV has it.
    """
    filled = cv2.inpaint(
        (image * 255).round().astype(np.uint8), region.astype(np.uint8), _INPAINT_PX, cv2.INPAINT_TELEA
    )
    return np.where(region[..., None], unit(np.asarray(filled, np.uint8)), image)


def tidied(alpha: FloatArray, piece: BoolArray, *, strong: float, least: float, grown_px: int) -> FloatArray:
    """Alpha without what is too faint to tell from noise, or does not belong to the mark that was found.

    Args:
        alpha: ``(h, w)`` in [0, 1].
        piece: ``(h, w)``: what is sure to be of the mark.
        strong: connected parts above this are kept where they meet the piece.
        least: and around them, by ``grown_px``, what is above this.
        grown_px: side of the square by which they are grown.
    """
    parts = cv2.morphologyEx((alpha > strong).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(parts)
    hits = np.bincount(labels[piece], minlength=count)
    hits[0] = 0
    kept = cv2.dilate((hits > 0)[labels].astype(np.uint8), np.ones((grown_px, grown_px), np.uint8)) > 0
    return np.asarray(np.where(kept & (alpha > least), alpha, 0), np.float32)
