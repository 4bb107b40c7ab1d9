"""The dark channel of hazy frames: the transmission's lower bound, the airlight, and whether there is haze."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from ddvideo.arrays import ByteArray, FloatArray

__all__ = ["Box", "black_share", "least_transmission", "noise_level", "opaque_colour", "patch_minimum", "picture_box"]

Box: TypeAlias = tuple[int, int, int, int]
"""Rows and columns of a part of a frame: top, bottom, left, right; bottom and right are the first outside."""

_BAR = 20
"""What is nowhere and never lighter than this, of 255, is a bar beside the picture."""
_BAR_MARGIN_PX = 2

_CELLS = (6, 8)
"""Rows and columns of the raster in whose cells something black is looked for."""
_BLACK = 0.05
_BLACK_QUANTILE = 0.02
_FLAT = 2 / 255

_GENEROUS = 4
"""Each frame offers this many times its share of the most hazed pixels: a hazed one may stand in for clear ones."""
_BRIGHTNESS = (0.85, 0.95)
"""Percentiles of brightness, among the most hazed pixels, between which the haze's colour is taken."""


def picture_box(frames: Sequence[ByteArray]) -> Box:
    """Where the picture is, without the black bars of a letterbox; all of the frame where there are none.

    Args:
        frames: ``(h, w, 3)`` RGB uint8.
    """
    height, width = frames[0].shape[:2]
    lightest = np.zeros((height, width), np.uint8)
    for frame in frames:
        np.maximum(lightest, frame.max(2), out=lightest)
    rows, columns = (np.flatnonzero((lightest > _BAR).any(axis)) for axis in (1, 0))
    if len(rows) == 0:
        return 0, height, 0, width
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    # Beside a bar lie a few lines that compression has mixed with it.
    top, left = (edge + _BAR_MARGIN_PX if edge else 0 for edge in (top, left))
    bottom = bottom - _BAR_MARGIN_PX if bottom < height else height
    right = right - _BAR_MARGIN_PX if right < width else width
    return (top, bottom, left, right) if bottom - top > 2 and right - left > 2 else (0, height, 0, width)


def patch_minimum(frame: ByteArray, *, patch_px: int = 15) -> ByteArray:
    """The least value of each channel in the square patch around every pixel, ``(h, w, 3)`` as the frame.

    Args:
        frame: ``(h, w, 3)`` RGB uint8.
        patch_px: side of the patch, odd.
    """
    return np.asarray(cv2.erode(frame, np.ones((patch_px, patch_px), np.uint8)), np.uint8)


def least_transmission(minimum: ByteArray, airlight: FloatArray, *, kept: float = 0.05) -> FloatArray:
    """Lower bound of the transmission: ``1 - (1 - kept) min over channels of minimum / (255 airlight)``, at least 0.

    It is exact where the patch's darkest channel would be black without haze.

    Args:
        minimum: ``(h, w, 3)`` from :func:`patch_minimum`.
        airlight: ``(3,)`` in [0, 1].
        kept: part of the haze that stays, for a far view without any looks unnatural.

    Returns:
        ``(h, w)`` float32 in [0, 1].
    Source: He et al., CVPR 2009, eq. 12.
    """
    scale = (1 - kept) / (255 * np.maximum(airlight, 1e-3))
    haze = np.minimum.reduce([minimum[..., c] * np.float32(scale[c]) for c in range(3)])
    return np.asarray(np.clip(1 - haze, 0, 1), np.float32)


def opaque_colour(frames: Iterable[ByteArray], minima: Iterable[ByteArray], *, share: float = 1e-3) -> FloatArray:
    """Colour of a shot's most hazed pixels: among those whose patch has the lightest dark channel, the brighter ones.

    Args:
        frames: ``(h, w, 3)`` RGB uint8.
        minima: their :func:`patch_minimum`.
        share: of all pixels that counts as most hazed.

    Returns:
        ``(3,)`` float32 in [0, 1].
    Source: He et al., CVPR 2009, section 4.4. Deviations: all frames of a shot are pooled; the mean around the 90th
    percentile of brightness instead of the brightest pixel, which is often a lamp or a white thing.
    """
    colours, darks = [], []
    for frame, minimum in zip(frames, minima, strict=True):
        dark = minimum.min(2).ravel()
        count = min(max(int(dark.size * share * _GENEROUS), 1), dark.size)
        best = np.argpartition(dark, -count)[-count:]
        colours.append(frame.reshape(-1, 3)[best])
        darks.append(dark[best])
    pooled, dark = np.concatenate(colours), np.concatenate(darks)
    count = max(len(dark) // _GENEROUS, 1)
    opaque = pooled[np.argsort(dark, kind="stable")[-count:]].astype(np.float32) / np.float32(255)
    brighter = opaque[np.argsort(opaque.sum(1), kind="stable")]
    low, high = int(_BRIGHTNESS[0] * (count - 1)), int(np.ceil(_BRIGHTNESS[1] * (count - 1))) + 1
    return np.asarray(brighter[low:high].mean(0), np.float32)


def black_share(frames: Sequence[ByteArray]) -> float:
    """Share of the picture's cells in which something nearly black is seen: through haze nothing looks black.

    Args:
        frames: ``(h, w, 3)`` RGB uint8; a part counts as one over all frames.

    Returns:
        Share of the parts, in [0, 1], without those that show nothing at all, and without the bars of a letterbox.
    """
    top, bottom, left, right = picture_box(frames)
    darkest = np.full(_CELLS, np.inf)
    spread = np.zeros(_CELLS)
    for frame in frames:
        smooth = cv2.blur(frame[top:bottom, left:right], (3, 3)).min(2)  # single pixels are noise
        for row, band in enumerate(np.array_split(smooth, _CELLS[0], axis=0)):
            for column, part in enumerate(np.array_split(band, _CELLS[1], axis=1)):
                if part.size:
                    values = part.astype(np.float32) / 255
                    darkest[row, column] = min(darkest[row, column], float(np.quantile(values, _BLACK_QUANTILE)))
                    spread[row, column] = max(spread[row, column], float(values.std()))
    counted = spread > _FLAT
    return float((darkest[counted] < _BLACK).mean()) if counted.any() else 0.0


def noise_level(frame: FloatArray) -> float:
    """Standard deviation of a picture's noise, judged where the picture is smoothest.

    Args:
        frame: ``(H, W, 3)`` in [0, 1].
    Source: the difference of two Laplacians of Immerkaer, CVIU 1996; here the lower quartile instead of the mean, so
    that texture is not taken for noise.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = np.abs(cv2.filter2D(frame.mean(2), -1, kernel))
    # The lower quartile of the absolute value of a normal variable is 0.3186 standard deviations; the kernel's norm is
    # 6, and the mean of three channels with noise of their own is quieter by the root of 3.
    return float(np.quantile(response, 0.25) / 0.3186 / 6 * np.sqrt(3))
