"""A box that a user has drawn: checked, and as pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddvideo.arrays import BoolArray
from ddvideo.errors import UsageError

__all__ = ["box_pixels", "check_box"]


def check_box(box: Sequence[float], full_size: tuple[int, int]) -> None:
    """Refuse what is no box in a picture.

    Args:
        box: left, top, width and height in pixels.
        full_size: height and width of the picture.

    Raises:
        UsageError: it is not four numbers, or lies outside the picture.
    """
    if (
        len(box) != 4
        or not all(isinstance(part, int | float) and np.isfinite(part) for part in box)
        or min(box[2:]) <= 0
    ):
        raise UsageError(f"option box is left, top, width and height in pixels, and not {box}")
    height, width = full_size
    x, y, across, down = box
    if x >= width or y >= height or x + across <= 0 or y + down <= 0:
        raise UsageError(f"the box {box} lies outside the picture of {width}x{height} pixels")


def box_pixels(box: Sequence[float], size: tuple[int, int], full_size: tuple[int, int]) -> BoolArray:
    """Which pixels of a smaller copy of the picture lie in the box, at least one: ``(h, w)``.

    Args:
        box: see :func:`check_box`.
        size: height and width of the copy.
        full_size: height and width of the picture.

    Raises:
        UsageError: see :func:`check_box`.
    """
    check_box(box, full_size)
    height, width = full_size
    x, y, across, down = box
    scale = size[1] / width, size[0] / height
    inside = np.zeros(size, bool)
    left, right = round(max(x, 0) * scale[0]), round(min(x + across, width) * scale[0])
    top, bottom = round(max(y, 0) * scale[1]), round(min(y + down, height) * scale[1])
    left, top = min(left, size[1] - 1), min(top, size[0] - 1)
    inside[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    return inside
