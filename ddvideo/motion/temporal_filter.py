"""Maps of a clip are averaged with their neighbours in time, along the optical flow, so that they do not flicker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.motion.flow import TrustedFlow, backward_warp, consistency

__all__ = ["FLOWS", "FlowsInTime", "ObservedFlows", "ObservedFrames", "temporal_filter"]

FLOWS: Mapping[int, str] = {1: "flow", -1: "flow_back"}
"""The flow to the frame after, and to the one before: their names among what was observed of a frame."""


class FlowsInTime(Protocol):
    """The flow from frame ``t`` to its neighbour in time; None where there is none. A list has this interface."""

    def __getitem__(self, t: int, /) -> TrustedFlow | None: ...


def temporal_filter(
    maps: Sequence[FloatArray],
    back: FlowsInTime,
    ahead: FlowsInTime,
    *,
    memory: float = 0.8,
    trust: float = 0.0,
) -> FloatArray:
    """Average maps recursively along the flow, forward and backward in time, and take the mean of both passes.

    ``average[t] = maps[t] + k (warped average[t - 1] - maps[t])`` with ``k = memory * max(confidence, trust)``.

    Args:
        maps: ``(h, w)``, one a frame.
        back: per frame the flow to the one before.
        ahead: likewise, to the one after.
        memory: weight of the average so far where the flow is sure; in [0, 1).
        trust: least confidence of any flow, in [0, 1]; smooth maps bear a wrong flow.

    Returns:
        ``(T, h, w)`` float32.
    Source: recursive filtering along motion trajectories, Dubois and Sabri, IEEE Trans. Communications 1984.
    """
    out = np.zeros((len(maps), *maps[0].shape), np.float32)
    for order, flows in ((range(len(maps)), back), (range(len(maps) - 1, -1, -1), ahead)):
        average: FloatArray | None = None
        for t in order:
            step, here = flows[t], maps[t]
            if average is None or step is None:
                average = here
            else:
                kept = np.float32(memory) * np.maximum(step[1], np.float32(trust))
                average = here + kept * (backward_warp(average, step[0]) - here)
            out[t] += np.float32(0.5) * average
    return out


class ObservedFrames(Protocol):
    """Frames with what was observed of each; a window has this interface."""

    @property
    def indices(self) -> Sequence[int]:
        """Absolute, ascending."""

    @property
    def observations(self) -> Sequence[Mapping[str, AnyArray]]:
        """One for each frame; see :data:`FLOWS`."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""


class ObservedFlows:
    """Flow and its confidence from each frame to a neighbour, at working size; computed when it is asked for.

    Args:
        window: its observations have ``flow`` and ``flow_back``, in pixels of the working size, at any size.
        step: 1 for the frame after, -1 for the one before.
    """

    def __init__(self, window: ObservedFrames, step: int) -> None:
        self._window, self._step = window, step

    def __getitem__(self, t: int) -> TrustedFlow | None:
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
