"""A map lies along the upper envelope of what bounds it from below."""

from __future__ import annotations

import torch
from torch import Tensor

from ddvideo.errors import UsageError
from ddvideo.losses.checks import check_map, check_same, weighted_mean

__all__ = ["envelope_loss"]


_MARGIN, _TINY = 0.01, 1e-6


def envelope_loss(drawn: Tensor, bound: Tensor, *, quantile: float = 0.7, confidence: Tensor | None = None) -> Tensor:
    """Mean of ``max(q r, (q - 1) r)`` with the rest ``r = logit(bound) - logit(drawn)``.

    The best map, among those its generator can draw, has a part ``q`` of the bounds below it: it follows the tight ones
    and passes over the slack ones, however slack they are. Quantiles do not care that it is logits that are compared,
    but the gradient does: a map that has run to 0 or 1 is pulled back as hard as any other.

    Args:
        drawn: ``(B, C, h, w)`` in [0, 1]; h or w may be 1.
        bound: of the same shape, what the map should not fall short of; values nearer to 0 or 1 than 0.01 count as
            those.
        quantile: q in (0, 1).
        confidence: ``(B, 1, h, w)``, >= 0.

    Returns:
        Scalar >= 0, in logits.

    Raises:
        ShapeError: shapes differ.
        UsageError: ``quantile`` is out of range.
    Source: quantile regression, Koenker and Bassett, Econometrica 1978, eq. 1.4. Deviation: logits.
    """
    if not 0 < quantile < 1:
        raise UsageError(f"quantile must lie in (0, 1), not {quantile}")
    check_same("drawn", drawn, "bound", bound)
    check_map("confidence", confidence, drawn)
    rest = torch.logit(bound, eps=_MARGIN) - _logit(drawn)
    return weighted_mean(torch.maximum(quantile * rest, (quantile - 1) * rest).mean(1, keepdim=True), confidence)


def _logit(values: Tensor) -> Tensor:
    """Not cut off, as ``torch.logit`` with a margin is: where it cuts, no gradient comes through."""
    inside = _TINY + (1 - 2 * _TINY) * values
    return torch.log(inside) - torch.log1p(-inside)
