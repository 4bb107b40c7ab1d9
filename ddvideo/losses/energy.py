"""A layer is no stronger than something asks for."""

from __future__ import annotations

from torch import Tensor

from ddvideo.losses.checks import check_layer

__all__ = ["energy_loss"]


def energy_loss(layer: Tensor) -> Tensor:
    """Mean square of a layer's values: a Gaussian prior around 0.

    Args:
        layer: ``(B, C, h, w)``.

    Returns:
        Scalar >= 0, in squared units of the layer.

    Raises:
        ShapeError: the layer is not of that shape.
    Source: Tikhonov regularisation.
    """
    check_layer("layer", layer)
    return layer.square().mean()
