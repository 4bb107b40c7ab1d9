"""Where a mark is: at edges that stay the same while the scene moves across them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.stats import t as student

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.motion.flow import dense_flow, to_grey

__all__ = ["WEAK", "Edges", "constant_edges", "find_marks", "gradient"]

_PARTS = 12
_LEAST_PARTS = 4
_NOISE = 0.003
"""Of a part's mean gradient: what compression leaves."""
_LEAST_EDGE = 0.012
"""Steps a pixel below this are not seen as an edge."""
_SURE, WEAK, _WEAKEST = 6.0, 3.0, 2.5
"""Standard errors that an edge is away from none: a mark has some of the first, and reaches as far as the second; in
its hull the last is enough."""
_CHANCE = 4e-4
"""How often an edge that is none may look sure where parts are few."""
_LEAST_PX = 6
_LEAST_CROSSED_PX = 2.0
"""A scene that moves less across an edge has not shown that the edge is no part of it."""
_STEEP = 0.35
"""Sine of the angle between an edge and the motion from which on the scene crosses the edge."""
_LINES_SHARE = 0.03
"""Of the surroundings of a mark: from here on, lines along the motion are the scene's."""
_MOTION_PX, _MOTION_SPREAD = 160, 0.06
"""The scene's motion is looked at so large, and averaged over such a part of it."""
_CLOSING_PX, _GROWN_PX, _NEAR_PX = 7, 5, 41


@dataclass(frozen=True, kw_only=True, eq=False)
class Edges:
    """Edges that stay, of a window."""

    score: FloatArray
    """``(h, w)``: by how many standard errors an edge is there; the largest over colours, directions and stretches."""
    crossed_px: FloatArray
    """``(h, w)``: how far the scene moves across an edge there, within a part of the window."""
    stands_still: bool
    """Whether the scene moves too little for marks to be told from it."""


