"""The layers, put together, must give the frame."""

from __future__ import annotations

from torch import Tensor

from ddvideo.errors import UsageError
from ddvideo.losses.checks import check_map, check_same, weighted_mean

__all__ = ["reconstruction_loss"]


def reconstruction_loss(
    predicted: Tensor, frame: Tensor, *, knee: float | None = None, weight: Tensor | None = None
) -> Tensor:
    """Mean distance between the predicted and the given frame.

    A pixel's error is ``e``, the mean over channels of the absolute difference; with a knee it is
    ``e / (1 + e / knee)``, which never exceeds the knee, so that what the layers cannot explain stops pulling at them.

    Args:
        predicted: ``(B, C, h, w)`` from the forward model, RGB in [0, 1]; h or w may be 1.
        frame: the given one, of the same shape.
        knee: > 0, error at which a pixel has lost half of its say; None for none.
        weight: ``(B, 1, h, w)``, >= 0.

    Returns:
        Scalar >= 0, in units of the frame.

    Raises:
        ShapeError: shapes differ.
        UsageError: the knee is not positive.
    Source: Gandelsman et al., CVPR 2019, eq. 1 (reconstruction). Deviations: L1 instead of L2, the knee, the weight.
    """
    check_same("predicted", predicted, "frame", frame)
    check_map("weight", weight, frame)
    error = (predicted - frame).abs().mean(1, keepdim=True)
    if knee is not None:
        if not knee > 0:
            raise UsageError(f"knee must be positive, not {knee}")
        error = error / (1 + error / knee)
    return weighted_mean(error, weight)
