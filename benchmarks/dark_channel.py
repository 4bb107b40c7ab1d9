"""The dark channel prior, which every dehazing method is compared to: one still at a time, nothing learned."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.haze_score import Estimate
from ddvideo.arrays import FloatArray
from ddvideo.detail.guided import guided_coefficients

__all__ = ["dark_channel", "dark_channel_airlight", "dark_channel_prior"]

PATCH_PX = 15
OMEGA = 0.95
"""Share of the haze that is taken away; the rest keeps far things looking far."""
BRIGHTEST = 0.001
"""Share of the pixels, those with the most haze by their dark channel, that the airlight is sought among."""
LEAST_TRANSMISSION = 0.1
RADIUS_PX = 30
EPS = 1e-3
_LEAST_AIRLIGHT = 1e-3


def dark_channel_prior(picture: FloatArray) -> Estimate:
    """Take the haze out of one picture.

    Args:
        picture: ``(H, W, 3)`` float32 RGB in [0, 1].

    Returns:
        Radiance ``(H, W, 3)``, transmission map ``(H, W)`` and airlight, all in [0, 1].
    Source: He, Sun and Tang, CVPR 2009, eqs. 12 and 16 (omega 0.95, t at least 0.1). Deviation: the transmission map is
        refined by the guided filter of the same authors (PAMI 2013; radius 30, eps 1e-3) instead of soft matting.
    """
    airlight = dark_channel_airlight(picture)
    against = np.asarray(picture / np.maximum(airlight, np.float32(_LEAST_AIRLIGHT)), np.float32)
    rough = 1 - np.float32(OMEGA) * dark_channel(against)
    model = guided_coefficients(rough, picture, radius_px=RADIUS_PX, eps=EPS)
    through = np.clip((model[..., :3] * picture).sum(axis=2) + model[..., 3], 0, 1)
    radiance = (picture - airlight) / np.maximum(through, np.float32(LEAST_TRANSMISSION))[..., None] + airlight
    return Estimate(np.asarray(np.clip(radiance, 0, 1), np.float32), np.asarray(through, np.float32), airlight.tolist())


def dark_channel(picture: FloatArray) -> FloatArray:
    """Least of the three colours in a patch of 15 x 15 pixels around each pixel, ``(H, W)`` float32.

    Source: He, Sun and Tang, CVPR 2009, eq. 5.
    """
    return np.asarray(cv2.erode(picture.min(axis=2), np.ones((PATCH_PX, PATCH_PX), np.uint8)), np.float32)


def dark_channel_airlight(picture: FloatArray) -> FloatArray:
    """Colour ``(3,)`` of the brightest (R + G + B) among the 0.1 % of pixels with the brightest dark channel.

    Source: He, Sun and Tang, CVPR 2009, section 4.4.
    """
    dark = dark_channel(picture).ravel()
    count = max(round(BRIGHTEST * dark.size), 1)
    colours = picture.reshape(-1, 3)[np.argpartition(dark, -count)[-count:]]
    return np.asarray(colours[colours.sum(axis=1).argmax()], np.float32)
