"""Pyramid generator: the sum of grids of values, coarse to fine, without a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddvideo.nn.points import check_points, read_grid

__all__ = ["PyramidGenerator"]


class PyramidGenerator(nn.Module):
    """An untrained generator of one layer that does not change over its canvas: all frames share every value.

    A point reads all grids bilinearly and adds them up. Gradient steps of one length in every octave are the prior:
    what many points agree in is learned by coarse cells first. It starts at 0 and is linear, so that what nothing asks
    for stays 0, and no network has to be computed: far more points a second than with a decoder.

    Args:
        canvas_px: width and height of the canvas, in working pixels.
        channels: of the layer.
        cells_px: cell sizes, coarse to fine, in working pixels.
    Source: Laplacian pyramids (Burt and Adelson, 1983) as a parametrisation; the coupling is Gandelsman et al., CVPR
    2019 (one generator a layer).
    """

    def __init__(
        self,
        canvas_px: tuple[int, int],
        channels: int,
        *,
        cells_px: Sequence[float] = (96, 48, 24, 12, 6, 3, 1.5),
    ) -> None:
        super().__init__()
        width, height = canvas_px
        self.grids = nn.ParameterList(
            nn.Parameter(torch.zeros(1, channels, math.ceil(height / cell) + 1, math.ceil(width / cell) + 1))
            for cell in cells_px
        )

    def forward(self, time: Tensor, xy: Tensor) -> Tensor:
        """Render points of the canvas.

        Args:
            time: ``(B,)``; not used, the layer stands still on its canvas.
            xy: ``(B, h, w, 2)`` canvas coordinates in [-1, 1], x then y.

        Returns:
            ``(B, channels, h, w)``, unbounded.

        Raises:
            ShapeError: time and xy do not fit.
        """
        check_points(time, xy)
        batch, height, width, _ = xy.shape
        drawn = xy.new_zeros(())
        for grid in self.grids:
            drawn = drawn + read_grid(grid, xy)
        return drawn.reshape(-1, batch, height, width).transpose(0, 1)
