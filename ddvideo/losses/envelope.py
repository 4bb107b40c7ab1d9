"""A map lies along the upper envelope of what bounds it from below."""

from __future__ import annotations

import torch
from torch import Tensor

from ddvideo.errors import UsageError
from ddvideo.losses.checks import check_map, check_same, weighted_mean

__all__ = ["envelope_loss"]


def envelope_loss(drawn: Tensor, bound: Tensor, *, quantile: float = 0.7, confidence: Tensor | None = None) -> Tensor:
    """Mean of ``max(q r, (q - 1) r)`` with the rest ``r = bound - drawn``.

    The best map, among those its generator can draw, has a part ``q`` of the bounds below it: it follows the tight ones
    and passes over the slack ones, however slack they are.

    Args:
        drawn: ``(B, C, h, w)``; h or w may be 1.
        bound: of the same shape, what the map should not fall short of.
        quantile: q in (0, 1).
        confidence: ``(B, 1, h, w)``, >= 0.

    Returns:
        Scalar >= 0, in units of the map.

    Raises:
        ShapeError: shapes differ.
        UsageError: ``quantile`` is out of range.
    Source: quantile regression, Koenker and Bassett, Econometrica 1978, eq. 1.4.
    """
    if not 0 < quantile < 1:
        raise UsageError(f"quantile must lie in (0, 1), not {quantile}")
    check_same("drawn", drawn, "bound", bound)
    check_map("confidence", confidence, drawn)
    rest = bound - drawn
    return weighted_mean(torch.maximum(quantile * rest, (quantile - 1) * rest).mean(1, keepdim=True), confidence)
