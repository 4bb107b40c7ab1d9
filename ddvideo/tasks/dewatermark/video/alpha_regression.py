"""Alpha and colour of a mark by regression: a pixel changes ``1 - alpha`` times as much as the scene behind it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.tasks.dewatermark.mark import Mark, inpainted, tidied, unit
from ddvideo.tasks.dewatermark.video.outline import outlined
from ddvideo.tasks.dewatermark.video.scene import (
    NOISE,
    OPAQUE,
    UNTOLD,
    Predictions,
    combined,
    predict_scene,
    single_frames,
    ways_between,
    without_flow,
)
from ddvideo.tasks.dewatermark.video.variance_model import step_growth

__all__ = ["fit_mark", "least_alpha"]

_ROUNDS, _FLOW_ROUNDS = 6, (1, 3)
"""Alpha comes nearer to what it is with every round; the flow of the scene hardly changes after some."""
_FIRST_INSIDE, _FIRST_AROUND = 0.2, 0.1
"""Error of the first estimate of the scene where the mark seems to be, and where it may reach."""
_RIDGE, _STILL_RIDGE, _STILL = 3e-4, 1e-2, 0.12
"""Variance with which the rough guess at a slope counts; more where that guess says that hardly anything shows through,
which is below the third."""
_SMOOTH_PX = 6.0
_COLOUR_SPREAD, _OFFSET_ERROR, _LAST_OFFSET_ERROR = 0.1, 0.04, 0.02
"""How far a mark's colour differs from that around, and the error of a measured offset, at first and in the end."""
_WHOLE = 0.9
"""Frames that show less of a mark tell nothing of it."""
_MOST_UNEXPLAINED = 0.5
"""Of what differs: edges of the scene that look like a mark's leave more."""
_LEAST_ALPHA, _EDGE_ALPHA = 0.04, 0.015


def fit_mark(
    frames: Sequence[ByteArray],
    steps: Sequence[FloatArray | None],
    seen: FloatArray,
    piece: BoolArray,
    hull: BoolArray,
    edges: BoolArray,
) -> Mark:
    """Alpha and colour of a constant mark over a scene that moves.

    Two steps alternate. The scene behind the mark is predicted from frames that saw it without the mark, or saw it
    better. Then each pixel's values are regressed on its predictions: the slope is ``1 - alpha``, and the offset is
    ``alpha * colour``. Errors in a regressor flatten a slope; two independent predictions of each pixel, from earlier
    and from later frames, free it of that bias (instrumental variables).

    Args:
        frames: ``(h, w, 3)`` uint8, a part of the picture with some of the surroundings.
        steps: per frame the camera's step to it from the one before, ``(3, 3)`` in pixels of this part of the picture;
            None where the one before is not its neighbour in time.
        seen: ``(T,)`` how much of the mark each frame shows, in [0, 1]; only frames that show all of it tell alpha.
        piece: ``(h, w)`` what the mark seems to cover.
        hull: ``(h, w)`` how far it may reach; beyond that alpha is 0.
        edges: ``(h, w)`` where edges stay: a part of the mark that does not end at such is none.

    Returns: the mark; alpha is 0 everywhere if it turns out to be none.
    Source: the forward model and alternation of Dekel et al., CVPR 2017; instrumental variables: Reiersol, 1941.
    """
    doubt = np.where(piece, _FIRST_INSIDE**2, np.where(hull, _FIRST_AROUND**2, NOISE**2)).astype(np.float32)
    measured = [(inpainted(unit(frame), piece), doubt) for frame in frames]
    scene = [colours for colours, _ in measured]
    around = _variance_ratio(frames, hull)
    mark = Mark(alpha=np.zeros(piece.shape, np.float32), colour=np.zeros((*piece.shape, 3), np.float32))
    growth: FloatArray | None = None
    ways = ways_between(scene, steps, piece)
    for number in range(_ROUNDS):
        if number in _FLOW_ROUNDS:
            ways = ways_between(scene, steps, without_flow(mark))
        predictions = predict_scene(measured, ways, growth)
        mark, colour = _regress(frames, predictions, seen, hull, around)
        growth = step_growth(predictions.all())
        # What shows through a mark that is not yet known would tell again what was thought of the mark before.
        measured = single_frames(frames, mark, seen, doubt=UNTOLD)
        scene = list(combined(measured, predictions))
    alpha = outlined(_tidy(mark.alpha, piece), edges)
    if _unexplained(frames, predictions, seen, mark, alpha > 0) > _MOST_UNEXPLAINED:
        alpha = np.zeros_like(alpha)
    return Mark(alpha=alpha, colour=colour)


