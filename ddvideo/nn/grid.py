"""Grid generator: random feature grids of several resolutions, decoded by one small network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddvideo.nn.points import check_points, read_grid
from ddvideo.nn.time_code import TIME_CODES, time_code

__all__ = ["GridGenerator"]


class GridGenerator(nn.Module):
    """An untrained generator of one layer over its canvas, for all frames of a shot.

    A point of the canvas is described by what it reads, bilinearly, from feature grids with coarse to fine cells;
    a code of time lets the layer change slowly. One network decodes every point of every frame, so frames share all
    weights: the structure is the prior. Neighbouring cells share coarse features, hence the generator also predicts
    ground that no frame ever shows.

    Args:
        canvas_px: width and height of the canvas, in working pixels.
        channels: of the layer.
        cells_px: cell sizes, coarse to fine, in working pixels.
        features: channels of each grid.
        hidden: width of the decoder.
    Source: the coupling is Gandelsman et al., CVPR 2019 (one generator a layer); feature grids with a small decoder
    follow Mueller et al., SIGGRAPH 2022, without hashing.
    """

    def __init__(
        self,
        canvas_px: tuple[int, int],
        channels: int,
        *,
        cells_px: Sequence[float] = (96, 48, 24, 12, 6),
        features: int = 4,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        width, height = canvas_px
        self.grids = nn.ParameterList(
            nn.Parameter(0.1 * torch.randn(1, features, math.ceil(height / cell) + 1, math.ceil(width / cell) + 1))
            for cell in cells_px
        )
        self.decoder = nn.Sequential(
            nn.Linear(features * len(cells_px) + TIME_CODES, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, channels),
        )

    def forward(self, time: Tensor, xy: Tensor) -> Tensor:
        """Render points of the canvas.

        Args:
            time: ``(B,)`` in [0, 1] over the shot.
            xy: ``(B, h, w, 2)`` canvas coordinates in [-1, 1], x then y.

        Returns:
            ``(B, channels, h, w)``, unbounded.

        Raises:
            ShapeError: time and xy do not fit.
        """
        check_points(time, xy)
        batch, height, width, _ = xy.shape
        read = [read_grid(grid, xy) for grid in self.grids]
        code = time_code(time)[:, None].expand(-1, height * width, -1).reshape(-1, TIME_CODES)
        out = self.decoder(torch.cat([torch.cat(read).T, code], 1))
        drawn: Tensor = out.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
        return drawn
