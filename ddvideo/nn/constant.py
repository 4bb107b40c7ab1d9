"""Constant generator: one learned value for every point and every frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddvideo.errors import ShapeError
from ddvideo.nn.points import check_points

__all__ = ["ConstantGenerator"]

_MARGIN = 1e-3
"""A start so near to 0 or 1 is drawn away from it: at the ends of a sigmoid nothing can be learned."""


class ConstantGenerator(nn.Module):
    """A layer without extent: the airlight of a haze, the colour of a mark that stands still.

    Args:
        channels: of the layer.
        start: their values after a sigmoid, in [0, 1]; None for one half.

    Raises:
        ShapeError: there are not as many values as channels.
    """

    def __init__(self, channels: int, *, start: Sequence[float] | None = None) -> None:
        super().__init__()
        values = torch.full((channels,), 0.5) if start is None else torch.tensor(start, dtype=torch.float32)
        if values.shape != (channels,):
            raise ShapeError(f"a constant of {channels} channels cannot start from {len(values)} values")
        self.value = nn.Parameter(torch.logit(values, eps=_MARGIN))

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