def _unexplained(
    frames: Sequence[ByteArray], predictions: Predictions, seen: FloatArray, mark: Mark, covered: BoolArray
) -> float:
    """Share of what frames differ by from the scene that the mark does not explain: small for what is a mark."""
    without, left = 0.0, 0.0
    alpha = mark.alpha[..., None]
    for t in np.flatnonzero(seen > _WHOLE).tolist():
        before, after, weight = _pair(predictions, t)
        scene, image = (before + after) / 2, unit(frames[t])
        without += float((weight * ((image - scene) ** 2).sum(2))[covered].sum())
        rest = image - (1 - alpha) * scene - alpha * mark.colour
        left += float((weight * (rest**2).sum(2))[covered].sum())
    return left / without if without > 0 else 1.0


def _regress(
    frames: Sequence[ByteArray], predictions: Predictions, seen: FloatArray, hull: BoolArray, around: FloatArray
) -> tuple[Mark, FloatArray]:
    """The mark that frames and predictions of the scene behind it differ by, and the colour that says the same of both
    their means, wherever it lies.
    """
    whole = np.flatnonzero(seen > _WHOLE).tolist()
    shape = hull.shape
    mass: FloatArray = np.full(shape, 1e-9, np.float32)
    sums = [np.zeros((*shape, 3), np.float32) for _ in range(3)]
    for t in whole:
        before, after, weight = _pair(predictions, t)
        mass += weight
        for total, values in zip(sums, (unit(frames[t]), before, after), strict=True):
            total += weight[..., None] * values
    image, first, second = (_float32(total / mass[..., None]) for total in sums)
    shared: FloatArray = np.zeros(shape, np.float32)
    spread: FloatArray = np.zeros(shape, np.float32)
    seen_power: FloatArray = np.zeros(shape, np.float32)
    predicted_power: FloatArray = np.zeros(shape, np.float32)
    for t in whole:
        before, after, weight = _pair(predictions, t)
        one, other, change = before - first, after - second, unit(frames[t]) - image
        shared += weight * (change * (one + other)).sum(2) / 2
        spread += weight * (one * other).sum(2)
        seen_power += weight * (change * change).sum(2)
        predicted_power += weight * (one * one + other * other).sum(2) / 2
    floor = np.float32(3 * NOISE**2)
    prior = np.minimum(np.sqrt((seen_power / mass + floor) / (predicted_power / mass + floor)), around)
    shared, spread = np.maximum(shared / mass, 0), np.maximum(spread / mass, 0)
    # What hardly changes while the scene that is predicted there does is opaque, however wrong the prediction.
    ridge = np.where(prior < _STILL, np.float32(_STILL_RIDGE), np.float32(_RIDGE))
    slope = (shared + ridge * prior) / (spread + ridge)
    scene = _float32((first + second) / 2)
    alpha = _float32(np.where(hull, np.clip(1 - slope, 0, 1), 0))
    colour = _float32(np.clip(_colour(alpha, image, scene, _OFFSET_ERROR), 0, 1))
    explained: FloatArray = np.zeros(shape, np.float32)
    room: FloatArray = np.zeros(shape, np.float32)
    for t in whole:
        before, after, weight = _pair(predictions, t)
        here = unit(frames[t])
        room_before, room_after = colour - before, colour - after
        explained += weight * ((here - before) * room_after + (here - after) * room_before).sum(2)
        room += 2 * weight * (room_before * room_after).sum(2)
    told = np.clip(explained / np.maximum(room, np.float32(1e-3) * mass), 0, 1)
    alpha = _float32(np.where(hull, told, 0))
    return Mark(alpha=alpha, colour=colour), _colour(alpha, image, scene, _LAST_OFFSET_ERROR)