def constant_edges(frames: Sequence[ByteArray], indices: Sequence[int]) -> Edges:
    """How surely a pixel has an edge that is the same throughout, or throughout a stretch of at least half the frames.

    The frames are cut into parts in time; of a moving scene, the mean gradients of the parts differ, so that their
    mean over all parts is small against its standard error (a t statistic, which counts for itself how often the scene
    has changed). Edges along which the scene moves, such as a horizon in a pan, stay as well: how far it moves across
    them is told with it.

    Args:
        frames: ``(h, w, 3)`` uint8, in order; of fewer than 8 nothing is told.
        indices: of the frames, ascending; the scene's motion is seen where they are neighbours.

    Source: the median gradient of a watermarked collection, Dekel et al., CVPR 2017, eq. 3, with a test in its place.
    """
    parts = min(_PARTS, len(frames) // 2)
    nothing = np.zeros(frames[0].shape[:2], np.float32)
    if parts < _LEAST_PARTS:
        return Edges(score=nothing, crossed_px=nothing, stands_still=True)
    split = np.array_split(np.arange(len(frames)), parts)
    means = [np.asarray(np.mean([frames[t] for t in part], 0) / 255, np.float32) for part in split]
    gradients = np.stack([gradient(mean) for mean in means])
    best, normal = nothing, np.zeros((*nothing.shape, 2), np.float32)
    for start in range(parts):
        for stop in range(start + max(parts // 2, _LEAST_PARTS), parts + 1):
            if start > 0 and stop < parts and (stop - start) % 2:
                continue  # every other length is enough for a stretch in the middle
            stretch = gradients[start:stop]
            mean = stretch.mean(0)
            error = stretch.std(0, ddof=1) / np.sqrt(stop - start) + np.float32(_NOISE)
            scores = np.where(np.abs(mean) > _LEAST_EDGE, np.abs(mean) / error, 0)
            score = scores.max(2) / _chance(stop - start, parts)
            across = np.stack([np.abs(scores[..., :3]).max(2), np.abs(scores[..., 3:]).max(2)], -1)
            normal = np.where((score > best)[..., None], across, normal)
            best = np.maximum(best, score)
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), np.float32(1e-6))
    motion = _way_within_parts(frames, indices, split, best < WEAK)
    crossed = (motion * normal**2).sum(2)
    # A long line that lies nearly along the motion stays nearly where it is.
    return Edges(
        score=best,
        crossed_px=np.sqrt(np.where(crossed > _STEEP**2 * motion.sum(2), crossed, 0)),
        stands_still=bool(np.median(motion.sum(2)) < _LEAST_CROSSED_PX**2),
    )


def _chance(parts: int, of_parts: int) -> np.float32:
    """How much more a stretch has to show than the whole of a long shot: few parts go further astray by chance."""
    return np.float32(max(float(student.isf(_CHANCE, parts - 1)) / _SURE, np.sqrt(of_parts / parts)))


def _way_within_parts(
    frames: Sequence[ByteArray], indices: Sequence[int], split: Sequence[AnyArray], outside: BoolArray
) -> FloatArray:
    """Mean square of how far the scene moves within a part, across and down: ``(h, w, 2)``, square pixels.

    It is read around a mark, which itself stands still.
    """
    height, width = outside.shape
    scale = min(1.0, _MOTION_PX / max(height, width))
    size = (max(round(width * scale), 2), max(round(height * scale), 2))
    spread = _MOTION_PX * _MOTION_SPREAD
    small = [np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8) for frame in frames]
    greys = [to_grey(frame) for frame in small]
    weight = cv2.resize(outside.astype(np.float32), size, interpolation=cv2.INTER_AREA) + np.float32(1e-3)
    total = cv2.GaussianBlur(weight, (0, 0), spread)
    squares = []
    for part in split:
        steps = [
            dense_flow(greys[t], greys[t + 1], quality="fast")
            for t in part
            if t + 1 < len(frames) and indices[t + 1] == indices[t] + 1
        ]
        if steps:
            way = np.mean(steps, 0) * np.float32((indices[part[-1]] - indices[part[0]] + 1) / scale)
            squares.append((cv2.GaussianBlur(way * weight[..., None], (0, 0), spread) / total[..., None]) ** 2)
    if not squares:
        return np.zeros((height, width, 2), np.float32)
    return np.asarray(cv2.resize(np.mean(squares, 0), (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def gradient(image: FloatArray) -> FloatArray:
    """Central differences ``(h, w, 2 C)``, 0 along the border."""
    height, width, channels = image.shape
    out = np.zeros((height, width, 2 * channels), np.float32)
    out[:, 1:-1, :channels] = (image[:, 2:] - image[:, :-2]) / 2
    out[1:-1, :, channels:] = (image[2:] - image[:-2]) / 2
    return out


def find_marks(edges: Edges, *, inside: BoolArray | None = None) -> list[tuple[BoolArray, BoolArray]]:
    """Marks apart from each other.

    Args:
        edges: of a window.
        inside: ``(h, w)``: where a mark is known to be; there, edges count that the scene does not cross.

    Returns:
        for each, from the largest to the smallest, what it seems to cover (sure edges, what weakly continues them, and
        what they enclose), and the convex hull of that, which holds parts whose edges were not found: ``(h, w)``.
    """
    weak = edges.score > WEAK
    if inside is not None:
        weak &= inside
        crossed = weak
    else:
        crossed = weak & (edges.crossed_px > _LEAST_CROSSED_PX / 2)
    count, labels = cv2.connectedComponents(crossed.astype(np.uint8))
    sure = (edges.score > _SURE) & (edges.crossed_px > _LEAST_CROSSED_PX)
    mass = np.bincount(labels[crossed & (sure | (inside is not None))], minlength=count)
    mass[0] = 0
    seeds = (mass >= _LEAST_PX)[labels].astype(np.uint8)
    count, labels = cv2.connectedComponents(cv2.dilate(seeds, np.ones((_NEAR_PX, _NEAR_PX), np.uint8)))
    found = []
    for label in range(1, count):
        points = np.argwhere((labels == label) & (seeds > 0))[:, ::-1].astype(np.int32)
        outline = np.zeros(weak.shape, np.uint8)
        cv2.fillConvexPoly(outline, cv2.convexHull(points), 1)
        hull = cv2.dilate(outline, np.ones((_GROWN_PX, _GROWN_PX), np.uint8)) > 0
        found.append((_filled(_edges_in(hull, edges), hull), hull))
    return sorted(found, key=lambda mark: -int(mark[1].sum()))


def _edges_in(hull: BoolArray, edges: Edges) -> BoolArray:
    """A mark's edges: all in its hull, or, where the scene has lines that stay, the sure and the crossed ones."""
    around = cv2.dilate(hull.astype(np.uint8), np.ones((_NEAR_PX, _NEAR_PX), np.uint8)) > 0
    ring = around & ~hull
    is_clear = not ring.any() or float((edges.score > WEAK)[ring].mean()) < _LINES_SHARE
    if is_clear:
        return hull & (edges.score > _WEAKEST)
    crossed = (edges.score > _WEAKEST) & (edges.crossed_px > _LEAST_CROSSED_PX / 2)
    return hull & (crossed | (edges.score > _SURE))


def _filled(edges: BoolArray, hull: BoolArray) -> BoolArray:
    """Edges, what they enclose, in the frame's corner together with its border, and a margin."""
    edges = edges.copy()
    for border in (np.s_[:2], np.s_[-2:], np.s_[:, :2], np.s_[:, -2:]):
        edges[border] |= hull[border]
    kernel = np.ones((_CLOSING_PX, _CLOSING_PX), np.uint8)
    closed = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(closed)
    cv2.drawContours(filled, outlines, -1, 1, cv2.FILLED)
    return cv2.dilate(filled, np.ones((_GROWN_PX, _GROWN_PX), np.uint8)) > 0
