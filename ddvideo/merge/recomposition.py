"""How well the layers, put together again by the forward model, give the input back."""

from __future__ import annotations

import math

import numpy as np

from ddvideo.arrays import FloatArray

__all__ = ["Recomposition"]

CEILING_DB = 100.0
"""Told where there is no error at all: JSON has no infinity."""


class Recomposition:
    """Mean squared error over the frames of a clip, collected as they stream by."""

    def __init__(self) -> None:
        self.frames = 0
        self._sum = 0.0
        self._worst = 0.0

    def add(self, frame: FloatArray, forward: FloatArray) -> None:
        """Count one frame; both ``(H, W, 3)`` float32 in [0, 1], the prediction clipped to what can be shown."""
        error = float(np.mean(np.square(np.clip(forward, 0, 1) - frame), dtype=np.float64))
        self._worst = max(self._worst, error)
        self._sum += error
        self.frames += 1

    @property
    def psnr_db(self) -> float:
        """PSNR of the mean squared error of all frames, in dB, at most 100."""
        return _db(self._sum / max(self.frames, 1))

    @property
    def worst_psnr_db(self) -> float:
        """PSNR of the worst frame, in dB, at most 100."""
        return _db(self._worst)


def _db(error: float) -> float:
    return CEILING_DB if error < 10 ** (-CEILING_DB / 10) else -10 * math.log10(error)
