"""Levels: the gain and offset of each colour channel that bring a chunk's layer to its neighbour's on the overlap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray

__all__ = ["Levels", "fit_levels"]

Layers = Mapping[str, FloatArray]
Forward = Callable[[Layers], FloatArray]

GAIN_RANGE = (0.7, 1.4)
OFFSET_RANGE = (-0.2, 0.2)
RIDGE = 1e-3
"""Variance (of values in [0, 1]) below which the gain is drawn towards one and the offset takes the difference."""
WORTH_IT = 0.9
"""A correction is made when it leaves less than this part of the difference."""
SMALLEST = 0.5 / 255
LEAST_SHOWN = 1e-3
"""A layer of which less than this part shows is left alone."""
NUDGE = 0.05


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


def fit_levels(kept: list[Layers], new: list[Layers], forward: Forward) -> dict[str, Levels]:
    """The corrections that bring ``new`` to ``kept``, for the colour layers that gain by one.

    A pixel counts as much as it shows in the picture: what a layer holds where it is hidden is a guess, and differs.
    Maps of one channel (alpha, transmission) are fractions and stay as they are.

    Args:
        kept: frames of the overlap as the earlier chunk tells them; layers ``(H, W, C)`` float32 in [0, 1].
        new: the same frames as the later chunk tells them.
        forward: the task's forward model, layers to picture ``(H, W, 3)``.

    Returns:
        Layer name to its correction; a layer that agrees, or that no correction brings nearer, is left out.
    """
    found: dict[str, Levels] = {}
    for name, example in kept[0].items() if kept else ():
        if example.shape[2] == 1 or example.shape[:2] == (1, 1):
            continue
        a = np.concatenate([layers[name].reshape(-1, example.shape[2]) for layers in kept]).astype(np.float64)
        b = np.concatenate([layers[name].reshape(-1, example.shape[2]) for layers in new]).astype(np.float64)
        shown = np.concatenate([_visibility(name, layers, forward).reshape(-1) for layers in kept])
        levels = _fit(a, b, shown) if shown.sum() > LEAST_SHOWN * len(shown) else None
        if levels is not None:
            found[name] = levels
    return found


def _visibility(name: str, layers: Layers, forward: Forward) -> AnyArray:
    """How much a small change of a layer changes the picture, pixel by pixel: ``(H, W)``, 0 where it is hidden."""
    changed = dict(layers) | {name: layers[name] + np.float32(NUDGE)}
    return np.asarray(np.abs(forward(changed) - forward(layers)).mean(axis=2, dtype=np.float64) / NUDGE)


def _fit(a: AnyArray, b: AnyArray, shown: AnyArray) -> Levels | None:
    """Gain and offset a channel, if they are worth it; ``a`` and ``b`` are ``(pixels, C)``, ``shown`` ``(pixels,)``."""
    before = _mean(np.abs(a - b), shown)
    if before < SMALLEST:
        return None
    pairs = [_fit_channel(a[:, c], b[:, c], shown) for c in range(a.shape[1])]
    levels = Levels(np.array([gain for gain, _ in pairs], np.float32), np.array([off for _, off in pairs], np.float32))
    after = _mean(np.abs(a - np.clip(b * levels.gain + levels.offset, 0, 1)), shown)
    return levels if after < WORTH_IT * before else None


def _fit_channel(a: AnyArray, b: AnyArray, shown: AnyArray) -> tuple[float, float]:
    """Weighted least squares, once more without the worse third, so that a moved edge does not pull."""
    weights = shown
    gain, offset = 1.0, 0.0
    for _ in range(2):
        mean_a, mean_b = _mean(a, weights), _mean(b, weights)
        covariance = _mean((a - mean_a) * (b - mean_b), weights)
        variance = _mean((b - mean_b) ** 2, weights)
        gain = float(np.clip((covariance + RIDGE) / (variance + RIDGE), *GAIN_RANGE))
        offset = float(np.clip(mean_a - gain * mean_b, *OFFSET_RANGE))
        error = np.abs(a - gain * b - offset)
        weights = np.where(error <= np.quantile(error[shown > 0], 0.67), shown, 0)
    return gain, offset


def _mean(values: AnyArray, weights: AnyArray) -> float:
    return float(np.average(values.reshape(len(weights), -1).mean(axis=1), weights=weights))
