"""Hourglass generator: the convolutional prior of Deep Image Prior and Double-DIP, with skips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddvideo.errors import UsageError
from ddvideo.nn.points import check_points
from ddvideo.nn.time_code import TIME_CODES, time_code

__all__ = ["HourglassGenerator"]


def _convolve(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation within each frame, and activation."""
    # Batch norm would let the frames of a batch change each other. A group keeps at least four channels: with one, a
    # level that has shrunk to one pixel would be normalised to nothing.
    groups = max(1, math.gcd(4, outputs // 4))
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2),
        nn.GroupNorm(groups, outputs),
        nn.LeakyReLU(0.2),
    )


def _read(canvas: Tensor, xy: Tensor) -> Tensor:
    return functional.grid_sample(canvas, xy, mode="bilinear", padding_mode="border", align_corners=True)


class HourglassGenerator(nn.Module):
    """An untrained encoder and decoder that draws one layer's whole canvas from a fixed random code.

    The code never changes and the weights are shared by all times, so that a time code is all that lets the layer
    change: the structure is the prior. The canvas is drawn once for each distinct time, and read bilinearly at points.

    Args:
        canvas_px: width and height of the canvas, in working pixels; any size, odd ones too.
        channels: of the layer.
        code_channels: of the random code.
        widths: channels of the levels, outermost first; each level halves the canvas.
        skip: channels that each level hands across to the decoder; 0 for none.

    Raises:
        UsageError: there are no levels.
    Source: Ulyanov et al., CVPR 2018 (network and code); Gandelsman et al., CVPR 2019 (one a layer). Deviations: group
    instead of batch norm; zero instead of reflection padding; the time code in planes beside the random code, which
    reaches to 1 instead of 0.1, or the planes would drown it.
    """

    code: Tensor

    def __init__(
        self,
        canvas_px: tuple[int, int],
        channels: int,
        *,
        code_channels: int = 8,
        widths: Sequence[int] = (16, 32, 64),
        skip: int = 4,
    ) -> None:
        super().__init__()
        if not widths:
            raise UsageError("an hourglass needs at least one level")
        width, height = canvas_px
        self.register_buffer("code", torch.rand(1, code_channels, height, width))
        inputs = [code_channels + TIME_CODES, *widths]
        self.down = nn.ModuleList(
            nn.Sequential(_convolve(above, below, 3, stride=2), _convolve(below, below, 3))
            for above, below in pairwise(inputs)
        )
        self.skips = nn.ModuleList(_convolve(above, skip, 1) for above in inputs[:-1] if skip)
        from_below = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(
            nn.Sequential(_convolve(below + skip, here, 3), _convolve(here, here, 1))
            for here, below in zip(widths, from_below, strict=True)
        )
        self.out = nn.Conv2d(widths[0], channels, 1)

    def forward(self, time: Tensor, xy: Tensor) -> Tensor:
        """Draw the canvas and read points of it.

        Args:
            time: ``(B,)`` in [0, 1] over the shot.
            xy: ``(B, h, w, 2)`` canvas coordinates in [-1, 1], x then y.

        Returns:
            ``(B, channels, h, w)``, unbounded.

        Raises:
            ShapeError: time and xy do not fit.
        """
        check_points(time, xy)
        times, index = torch.unique(time, return_inverse=True)
        canvas = self.draw(times)
        if len(times) == 1:
            # One canvas for all frames need not be copied for each: their points are read as those of one tall frame.
            batch, height, width, _ = xy.shape
            tall = _read(canvas, xy.reshape(1, batch * height, width, 2))
            return tall.reshape(-1, batch, height, width).transpose(0, 1)
        return _read(canvas[index], xy)

    def draw(self, time: Tensor) -> Tensor:
        """The whole canvas at some times: ``(B,)`` to ``(B, channels, height, width)``, unbounded."""
        batch = len(time)
        planes = time_code(time).to(self.code.dtype)[:, :, None, None].expand(-1, -1, *self.code.shape[2:])
        features = torch.cat([self.code.expand(batch, -1, -1, -1), planes], 1)
        levels = []
        for down in self.down:
            levels.append(features)
            features = down(features)
        for number in reversed(range(len(self.up))):
            level = levels[number]
            # To the level's own size: twice the size below is one too many where that is odd.
            features = functional.interpolate(features, level.shape[2:], mode="bilinear", align_corners=False)
            if self.skips:
                features = torch.cat([features, self.skips[number](level)], 1)
            features = self.up[number](features)
        out: Tensor = self.out(features)
        return out
