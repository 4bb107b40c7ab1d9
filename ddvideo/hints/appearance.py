"""What appearance alone tells: what the border does not reach, and what lies near the middle."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.graph.superpixels import mean_per_label

__all__ = ["centre_prior"]

_SPREAD = 0.3
"""Standard deviation, in parts of the frame."""


def centre_prior(labels: AnyArray, count: int) -> FloatArray:
    """How near each superpixel lies to the middle of the frame, where people put what they film.

    Args:
        labels: ``(h, w)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count,)`` in (0, 1].
    Source: Judd et al., ICCV 2009 (the centre bias of photographs).
    """
    height, width = labels.shape
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    return mean_per_label(np.exp(-(x**2 + y**2) / (2 * _SPREAD**2)).astype(np.float32), labels, count)
