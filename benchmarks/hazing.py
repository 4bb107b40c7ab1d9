"""Haze that is put into clear pictures by a known model, so that radiance, transmission map and airlight are known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.compositing import haze

__all__ = ["CYCLE", "Haze", "at_most", "disparity_depth", "hazed", "hazes_of", "ramp_depth", "transmission_of"]

NEAR, FAR = 0.15, 1.0
NOISE = 0.25
NOISE_SIGMA = 1 / 12
"""Of the smooth noise, as a share of the width."""
PERCENTILES = (2, 98)


@dataclass(frozen=True)
class Haze:
    """How thick the haze is (``beta``, per unit of depth) and its colour (``airlight``, RGB in [0, 1])."""

    beta: float
    airlight: tuple[float, float, float]


CYCLE = (
    Haze(1.2, (0.85, 0.85, 0.85)),
    Haze(0.8, (0.9, 0.9, 0.95)),
    Haze(1.6, (0.8, 0.82, 0.85)),
    Haze(1.0, (0.85, 0.88, 0.9)),
)
"""One after the other, for sequences by name."""


def hazes_of(names: Sequence[str]) -> dict[str, Haze]:
    """The haze of every sequence of a data folder; asked for a part of them, take it from the answer for all."""
    return {name: CYCLE[index % len(CYCLE)] for index, name in enumerate(sorted(names))}


def ramp_depth(name: str, height: int, width: int) -> FloatArray:
    """Depth of a scene that recedes upwards, ``(H, W)`` float32 >= 0, unitless: the same in every frame and every run.

    1 in the top row to 0.15 in the bottom row, and a quarter of smooth noise in [-1, 1], which ``name`` is the seed of.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((height, width)), NOISE_SIGMA * width)
    noise /= np.abs(noise).max()
    ramp = np.linspace(FAR, NEAR, height)[:, None]
    return np.asarray(np.maximum(ramp + NOISE * noise, 0), np.float32)


def disparity_depth(disparity: FloatArray) -> FloatArray:
    """Depth from disparity, ``(H, W)`` float32 in [0, 1]: ``1 / disparity`` between its 2nd and 98th percentile.

    Args:
        disparity: ``(H, W)`` pixels; where it is not finite or not positive, the nearest known one counts.
    """
    known = np.isfinite(disparity) & (disparity > 0)
    y, x = distance_transform_edt(~known, return_distances=False, return_indices=True)
    depth = 1 / disparity[y, x].astype(np.float64)
    low, high = np.percentile(depth, PERCENTILES)
    return np.asarray(np.clip((depth - low) / max(high - low, 1e-12), 0, 1), np.float32)


def transmission_of(depth: FloatArray, beta: float) -> FloatArray:
    """``exp(-beta depth)``: what is left of the light after that depth, ``(H, W)`` float32 in [0, 1]."""
    return np.asarray(np.exp(np.float32(-beta) * depth), np.float32)


def hazed(clear: ByteArray, through: FloatArray, airlight: Sequence[float]) -> ByteArray:
    """The clear picture through the haze: ``t J + (1 - t) A``, rounded to 8 bits.

    Args:
        clear: ``(H, W, 3)`` uint8 RGB.
        through: transmission map ``(H, W)`` in [0, 1].
        airlight: RGB in [0, 1].

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    Source: Koschmieder's law, as in :func:`ddvideo.compositing.haze`.
    """
    layers = {
        "radiance": clear.astype(np.float32) / np.float32(255),
        "transmission_map": through[..., None],
        "airlight": np.asarray(airlight, np.float32)[None, None],
    }
    return np.asarray(np.clip(np.rint(255 * haze(layers)), 0, 255), np.uint8)


def at_most(picture: ByteArray, longer_px: int) -> ByteArray:
    """The picture itself, or made smaller so that its longer side has so many pixels."""
    height, width = picture.shape[:2]
    scale = longer_px / max(height, width)
    if scale >= 1:
        return picture
    size = (round(scale * width), round(scale * height))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