def least_alpha(image: FloatArray, scene: FloatArray) -> FloatArray:
    """The smallest alpha with which a colour in [0, 1] makes a picture of a scene.

    Args:
        image: ``(h, w, 3)``: the (mean) picture.
        scene: ``(h, w, 3)``: the (mean) scene behind.

    Returns: ``(h, w)`` in [0, 1].
    """
    darker = (scene - image) / np.maximum(scene, np.float32(0.05))
    lighter = (image - scene) / np.maximum(1 - scene, np.float32(0.05))
    return np.asarray(np.clip(np.maximum(darker, lighter).max(2), 0, 1), np.float32)


def _pair(predictions: Predictions, t: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Both predictions, and the weight of their sum's error; 0 where one of them is missing."""
    before, sure_before, after, sure_after = predictions.both(t)
    both = np.minimum(sure_before, sure_after) > 0
    variance = 1 / np.maximum(sure_before, np.float32(1e-3)) + 1 / np.maximum(sure_after, np.float32(1e-3))
    return before, after, np.where(both, 1 / (variance + np.float32(NOISE**2)), 0)


def _colour(alpha: FloatArray, image: FloatArray, scene: FloatArray, error: float) -> FloatArray:
    """A mark's colour: that of its surroundings in the mark, or its own where enough of it is there to tell.

    It may lie beyond [0, 1], where alpha is smaller than can be: with it, the mean picture gives the mean scene.

    Args:
        alpha: ``(h, w)``.
        image: ``(h, w, 3)``: the mean picture.
        scene: ``(h, w, 3)``: the mean scene behind it.
        error: of what they differ by.
    """
    offset = image - (1 - alpha)[..., None] * scene
    total = cv2.GaussianBlur(alpha * alpha, (0, 0), _SMOOTH_PX)
    around = cv2.GaussianBlur(offset * alpha[..., None], (0, 0), _SMOOTH_PX) / np.maximum(total, 1e-4)[..., None]
    around = np.clip(around, 0, 1)
    own = np.clip(offset / np.maximum(alpha, np.float32(0.02))[..., None], -0.5, 1.5)
    known = (alpha / np.float32(error)) ** 2
    trust = known / (known + 1 / _COLOUR_SPREAD**2)
    return _float32(around + trust[..., None] * (own - around))


def _variance_ratio(frames: Sequence[ByteArray], hull: BoolArray) -> FloatArray:
    """How much less a pixel changes over time than the surroundings do: ``(h, w)`` in [0, 1], a rough ``1 - alpha``."""
    stack = np.stack([cv2.GaussianBlur(frame, (0, 0), 1) for frame in frames])
    changes = stack.std(0, dtype=np.float32).mean(2) / np.float32(255)
    outside = (~hull).astype(np.float32)
    reach = max(hull.shape) / 8
    around = cv2.GaussianBlur(changes * outside, (0, 0), reach) / np.maximum(
        cv2.GaussianBlur(outside, (0, 0), reach), 1e-3
    )
    return np.asarray(np.clip(changes / np.maximum(around, np.float32(1e-3)), 0, 1), np.float32)


def _tidy(alpha: FloatArray, piece: BoolArray) -> FloatArray:
    """Alpha of the mark that was found, whole where it is opaque."""
    kept = tidied(alpha, piece, strong=_LEAST_ALPHA, least=_EDGE_ALPHA, grown_px=3)
    opaque = cv2.morphologyEx((alpha > OPAQUE).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    return np.asarray(np.where(opaque & (kept > 0), 1, kept), np.float32)


def _float32(values: AnyArray) -> FloatArray:
    return np.asarray(values, np.float32)
