"""A layer's motion: where on its canvas each frame's points lie, given or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ddvideo.errors import ShapeError

__all__ = ["LayerMotion"]


class LayerMotion(nn.Module):
    """One homography a frame from the frame to the layer's canvas, and, where it is learned, a correction to it.

    The correction is smooth by structure: a similarity-like change of all eight free entries and a coarse raster of
    shifts, both starting at zero. Points are in [-1, 1] over the frame, results in [-1, 1] over the canvas.

    Args:
        matrices: ``(T, 3, 3)``, frame to the canvas plane, in units of half a frame.
        bounds: ``(4,)`` box of the canvas on that plane: x0, y0, x1, y1.
        learned: whether the correction is trained.
        raster: rows and columns of the shifts.

    Raises:
        ShapeError: the arrays are not of these shapes.
    """

    matrices: Tensor
    bounds: Tensor

    def __init__(
        self, matrices: Tensor, bounds: Tensor, *, learned: bool = False, raster: tuple[int, int] = (4, 6)
    ) -> None:
        super().__init__()
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 3) or bounds.shape != (4,):
            raise ShapeError(f"expected (T, 3, 3) and (4,), not {tuple(matrices.shape)} and {tuple(bounds.shape)}")
        self.register_buffer("matrices", matrices, persistent=False)
        self.register_buffer("bounds", bounds, persistent=False)
        self.learned = learned
        if learned:
            self.change = nn.Parameter(torch.zeros(len(matrices), 8, device=matrices.device))
            self.shifts = nn.Parameter(torch.zeros(len(matrices), 2, *raster, device=matrices.device))

    def forward(self, position: Tensor, xy: Tensor) -> Tensor:
        """Map points of frames to the canvas.

        Args:
            position: ``(B,)`` rows of ``matrices``.
            xy: ``(B, h, w, 2)`` in [-1, 1] over the frame.

        Returns:
            ``(B, h, w, 2)``; outside [-1, 1] where a point lies off the canvas.
        """
        matrices = self.matrices[position]
        if self.learned:
            zero = self.change.new_zeros(len(position), 1)
            matrices = matrices + torch.cat([self.change[position], zero], 1).reshape(-1, 3, 3)
        points = torch.cat([xy, torch.ones_like(xy[..., :1])], -1).reshape(len(position), -1, 3)
        mapped = points @ matrices.transpose(1, 2)
        plane = (mapped[..., :2] / mapped[..., 2:].clamp_min(1e-3)).reshape(xy.shape)
        if self.learned:
            shift = functional.grid_sample(
                self.shifts[position], xy, mode="bilinear", padding_mode="border", align_corners=True
            )
            plane = plane + shift.permute(0, 2, 3, 1)
        low, high = self.bounds[:2], self.bounds[2:]
        return (plane - low) / (high - low) * 2 - 1
