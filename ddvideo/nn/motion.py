"""A layer's motion: where on its canvas each frame's points lie, given or learned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddvideo.errors import ShapeError

__all__ = ["LayerMotion"]


class LayerMotion(nn.Module):
    """One homography a frame from the frame to the layer's canvas, after a learned similarity where one is wanted.

    The similarity (shift, turn, zoom) starts as the identity. Points are in [-1, 1] over the frame, results in [-1, 1]
    over the canvas.

    Args:
        matrices: ``(T, 3, 3)``, frame to the canvas plane, in units of half a frame.
        bounds: ``(4,)`` box of the canvas on that plane: x0, y0, x1, y1.
        learned: whether the similarity is trained.
        aspect: width of a frame in heights, so that a turn is one.

    Raises:
        ShapeError: the arrays are not of these shapes.
    """

    matrices: Tensor
    bounds: Tensor

    def __init__(self, matrices: Tensor, bounds: Tensor, *, learned: bool = False, aspect: float = 1.0) -> None:
        super().__init__()
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 3) or bounds.shape != (4,):
            raise ShapeError(f"expected (T, 3, 3) and (4,), not {tuple(matrices.shape)} and {tuple(bounds.shape)}")
        self.register_buffer("matrices", matrices, persistent=False)
        self.register_buffer("bounds", bounds, persistent=False)
        self.learned, self.aspect = learned, aspect
        if learned:
            self.change = nn.Parameter(torch.zeros(len(matrices), 4, device=matrices.device))

    def forward(self, position: Tensor, xy: Tensor) -> Tensor:
        """Map points of frames to the canvas.

        Args:
            position: ``(B,)`` rows of ``matrices``.
            xy: ``(B, h, w, 2)`` in [-1, 1] over the frame.

        Returns:
            ``(B, h, w, 2)``; outside [-1, 1] where a point lies off the canvas.
        """
        if self.learned:
            xy = self._changed(position, xy)
        points = torch.cat([xy, torch.ones_like(xy[..., :1])], -1).reshape(len(position), -1, 3)
        mapped = points @ self.matrices[position].transpose(1, 2)
        plane = (mapped[..., :2] / mapped[..., 2:].clamp_min(1e-3)).reshape(xy.shape)
        low, high = self.bounds[:2], self.bounds[2:]
        return (plane - low) / (high - low) * 2 - 1

    def _changed(self, position: Tensor, xy: Tensor) -> Tensor:
        """Points after the similarity, whose shift is in units of half a frame's width both ways."""
        right, down, turn, zoom = self.change[position].T[..., None, None]
        x, y = xy[..., 0], xy[..., 1] / self.aspect
        moved = [x + zoom * x - turn * y + right, (y + zoom * y + turn * x + down) * self.aspect]
        return torch.stack(moved, -1)
