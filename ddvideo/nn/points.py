"""What generators are asked for, times and points of the canvas: checked, and read from grids."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ddvideo.errors import ShapeError

__all__ = ["check_points", "read_grid"]


def check_points(time: Tensor, xy: Tensor) -> None:
    """Raise ShapeError unless time is ``(B,)`` and xy is ``(B, h, w, 2)``."""
    if xy.ndim != 4 or xy.shape[3] != 2 or time.shape != xy.shape[:1]:
        raise ShapeError(f"time is {tuple(time.shape)} and xy {tuple(xy.shape)}, not (B,) and (B, h, w, 2)")


def read_grid(grid: Tensor, xy: Tensor) -> Tensor:
    """A grid ``(1, C, rows, columns)`` at points ``(B, h, w, 2)``: bilinear, border repeated, ``(C, B * h * w)``."""
    points = xy.reshape(1, 1, -1, 2)
    return functional.grid_sample(grid, points, mode="bilinear", padding_mode="border", align_corners=True)[0, :, 0]
