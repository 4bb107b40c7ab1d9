"""The way from each frame of a window to its neighbours in time, along the flows that were observed."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import consistency
from ddvideo.motion.steady import TimeLink
from ddvideo.tasks.contract import Window

__all__ = ["FLOWS", "TimeLinks"]

FLOWS = {1: "flow", -1: "flow_back"}
"""Names in a frame's observation of its flow to the frame after and to the one before."""


class TimeLinks:
    """Flow and its confidence from each frame to a neighbour, at working size; computed when it is looked at.

    Args:
        window: its observations have ``flow`` and ``flow_back``, in pixels of the working size, at any size.
        step: 1 for the frame after, -1 for the one before.
    """

    def __init__(self, window: Window, step: int) -> None:
        self._window, self._step = window, step

    def __getitem__(self, t: int) -> TimeLink | None:
        """From row ``t``; None where the neighbour is not in the window, or its flow was not observed."""
        indices, other = self._window.indices, t + self._step
        if not 0 <= other < len(indices) or indices[other] != indices[t] + self._step:
            return None
        there, back = self._flow(t, self._step), self._flow(other, -self._step)
        return None if there is None or back is None else (there, consistency(there, back))

    def _flow(self, t: int, step: int) -> FloatArray | None:
        seen, name, size = self._window.observations[t], FLOWS[step], self._window.size[::-1]
        if name not in seen:
            return None
        return np.asarray(cv2.resize(seen[name].astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)
