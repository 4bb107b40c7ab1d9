"""Levels: the gain and offset of each colour channel that bring a chunk's layer to its neighbour's on the overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray

__all__ = ["Levels", "fit_levels"]

Layers = Mapping[str, FloatArray]

GAIN_RANGE = (0.7, 1.4)
OFFSET_RANGE = (-0.2, 0.2)
RIDGE = 1e-3
"""Variance (of values in [0, 1]) below which the gain is drawn towards one and the offset takes the difference."""
WORTH_IT = 0.9
"""A correction is made when it leaves less than this part of the difference."""
SMALLEST = 0.5 / 255


@dataclass(frozen=True)
class Levels:
    """Gain and offset a channel: ``gain * values + offset``."""

    gain: FloatArray
    offset: FloatArray

    def apply(self, values: FloatArray, strength: float) -> FloatArray:
        """Values with so much of the correction, 0 none to 1 all, clipped to [0, 1]."""
        gain = 1 + np.float32(strength) * (self.gain - 1)
        corrected: FloatArray = np.clip(values * gain + np.float32(strength) * self.offset, 0, 1)
        return corrected


def fit_levels(kept: list[Layers], new: list[Layers]) -> dict[str, Levels]:
    """The corrections that bring ``new`` to ``kept``, for the colour layers that gain by one.

    Maps of one channel (alpha, transmission) are fractions and stay as they are.

    Args:
        kept: frames of the overlap as the earlier chunk tells them; layers ``(H, W, C)`` float32 in [0, 1].
        new: the same frames as the later chunk tells them.

    Returns:
        Layer name to its correction; a layer that agrees, or that no correction brings nearer, is left out.
    """
    found = {}
    for name, example in kept[0].items() if kept else ():
        if example.ndim != 3 or example.shape[2] == 1:
            continue
        a = np.concatenate([layers[name].reshape(-1, example.shape[2]) for layers in kept]).astype(np.float64)
        b = np.concatenate([layers[name].reshape(-1, example.shape[2]) for layers in new]).astype(np.float64)
        before = np.abs(a - b)
        if before.mean() < SMALLEST:
            continue
        pairs = [_fit_channel(a[:, c], b[:, c]) for c in range(a.shape[1])]
        levels = Levels(
            np.array([gain for gain, _ in pairs], np.float32), np.array([offset for _, offset in pairs], np.float32)
        )
        after = np.abs(a - np.clip(b * levels.gain + levels.offset, 0, 1))
        if after.mean() < WORTH_IT * before.mean():
            found[name] = levels
    return found


def _fit_channel(a: AnyArray, b: AnyArray) -> tuple[float, float]:
    """Least squares, once more without the worse third, so that a moved edge does not pull."""
    chosen = np.ones(len(a), bool)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        x, y = b[chosen], a[chosen]
        mean_x, mean_y = x.mean(), y.mean()
        covariance = ((x - mean_x) * (y - mean_y)).mean()
        gain = float(np.clip((covariance + RIDGE) / (x.var() + RIDGE), *GAIN_RANGE))
        offset = float(np.clip(mean_y - gain * mean_x, *OFFSET_RANGE))
        error = np.abs(a - gain * b - offset)
        chosen = error <= np.quantile(error, 0.67)
    return gain, offset
