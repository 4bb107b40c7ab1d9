"""A layer changes little from pixel to pixel, except where its guide does."""

from __future__ import annotations

import torch
from torch import Tensor

from ddvideo.errors import ShapeError
from ddvideo.losses.checks import check_layer

__all__ = ["smoothness_loss"]


def smoothness_loss(layer: Tensor, guide: Tensor | None = None, *, sharpness: float = 10.0) -> Tensor:
    """Mean absolute first difference along x plus that along y, damped by ``exp(-sharpness |guide difference|)``.

    Args:
        layer: ``(B, C, h, w)``; an axis of one pixel contributes 0.
        guide: ``(B, G, h, w)``, usually the frame; its difference is the mean over its channels. None for no damping.
        sharpness: per unit of the guide; how soon an edge of the guide lets the layer jump.

    Returns:
        Scalar >= 0, in units of the layer per pixel.

    Raises:
        ShapeError: shapes do not fit.
    Source: anisotropic total variation (Rudin et al., 1992), edge-aware as in Godard et al., CVPR 2017, eq. 3.
    """
    check_layer("layer", layer)
    if guide is not None:
        check_layer("guide", guide)
        if guide.shape[0] != layer.shape[0] or guide.shape[2:] != layer.shape[2:]:
            raise ShapeError(f"guide is {tuple(guide.shape)}; a layer {tuple(layer.shape)} needs its B, h and w")
    total = torch.zeros((), dtype=layer.dtype, device=layer.device)
    for axis in (2, 3):
        if layer.shape[axis] < 2:  # no difference to take, and the mean of nothing would be NaN
            continue
        steps = layer.diff(dim=axis).abs()
        if guide is not None:
            steps = steps * torch.exp(-sharpness * guide.diff(dim=axis).abs().mean(1, keepdim=True))
        total = total + steps.mean()
    return total
