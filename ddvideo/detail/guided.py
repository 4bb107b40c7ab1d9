"""Edge-aware maps at full resolution: the guided filter, computed small and applied to the full frame."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.errors import ShapeError

__all__ = ["guided_coefficients", "guided_upsample"]


def guided_coefficients(values: FloatArray, guide: FloatArray, *, radius_px: int, eps: float) -> FloatArray:
    """Local linear model that predicts a map from the colours of a guide.

    Args:
        values: ``(h, w)``, the map.
        guide: ``(h, w, 3)`` RGB in [0, 1].
        radius_px: of the square window.
        eps: variance of the guide under which the map is rather smoothed than bound to it.

    Returns:
        ``(h, w, 4)`` float32: the factors of R, G and B, and the offset, averaged over the windows.

    Raises:
        ShapeError: the two are not of one size.
    Source: He, Sun and Tang, PAMI 2013, eqs. 18 to 20 (colour guide).
    """
    if guide.shape != (*values.shape, 3):
        raise ShapeError(f"a guide of {guide.shape} does not fit a map of {values.shape}")

    def mean(picture: FloatArray) -> FloatArray:
        size = (2 * radius_px + 1, 2 * radius_px + 1)
        return np.asarray(cv2.boxFilter(picture, -1, size, borderType=cv2.BORDER_REFLECT), np.float32)

    centre = mean(guide)
    level = mean(values)
    covariance = mean(guide * values[..., None]) - centre * level[..., None]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    products = mean(np.stack([guide[..., i] * guide[..., j] for i, j in pairs[:3]], -1))
    products = np.concatenate([products, mean(np.stack([guide[..., i] * guide[..., j] for i, j in pairs[3:]], -1))], -1)
    rr, rg, rb, gg, gb, bb = (products[..., k] - centre[..., i] * centre[..., j] for k, (i, j) in enumerate(pairs))
    rr, gg, bb = rr + eps, gg + eps, bb + eps
    # The inverse of the symmetric 3 x 3 matrix by its cofactors: far quicker than a solver a pixel.
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    r, g, b = covariance[..., 0], covariance[..., 1], covariance[..., 2]
    factors = (
        np.stack([c_rr * r + c_rg * g + c_rb * b, c_rg * r + c_gg * g + c_gb * b, c_rb * r + c_gb * g + c_bb * b], -1)
        / np.maximum(determinant, 1e-12)[..., None]
    )
    offset = level - (factors * centre).sum(-1)
    return np.concatenate([mean(factors), mean(offset)[..., None]], -1)


def guided_upsample(
    values: FloatArray, small: ByteArray, full: AnyArray, *, radius_px: int = 8, eps: float = 1e-3
) -> FloatArray:
    """Bring a map from working size to the frame's own size along the frame's edges.

    Args:
        values: ``(h, w)``.
        small: ``(h, w, 3)`` RGB uint8, the frame at working size.
        full: ``(H, W, 3)`` RGB in [0, 1], float32.
        radius_px: of the window, in working pixels.
        eps: see :func:`guided_coefficients`.

    Returns:
        ``(H, W)`` float32, not clipped.
    Source: He and Sun, 2015 (fast guided filter): coefficients are computed small and enlarged.
    """
    height, width = full.shape[:2]
    model = guided_coefficients(values, small.astype(np.float32) / np.float32(255), radius_px=radius_px, eps=eps)
    if model.shape[:2] != (height, width):
        model = np.asarray(cv2.resize(model, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.asarray(np.einsum("hwc,hwc->hw", model[..., :3], full) + model[..., 3], np.float32)
