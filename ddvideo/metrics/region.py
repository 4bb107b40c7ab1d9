"""Region overlap, the measure J of the DAVIS benchmark."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import BoolArray
from ddvideo.errors import ShapeError

__all__ = ["jaccard"]


def jaccard(predicted: BoolArray, truth: BoolArray) -> float:
    """Intersection over union of two masks.

    Args:
        predicted: ``(H, W)`` bool.
        truth: likewise, of the same shape.

    Returns:
        A number in [0, 1]; 1 where both masks are empty.

    Raises:
        ShapeError: the masks differ in shape.
    Source: Perazzi et al., CVPR 2016, section 4.1 (region similarity J), as in the benchmark's own code.
    """
    if predicted.shape != truth.shape:
        raise ShapeError(f"the overlap needs two masks of one shape, not {predicted.shape} and {truth.shape}")
    union = int(np.count_nonzero(predicted | truth))
    return int(np.count_nonzero(predicted & truth)) / union if union else 1.0
