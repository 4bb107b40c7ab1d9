"""The variance of what is known of the scene, from how far a frame and its two predictions lie apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, FloatArray
from ddvideo.motion.kalman import Measured

__all__ = ["Pair", "corrected_variances", "step_growth"]

Pair: TypeAlias = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""Colour ``(h, w, 3)`` and precision ``(h, w)`` that are predicted from before, and from after a frame."""
_OWN_ALIKE_PX, _WAY_ALIKE_PX = 1.0, 4.0
"""Errors of what shows through differ along a mark's edges; those of the motion are alike further around."""
_LEAST_FACTOR, _MOST_FACTOR = 0.1, 100.0
_LEAST_COUNT = 0.5
_LEAST_GROWTH = 0.2
"""Both ways may be wrong alike."""


def corrected_variances(
    measured: Sequence[Measured], predicted: Iterable[Pair], where: BoolArray, shown: Sequence[bool]
) -> list[Measured]:
    """The frames' own measurements, with variances that are corrected by what was observed.

    A frame ``a``, its prediction from earlier frames ``b`` and that from later frames ``c`` err independently, so that
    ``E (a - b)(a - c) = Var a``. The variance includes errors of the mark's alpha and colour, and compression.

    Args:
        measured: frame by frame, with a variance as far as it is known.
        predicted: likewise; from predictions which do not rest on ``measured``.
        where: ``(h, w)``: where the variance is corrected.
        shown: per frame whether the mark is there; else its variance stays.

    Source: the three-cornered hat; Grubbs, J. American Statistical Association 1948.
    """
    found, stated = (np.zeros(where.shape, np.float32) for _ in range(2))
    for (own, variance), pair, is_shown in zip(measured, predicted, shown, strict=True):
        if not is_shown:
            continue
        spread, both = _spread(pair)
        weight = both / (variance + spread)
        found += weight * ((own - pair[0]) * (own - pair[2])).mean(2)
        stated += weight * variance
    above, below = (
        cv2.GaussianBlur(sums * where, (0, 0), _OWN_ALIKE_PX) + np.float32(1e-6) for sums in (found, stated)
    )
    factor = np.where(where, np.clip(above / below, _LEAST_FACTOR, _MOST_FACTOR), 1).astype(np.float32)
    return [
        (own, np.asarray(factor * variance, np.float32) if is_shown else variance)
        for (own, variance), is_shown in zip(measured, shown, strict=True)
    ]


def step_growth(predicted: Iterable[Pair]) -> FloatArray:
    """Factor on the variance that a step along the flow adds, ``(h, w)``: more on water than on a wall.

    It is the mean of ``(b - c)^2 / (Var b + Var c)``, where ``b`` and ``c`` are the two predictions.

    Args:
        predicted: frame by frame.

    Source: the normalised innovation squared, Bar-Shalom et al., Estimation with Applications to Tracking, 2001.
    """
    total: FloatArray = np.zeros(1, np.float32)
    count: FloatArray = np.full(1, 1e-3, np.float32)
    for pair in predicted:
        spread, both = _spread(pair)
        total = total + both * ((pair[0] - pair[2]) ** 2).mean(2) / spread
        count = count + both
    above, below = (cv2.GaussianBlur(sums, (0, 0), _WAY_ALIKE_PX) for sums in (total, count))
    ratio = np.where(below > _LEAST_COUNT, above / below, 1)
    return np.asarray(np.clip(ratio, _LEAST_GROWTH, _MOST_FACTOR), np.float32)


def _spread(pair: Pair) -> tuple[FloatArray, FloatArray]:
    """Variance of the difference of both predictions, and 1 where there are both, else 0."""
    _, sure_before, _, sure_after = pair
    spread = 1 / np.maximum(sure_before, np.float32(1e-3)) + 1 / np.maximum(sure_after, np.float32(1e-3))
    return np.asarray(spread, np.float32), (np.minimum(sure_before, sure_after) > 0).astype(np.float32)
