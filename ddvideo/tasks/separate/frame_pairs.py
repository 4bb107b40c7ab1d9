"""Pairs of frames, near and far, with the scene's flow between them: weights, and how much a reflection explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import backward_warp
from ddvideo.motion.flow_chains import Flows
from ddvideo.tasks.contract import FramePair

__all__ = ["SOFTNESS", "motion_contrast", "scene_change", "unexplained_share", "weighted_pairs"]

SOFTNESS = 0.02
"""Scale of the robust loss: larger differences are taken for something other than noise."""
_NOISE = 0.01
"""Of a picture's values."""
_FLOW_ERROR_PX = 0.3
"""Of a flow that comes back to where it started; the scene's slope makes it an error of the picture."""
_BELIEVED = 0.3
"""A flow with at least this weight is trusted."""
_LOOKED_AT = 7
"""One of this many pairs is looked at."""


def weighted_pairs(scene: Sequence[FloatArray], flows: Flows) -> list[FramePair]:
    """Pairs of frames, weighed by the error that the picture and its flow are thought to have.

    Args:
        scene: pictures ``(h, w, 3)`` in [0, 1] that follow each other, without what lies over it as far as known.
        flows: between them, both ways.
    """
    pairs = []
    height, width = scene[0].shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    for (first, second), flow in flows.items():
        back = flow + backward_warp(flows[second, first], flow)
        error = (back**2).sum(-1)
        down, right = np.gradient(scene[first].mean(2))
        to_x, to_y = columns + flow[..., 0], rows + flow[..., 1]
        inside = (to_x > 0) & (to_x < width - 1) & (to_y > 0) & (to_y < height - 1)
        variance = _NOISE**2 + (_FLOW_ERROR_PX**2 + error) * (down**2 + right**2)
        weight = inside * _NOISE**2 / variance * np.exp(-error)
        pairs.append(
            FramePair(first=first, second=second, flow=flow.astype(np.float16), weight=weight.astype(np.float16))
        )
    return pairs


def scene_change(pictures: Sequence[FloatArray], pairs: Sequence[FramePair]) -> float:
    """Median change along the flow between the frames that are farthest apart, where the flow is trusted.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], by the rows of the window.
        pairs: between them.
    """
    changes = [
        np.abs(pictures[pair.first] - backward_warp(pictures[pair.second], pair.flow, cubic=True)).mean(2)[
            pair.weight > _BELIEVED
        ]
        for pair in _farthest(pairs)
    ]
    values = np.concatenate(changes)
    return float(np.median(values)) if len(values) else 1.0


def motion_contrast(reflection: FloatArray, pairs: Sequence[FramePair]) -> float:
    """Change of a reflection along the scene's flow, between frames far apart, over its variance in both frames.

    Args:
        reflection: ``(T, h, w, 3)``.
        pairs: between its frames.

    Returns:
        At least 0: it moves as the scene does, and nothing tells it from that. At 2 it is all new there.
    """
    change = spread = 0.0
    for pair in _farthest(pairs):
        weight = pair.weight.astype(np.float32)[..., None]
        here, there = reflection[pair.first], backward_warp(reflection[pair.second], pair.flow)
        middle = (weight * (here + there)).sum((0, 1)) / np.maximum(2 * weight.sum(), 1e-6)
        change += float((weight * (here - there) ** 2).sum())
        spread += float((weight * ((here - middle) ** 2 + (there - middle) ** 2)).sum()) / 2
    return change / max(spread, 1e-9)


def unexplained_share(pictures: Sequence[FloatArray], reflection: FloatArray, pairs: Sequence[FramePair]) -> float:
    """Change along the scene's flow of the pictures less the reflection, over that of the pictures: 0 to about 1.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], by the rows of the window.
        reflection: ``(T, h, w, 3)``.
        pairs: between them.
    """
    before = after = 0.0
    for pair in pairs[::_LOOKED_AT]:
        scenes = [(pictures[row], pictures[row] - reflection[row]) for row in (pair.first, pair.second)]
        gaps = [here - backward_warp(there, pair.flow, cubic=True) for here, there in zip(*scenes, strict=True)]
        soft = [np.sqrt((gap / SOFTNESS) ** 2 + 1) - 1 for gap in gaps]
        weight = pair.weight.astype(np.float32)[..., None]
        before, after = before + float((weight * soft[0]).sum()), after + float((weight * soft[1]).sum())
    return after / max(before, 1e-9)


def _farthest(pairs: Sequence[FramePair]) -> list[FramePair]:
    """Those between the frames that are farthest apart."""
    gap = max(abs(pair.second - pair.first) for pair in pairs)
    return [pair for pair in pairs if abs(pair.second - pair.first) == gap]
