"""A layer follows what it shows from frame to frame."""

from __future__ import annotations

from torch import Tensor

from ddvideo.losses.checks import check_map, check_same, weighted_mean

__all__ = ["coherence_loss"]


def coherence_loss(here: Tensor, there: Tensor, confidence: Tensor | None = None, *, softness: float = 0.0) -> Tensor:
    """Mean distance between a layer at points of one frame and where the flow leads in a neighbouring one.

    Args:
        here: layer values ``(B, C, h, w)`` at points of a frame; h or w may be 1.
        there: the same layer in the neighbouring frame, read where the flow leads from those points.
        confidence: ``(B, 1, h, w)``, at least 0, how far the flow can be believed (forward-backward check).
        softness: distances below it, in units of the layer, count by their squares (Charbonnier).

    Returns:
        Scalar >= 0, in units of the layer; 0 where no flow is believed.

    Raises:
        ShapeError: shapes differ.
    Source: the temporal coupling of Gandelsman et al., CVPR 2019 (video), said along the flow; L1 and confidence as in
    the short-term temporal loss of Lai et al., ECCV 2018; Charbonnier et al., ICIP 1994 (softness).
    """
    check_same("here", here, "there", there)
    check_map("confidence", confidence, here)
    gap = here - there
    distance = softness * ((gap / softness).square() + 1).sqrt() - softness if softness else gap.abs()
    return weighted_mean(distance.mean(1, keepdim=True), confidence)
