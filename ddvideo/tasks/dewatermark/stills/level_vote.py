"""The alpha of a flat mark over a single image: pixel pairs across edges vote for the step of ``log(1 - alpha)``."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs

__all__ = ["DARKER", "strokes", "supported", "voted_level"]

DARKER = 1.5
"""Marks are light as a rule: black strokes have to be so much plainer than white ones."""
_APART = ((0, 3), (3, 0))
"""Over the width of a smooth edge."""
_BIN, _MOST, _LEAST = 0.05, 3.0, 0.3
_AGREEMENT, _LEAST_STEP = 0.3, 0.03
_LOUDEST = 0.2
_VALLEY = 0.8
_NEAR_LEVEL, _LEAST_OUTLINE = 0.25, 6
_STROKE_PX, _LEAST_STROKE = 11, 0.2
_NARROW_BINS, _WIDE_BINS = 1.0, 5.0


def voted_level(image: FloatArray, colour: FloatArray, region: BoolArray) -> tuple[float, float]:
    """``log(1 - alpha)`` that many pixels step to at once, in all channels alike, and by how much it stands out.

    Across the edge of a flat mark, ``log |W - I|`` steps by ``log(1 - alpha)`` in every channel, whatever lies behind.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        colour: of the mark, ``(h, w, 3)``.
        region: ``(h, w)``: that holds the mark.
    """
    step, strength, agreed = _votes(image, colour, PixelPairs(region, _APART))
    counts, _ = np.histogram(
        np.abs(step[agreed]), bins=np.arange(0, _MOST, _BIN), weights=np.minimum(strength[agreed], _LOUDEST)
    )
    row = counts.astype(np.float32)[None]
    near, around = (cv2.GaussianBlur(row, (0, 0), bins)[0] for bins in (_NARROW_BINS, _WIDE_BINS))
    score = (near - around) / np.sqrt(around + 3)
    peak = np.r_[False, (score[1:-1] >= score[:-2]) & (score[1:-1] >= score[2:]), False]
    for at in np.flatnonzero(peak):
        before = near[: at + 1]
        # A scene's own steps get rarer the larger they are: a mark's are a second peak, or the only one.
        highest = int(before.argmax())
        peak[at] = at * _BIN >= _LEAST if highest == at else before[highest:].min() < _VALLEY * near[at]
    score = np.where(peak, score, 0)
    best = int(score.argmax())
    return -(best + 0.5) * _BIN, float(score[best])


def supported(
    image: FloatArray,
    colour: FloatArray,
    region: BoolArray,
    log_clear: AnyArray,
    level: float,
    least_share: float = 0.15,
) -> BoolArray:
    """Connected parts whose outline agrees with a level of alpha, ``(h, w)``.

    Parts are the connected components of ``log_clear < level / 2``. A part is kept where at least ``least_share`` of
    the pixel pairs across its outline step by that level.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        colour: of the mark, ``(h, w, 3)``.
        region: ``(h, w)``: that holds the mark.
        log_clear: ``log(1 - alpha)``, ``(h, w)``.
        level: of ``log(1 - alpha)``.
        least_share: of the outline.
    """
    pairs = PixelPairs(region, _APART)
    step, _, agreed = _votes(image, colour, pairs)
    count, labels = cv2.connectedComponents((log_clear < level / 2).astype(np.uint8), connectivity=4)
    one, other = pairs.ends(labels)
    across = (one > 0) != (other > 0)
    right = agreed & (np.abs(step - np.where(other > 0, level, -level)) < _NEAR_LEVEL * abs(level))
    part = np.maximum(one, other)[across]
    total = np.bincount(part, minlength=count)
    share = np.bincount(part[right[across]], minlength=count) / np.maximum(total, 1)
    kept = (share > least_share) & (total >= _LEAST_OUTLINE)
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def strokes(image: FloatArray, colour: float, region: BoolArray) -> tuple[AnyArray, float]:
    """``log(1 - alpha)`` of narrow white or black lines, ``(h, w)``: by how much they differ from what is beside.

    With it, the sum of that in colours.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        colour: 1 or 0.
        region: ``(h, w)``: that holds them.
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE_PX, _STROKE_PX))
    beside = cv2.morphologyEx(image, cv2.MORPH_OPEN if colour > 0.5 else cv2.MORPH_CLOSE, kernel)
    size, other = (np.maximum(np.abs(np.float32(colour) - one), np.float32(1.5 / 255)) for one in (image, beside))
    logs, weight = np.log(size) - np.log(other), size**2
    step = (weight * logs).sum(2) / weight.sum(2)
    strength = np.sqrt(weight.mean(2))
    error = np.sqrt((weight * (logs - step[..., None]) ** 2).mean(2))
    agreed = (error < _AGREEMENT * strength * np.abs(step) + 0.004) & (strength * np.abs(step) > _LEAST_STEP)
    strong = agreed & region & (step < -_LEAST_STROKE)
    count, labels = cv2.connectedComponents((agreed & region & (step < -_LEAST_STROKE / 2)).astype(np.uint8))
    kept = np.bincount(labels[strong], minlength=count) >= _LEAST_OUTLINE
    kept[0] = False
    found = np.where(kept[labels], step, 0)
    return found, float((np.abs(found) * strength).sum())


def _votes(image: FloatArray, colour: FloatArray, pairs: PixelPairs) -> tuple[AnyArray, AnyArray, BoolArray]:
    """Steps of ``log |W - I|``, how large they are as ones of the image, and whether the channels agree: ``(P,)``."""
    apart = colour - image
    size = np.maximum(np.abs(apart), np.float32(1.5 / 255))
    steps = pairs.differences(np.log(size))
    one, other = pairs.ends(size)
    sign, opposite = pairs.ends(apart > 0)
    weight = (np.minimum(one, other) * (sign == opposite)) ** 2
    step = (weight * steps).sum(1) / (weight.sum(1) + 1e-9)
    strength = np.sqrt(weight.mean(1))
    error = np.sqrt((weight * (steps - step[:, None]) ** 2).mean(1))
    agreed = (error < _AGREEMENT * strength * np.abs(step) + 0.004) & (strength * np.abs(step) > _LEAST_STEP)
    return step, strength, agreed
