"""An alpha agrees with a target that may be wrong in places."""

from __future__ import annotations

from torch import Tensor

from ddvideo.errors import UsageError
from ddvideo.losses.checks import check_map, check_same, weighted_mean

__all__ = ["agreement_loss"]

_MARGIN = 1e-4


def agreement_loss(alpha: Tensor, target: Tensor, *, q: float = 0.5, confidence: Tensor | None = None) -> Tensor:
    """Generalised cross entropy between an alpha and a soft target: ``t (1 - p^q) / q + (1 - t) (1 - (1 - p)^q) / q``.

    ``q`` near 0 is cross entropy, at which a pixel pulls the harder the more it disagrees; ``q = 1`` is, for a binary
    target, the absolute difference, at which all pull alike. In between, targets that are wrong in places are outvoted.

    Args:
        alpha: ``(B, 1, h, w)`` in [0, 1]; h or w may be 1.
        target: ``(B, 1, h, w)`` in [0, 1], how likely the pixel belongs to the layer.
        q: in (0, 1].
        confidence: ``(B, 1, h, w)``, >= 0.

    Returns:
        Scalar >= 0, unitless.

    Raises:
        ShapeError: shapes differ.
        UsageError: ``q`` is out of range.
    Source: Zhang and Sabuncu, NeurIPS 2018, eq. 6. Deviations: soft targets; ``p`` is alpha kept 1e-4 from 0 and 1,
    which keeps gradients finite without cutting them off, as a clamp would.
    """
    if not 0 < q <= 1:
        raise UsageError(f"q must lie in (0, 1], not {q}")
    check_same("alpha", alpha, "target", target)
    check_map("confidence", confidence, alpha)
    p = _MARGIN + (1 - 2 * _MARGIN) * alpha.clamp(0, 1)
    loss = (target * (1 - p**q) + (1 - target) * (1 - (1 - p) ** q)) / q
    return weighted_mean(loss.mean(1, keepdim=True), confidence)
