"""A Kalman filter for every pixel: a frame is predicted from earlier frames along the flow, with its error variance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import TrustedFlow, backward_warp

__all__ = ["Measured", "kalman_filter"]

Measured: TypeAlias = tuple[FloatArray, FloatArray]
"""Colours ``(h, w, 3)`` in [0, 1] and the variance of their error ``(h, w)``."""

_DRIFT = 0.015
"""Error that a step along the flow adds where the flow is sure."""
_LOST = 0.55
"""And where it is not sure at all."""
_GATE = 9.0
"""A prediction is dropped where its squared error is above this many variances: the three-sigma rule."""


def kalman_filter(
    measured: Iterable[Measured], flows: Sequence[TrustedFlow | None], growth: FloatArray | None = None
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Predict each frame from those before it, without what is measured in the frame itself.

    The state of each pixel (colour and variance) is carried along the flow to the next frame: that is the prediction.
    There the frame's own measurement corrects it. Run over the frames in reverse order, it predicts from later frames.

    Args:
        measured: frame by frame.
        flows: per frame the flow to the frame before it; None where there is none.
        growth: ``(h, w)``: factor on the variance that each step along the flow adds; 1 where it is left out.

    Yields:
        per frame the prediction ``(h, w, 3)`` and its precision ``(h, w)``, the inverse variance; 0: nothing is known.
    Source: Kalman, J. Basic Engineering 1960; recursion along trajectories as in Dubois and Sabri, 1984.
    """
    state: Measured | None = None
    for (values, variance), step in zip(measured, flows, strict=True):
        if state is None or step is None:
            yield np.zeros_like(values), np.zeros_like(variance)
            state = values, variance
            continue
        flow, trust = step
        predicted = backward_warp(state[0], flow, cubic=True)
        added = np.float32(_DRIFT**2) + np.float32(_LOST**2) * (1 - trust) ** 2
        spread: FloatArray = backward_warp(state[1], flow) + (added if growth is None else growth * added)
        yield predicted, np.asarray(1 / spread, np.float32)
        away = ((values - predicted) ** 2).mean(2)
        spread += np.where(away > _GATE * (variance + spread), away, 0)
        gain = np.asarray(spread / (spread + variance), np.float32)
        state = predicted + gain[..., None] * (values - predicted), gain * variance
