"""Flow between the frames of a run: of neighbours, and put together for frames that lie further apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.motion.flow import backward_warp, dense_flow

__all__ = ["Flows", "chained", "more_consistent", "neighbour_flows", "with_far_ones"]

Flows: TypeAlias = Mapping[tuple[int, int], FloatArray]
"""From one row of a run to another: ``(h, w, 2)`` pixels."""
_SURE_PX2 = 0.05
"""Two flows whose errors differ by much more than this are not mixed."""
_CALM_PX = 2.0


def neighbour_flows(
    greys: Sequence[ByteArray], size: tuple[int, int] | None = None
) -> dict[tuple[int, int], FloatArray]:
    """Flow from every frame to the next one and to the one before.

    Args:
        greys: frames ``(h, w)`` uint8 that follow each other.
        size: height and width at which it is told; that of the frames if left out.
    """
    flows = {}
    height, width = greys[0].shape
    rows, columns = size or (height, width)
    factor = np.array([columns / width, rows / height], np.float32)
    for t in range(len(greys) - 1):
        for first, second in ((t, t + 1), (t + 1, t)):
            flow = dense_flow(greys[first], greys[second])
            if size is not None:
                flow = cv2.resize(flow, (columns, rows), interpolation=cv2.INTER_AREA) * factor
            flows[first, second] = np.asarray(flow, np.float32)
    return flows


def more_consistent(one: Flows, other: Flows) -> dict[tuple[int, int], FloatArray]:
    """Of two flows between the same frames, at each pixel the one that comes back nearer to where it started."""
    mixed = {}
    for (first, second), flow in one.items():
        mine, theirs = (_gone_astray(flows[first, second], flows[second, first]) for flows in (one, other))
        share = 1 / (1 + np.exp(np.clip((mine - theirs) / _SURE_PX2, -30, 30)))[..., None]
        mixed[first, second] = np.asarray(share * flow + (1 - share) * other[first, second], np.float32)
    return mixed


def with_far_ones(flows: Flows, count: int, gaps: Sequence[int]) -> dict[tuple[int, int], FloatArray]:
    """Flow between neighbours, and between frames further apart, both ways, put together from two of half the way.

    What moves far is not found in one step.

    Args:
        flows: between neighbours.
        count: of frames.
        gaps: how far apart, in frames: 2, 4, 8 and so on, as many as are wanted.
    """
    found = dict(flows)
    for gap in gaps:
        for t in range(count - gap):
            for first, second in ((t, t + gap), (t + gap, t)):
                middle = (first + second) // 2
                found[first, second] = chained(found[first, middle], found[middle, second])
    return found


def chained(first: FloatArray, second: FloatArray) -> FloatArray:
    """One flow and then another, as one."""
    return np.asarray(first + backward_warp(second, first), np.float32)


def _gone_astray(there: FloatArray, back: FloatArray) -> FloatArray:
    """Squared distance from the start after going there and back: ``(h, w)`` square pixels, calm over some pixels."""
    error = ((there + backward_warp(back, there)) ** 2).sum(-1)
    return np.asarray(cv2.GaussianBlur(error, (0, 0), _CALM_PX), np.float32)
