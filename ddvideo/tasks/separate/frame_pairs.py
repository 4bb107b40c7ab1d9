"""Pairs of frames that show one scene, near and far: how far to believe them, and what a layer over it explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.motion.flow import backward_warp
from ddvideo.motion.flow_chains import Flows
from ddvideo.tasks.contract import Link

__all__ = ["SOFTNESS", "changed", "linked", "told_apart", "unexplained"]

SOFTNESS = 0.02
"""Differences of a picture's values that are larger are thought to be something else."""
_NOISE = 0.01
"""Of a picture's values."""
_FLOW_ERROR_PX = 0.3
"""Of a flow that comes back to where it started; the scene's slope makes it an error of the picture."""
_BELIEVED = 0.3
"""Weight of a flow that is believed."""
_LOOKED_AT = 7
"""Of so many links one is looked at."""


def linked(scene: Sequence[FloatArray], flows: Flows) -> list[Link]:
    """Pairs of frames, weighed by the error that the picture and its flow are thought to have.

    Args:
        scene: pictures ``(h, w, 3)`` in [0, 1] that follow each other, without what lies over it as far as known.
        flows: between them, both ways.
    """
    links = []
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
        links.append(Link(first=first, second=second, flow=flow.astype(np.float16), weight=weight.astype(np.float16)))
    return links


def changed(pictures: Sequence[FloatArray], links: Sequence[Link]) -> float:
    """Median of what changes along the flow between frames far apart, where the flow can be believed.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], by the rows of the window.
        links: between them.
    """
    changes = [
        np.abs(pictures[link.first] - backward_warp(pictures[link.second], link.flow, cubic=True)).mean(2)[
            link.weight > _BELIEVED
        ]
        for link in _farthest(links)
    ]
    values = np.concatenate(changes)
    return float(np.median(values)) if len(values) else 1.0


def told_apart(reflection: FloatArray, links: Sequence[Link]) -> float:
    """Change of a reflection along the scene's flow, between frames far apart, over its variance in both frames.

    Args:
        reflection: ``(T, h, w, 3)``.
        links: between its frames.

    Returns:
        At least 0: it moves as the scene does, and nothing tells it from that. At 2 it is all new there.
    """
    change = spread = 0.0
    for link in _farthest(links):
        weight = link.weight.astype(np.float32)[..., None]
        here, there = reflection[link.first], backward_warp(reflection[link.second], link.flow)
        middle = (weight * (here + there)).sum((0, 1)) / np.maximum(2 * weight.sum(), 1e-6)
        change += float((weight * (here - there) ** 2).sum())
        spread += float((weight * ((here - middle) ** 2 + (there - middle) ** 2)).sum()) / 2
    return change / max(spread, 1e-9)


def unexplained(pictures: Sequence[FloatArray], reflection: FloatArray, links: Sequence[Link]) -> float:
    """Share of what pictures change by along the scene's flow that is still there without the reflection.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], by the rows of the window.
        reflection: ``(T, h, w, 3)``.
        links: between them.
    """
    before = after = 0.0
    for link in links[::_LOOKED_AT]:
        scenes = [(pictures[row], pictures[row] - reflection[row]) for row in (link.first, link.second)]
        gaps = [here - backward_warp(there, link.flow, cubic=True) for here, there in zip(*scenes, strict=True)]
        soft = [np.sqrt((gap / SOFTNESS) ** 2 + 1) - 1 for gap in gaps]
        weight = link.weight.astype(np.float32)[..., None]
        before, after = before + float((weight * soft[0]).sum()), after + float((weight * soft[1]).sum())
    return after / max(before, 1e-9)


def _farthest(links: Sequence[Link]) -> list[Link]:
    """Those between the frames that are farthest apart."""
    gap = max(abs(link.second - link.first) for link in links)
    return [link for link in links if abs(link.second - link.first) == gap]
