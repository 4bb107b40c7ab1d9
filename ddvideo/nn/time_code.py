"""How a generator is told the time: a few slow waves over the shot."""

from __future__ import annotations

import torch
from torch import Tensor

from ddvideo.errors import ShapeError

__all__ = ["TIME_CODES", "time_code"]

TIME_CODES = 3
"""Length of the code of one time."""


def time_code(time: Tensor) -> Tensor:
    """Describe times smoothly, each in [0, 1] differently: ``cos(pi t), sin(pi t), cos(2 pi t)``.

    Args:
        time: ``(B,)`` in [0, 1] over the shot.

    Returns:
        ``(B, TIME_CODES)`` in [-1, 1].

    Raises:
        ShapeError: time has not one axis.
    """
    if time.ndim != 1:
        raise ShapeError(f"time is {tuple(time.shape)}, not (B,)")
    angle = torch.pi * time
    return torch.stack([torch.cos(angle), torch.sin(angle), torch.cos(2 * angle)], 1)
