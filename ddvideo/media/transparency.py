"""Inputs that carry transparency: what is said of them, and what is seen of them."""

from __future__ import annotations

from typing import Final

import numpy as np

from ddvideo.arrays import AnyArray

__all__ = ["TRANSPARENCY", "over_black"]

TRANSPARENCY: Final = "the input has transparency: it is composited over black (segment keeps it with --keep-alpha)"
"""What is said of an input that is not opaque everywhere."""


def over_black(rgb: AnyArray, alpha: AnyArray, *, is_associated: bool = False) -> AnyArray:
    """Colours over black: multiplied by their alpha and rounded, unless they are already.

    Args:
        rgb: ``(H, W, 3)`` samples of full range, uint8 or uint16.
        alpha: ``(H, W)`` of the same type.
        is_associated: whether ``rgb`` is multiplied by ``alpha`` already.
    """
    if is_associated:
        return rgb
    top = np.iinfo(rgb.dtype).max
    product = rgb.astype(np.uint32) * alpha[..., None] + np.uint32(top // 2)
    return np.asarray(product // np.uint32(top), dtype=rgb.dtype)
