"""What the losses share: shapes are looked at before they broadcast, and means that a weight steers."""

from __future__ import annotations

from torch import Tensor

from ddvideo.errors import ShapeError

__all__ = ["check_layer", "check_map", "check_same", "weighted_mean"]

_LEAST_WEIGHT = 1e-6


def check_layer(name: str, layer: Tensor) -> None:
    """Raise ShapeError unless the layer is ``(B, C, h, w)`` and not empty."""
    if layer.ndim != 4 or layer.numel() == 0:
        raise ShapeError(f"{name} is {tuple(layer.shape)}, not (B, C, h, w) with at least one entry")


def check_same(name: str, layer: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ShapeError unless both are ``(B, C, h, w)`` of one shape."""
    check_layer(name, layer)
    if layer.shape != other.shape:
        raise ShapeError(f"{other_name} is {tuple(other.shape)}, but {name} is {tuple(layer.shape)}")


def check_map(name: str, values: Tensor | None, like: Tensor) -> None:
    """Raise ShapeError unless ``values`` is None or ``(B, 1, h, w)`` with B, h and w of ``like``."""
    expected = (like.shape[0], 1, *like.shape[2:])
    if values is not None and values.shape != expected:
        raise ShapeError(f"{name} is {tuple(values.shape)}, not {expected}")


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """``sum(w v) / sum(w)``, the plain mean without a weight, and 0 where no weight is left.

    Args:
        values: ``(B, 1, h, w)``.
        weight: ``(B, 1, h, w)``, >= 0.
    """
    if weight is None:
        return values.mean()
    return (weight * values).sum() / weight.sum().clamp_min(_LEAST_WEIGHT)
