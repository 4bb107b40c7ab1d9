"""The check of what generators are asked for: times, and points of the canvas."""

from __future__ import annotations

from torch import Tensor

from ddvideo.errors import ShapeError

__all__ = ["check_points"]


def check_points(time: Tensor, xy: Tensor) -> None:
    """Raise ShapeError unless time is ``(B,)`` and xy is ``(B, h, w, 2)``."""
    if xy.ndim != 4 or xy.shape[3] != 2 or time.shape != xy.shape[:1]:
        raise ShapeError(f"time is {tuple(time.shape)} and xy {tuple(xy.shape)}, not (B,) and (B, h, w, 2)")
