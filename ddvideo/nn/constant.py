"""Constant generator: one learned value for every point and every frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddvideo.nn.points import check_points

__all__ = ["ConstantGenerator"]


class ConstantGenerator(nn.Module):
    """A layer without extent: the airlight of a haze, the colour of a mark that stands still.

    Args:
        channels: of the layer; they start at 0, which is one half after a sigmoid.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(channels))

    def forward(self, time: Tensor, xy: Tensor) -> Tensor:
        """The same value everywhere.

        Args:
            time: ``(B,)`` in [0, 1] over the shot.
            xy: ``(B, h, w, 2)`` canvas coordinates in [-1, 1], x then y.

        Returns:
            ``(B, channels, h, w)``, unbounded, expanded (not to be written to).

        Raises:
            ShapeError: time and xy do not fit.
        """
        check_points(time, xy)
        batch, height, width, _ = xy.shape
        return self.value[None, :, None, None].expand(batch, -1, height, width)
