"""Fidelity of a picture to a known one."""

from __future__ import annotations

import math

import numpy as np
from skimage.metrics import structural_similarity

from ddvideo.arrays import FloatArray
from ddvideo.errors import ShapeError

__all__ = ["psnr_db", "ssim"]

_SSIM_WINDOW_PX = 11


def psnr_db(estimate: FloatArray, truth: FloatArray) -> float:
    """Peak signal-to-noise ratio of values in [0, 1], in dB; infinite where both are equal.

    Args:
        estimate: any number of dimensions.
        truth: of the same shape.

    Raises:
        ShapeError: the shapes differ.
    """
    _check(estimate, truth)
    error = float(np.mean(np.square(np.subtract(estimate, truth, dtype=np.float64))))
    return -10 * math.log10(error) if error > 0 else math.inf


def ssim(estimate: FloatArray, truth: FloatArray) -> float:
    """Structural similarity of two pictures in [0, 1], the mean over the channels.

    Args:
        estimate: ``(H, W)`` or ``(H, W, C)``, H and W at least 11 pixels.
        truth: of the same shape.

    Returns:
        A number in [-1, 1]; 1 where both are equal.

    Raises:
        ShapeError: the shapes differ or are too small.
    Source: Wang et al., IEEE TIP 2004, with its Gaussian window of 11 pixels (sigma 1.5), as scikit-image has it.
    """
    _check(estimate, truth)
    if estimate.ndim not in (2, 3) or min(estimate.shape[:2]) < _SSIM_WINDOW_PX:
        raise ShapeError(f"(H, W) or (H, W, C) from {_SSIM_WINDOW_PX} pixels a side is needed, not {estimate.shape}")
    value = structural_similarity(  # type: ignore[no-untyped-call]
        estimate,
        truth,
        data_range=1.0,
        channel_axis=2 if estimate.ndim == 3 else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(value)


def _check(estimate: FloatArray, truth: FloatArray) -> None:
    if estimate.shape != truth.shape:
        raise ShapeError(f"two arrays of one shape are needed, not {estimate.shape} and {truth.shape}")
