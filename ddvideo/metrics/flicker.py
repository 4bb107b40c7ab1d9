"""Steadiness of a matte over time."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.errors import ShapeError

__all__ = ["temporal_instability"]


def temporal_instability(before: FloatArray, after_warped: FloatArray, confidence: FloatArray) -> float:
    """Mean change of a layer from one frame to the next along the motion, where the motion is known.

    ``sum(c |after(x + flow(x)) - before(x)|) / sum(c)``

    Args:
        before: ``(H, W)``, the layer in the first of both frames.
        after_warped: ``(H, W)``, the layer in the second one, fetched along the flow from the first to the second.
        confidence: ``(H, W)`` >= 0, how far the flow is to be trusted (0 where the second frame hides the place).

    Returns:
        A number >= 0 in units of the layer; 0 where no place is trusted at all.

    Raises:
        ShapeError: the arrays differ in shape.
    Source: the warping error of Lai et al., ECCV 2018, eq. 11, with the absolute difference.
    """
    if not before.shape == after_warped.shape == confidence.shape:
        raise ShapeError(
            f"three arrays of one shape are needed, not {before.shape}, {after_warped.shape} and {confidence.shape}"
        )
    weight = float(confidence.sum(dtype=np.float64))
    change = float((confidence * np.abs(after_warped - before)).sum(dtype=np.float64))
    return change / weight if weight > 0 else 0.0
