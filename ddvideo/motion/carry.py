"""What earlier frames say of each pixel of a frame: measurements carried along the flow, with their variance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import backward_warp

__all__ = ["Link", "Measured", "carry"]

Measured: TypeAlias = tuple[FloatArray, FloatArray]
"""Colours ``(h, w, 3)`` in [0, 1] and the variance of their error ``(h, w)``."""
Link: TypeAlias = tuple[FloatArray, FloatArray]
"""Flow ``(h, w, 2)`` in pixels, and its confidence ``(h, w)``."""

_DRIFT = 0.015
"""Error that a step along the flow adds where the flow is sure."""
_LOST = 0.55
"""And where it is not sure at all."""
_GATE = 9.0
"""A prediction whose squared error is more than this many variances away from what is seen is none."""


def carry(
    measured: Iterable[Measured], links: Sequence[Link | None], growth: FloatArray | None = None
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Predict each frame from those before it, without what is measured in the frame itself.

    A Kalman filter a pixel, whose state moves along the flow: the prediction is corrected by the frame's measurement
    and carried on. Run over the frames in the other order it tells what later frames say.

    Args:
        measured: frame by frame.
        links: per frame the way to the frame before it; None where there is none.
        growth: ``(h, w)``: by how much the variance that a step adds is larger than as a rule.

    Yields:
        per frame the prediction ``(h, w, 3)`` and its precision ``(h, w)``, the inverse variance; 0: nothing is known.
    Source: Kalman, J. Basic Engineering 1960; recursion along trajectories as in Dubois and Sabri, 1984.
    """
    state: Measured | None = None
    for (values, variance), link in zip(measured, links, strict=True):
        if state is None or link is None:
            yield np.zeros_like(values), np.zeros_like(variance)
            state = values, variance
            continue
        flow, trust = link
        predicted = backward_warp(state[0], flow, cubic=True)
        added = np.float32(_DRIFT**2) + np.float32(_LOST**2) * (1 - trust) ** 2
        spread: FloatArray = backward_warp(state[1], flow) + (added if growth is None else growth * added)
        yield predicted, np.asarray(1 / spread, np.float32)
        away = ((values - predicted) ** 2).mean(2)
        spread += np.where(away > _GATE * (variance + spread), away, 0)
        gain = np.asarray(spread / (spread + variance), np.float32)
        state = predicted + gain[..., None] * (values - predicted), gain * variance
