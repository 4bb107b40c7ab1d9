"""An alpha decides: away from one half, towards 0 or 1."""

from __future__ import annotations

from torch import Tensor

from ddvideo.losses.checks import check_layer

__all__ = ["binary_loss"]


def binary_loss(alpha: Tensor, *, eps: float = 0.05) -> Tensor:
    """Reward the mean distance of an alpha from one half: ``1 / (mean|m - 0.5| + eps) - 1 / (0.5 + eps)``.

    Args:
        alpha: ``(B, C, h, w)`` in [0, 1]; h or w may be 1.
        eps: > 0; bounds the value by ``1 / eps`` and the gradient by ``1 / eps^2``; without it an alpha of 0.5 has
            neither.

    Returns:
        Scalar >= 0, unitless; 0 for an alpha of only 0 and 1.

    Raises:
        ShapeError: alpha is not ``(B, C, h, w)``.
    Source: Gandelsman et al., CVPR 2019 (segmentation, regularisation ``1 / sum|m - 0.5|``). Deviations: the mean
    instead of the sum, so that the size of the frame does not matter; ``eps``; less the least value, so that a binary
    alpha gives 0.
    """
    check_layer("alpha", alpha)
    distance = (alpha - 0.5).abs().mean()
    # Both quotients on one denominator: exactly 0 for a binary alpha, where their difference would round below it.
    return (0.5 - distance) / ((distance + eps) * (0.5 + eps))
