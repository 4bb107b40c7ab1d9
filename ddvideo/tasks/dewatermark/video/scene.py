"""The scene behind a known mark: what shows through it, and what other frames show, carried along the flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.motion.flow import TrustedFlow, backward_warp, consistency, dense_flow, to_grey
from ddvideo.motion.homography import homography_flow
from ddvideo.motion.kalman import Measured, kalman_filter
from ddvideo.tasks.dewatermark.mark import Mark, inpainted, unit
from ddvideo.tasks.dewatermark.video.variance_model import Pair, corrected_variances, step_growth

__all__ = [
    "HIDDEN",
    "NOISE",
    "OPAQUE",
    "UNTOLD",
    "Predictions",
    "Ways",
    "combined",
    "predict_scene",
    "scene_behind",
    "single_frames",
    "ways_between",
    "without_flow",
]

NOISE = 0.015
"""Of a decoded frame's colours."""
_DOUBT = 0.03
"""Error of a fitted mark's alpha."""
UNTOLD = 0.5
"""An error of alpha with which what shows through counts for next to nothing beside what other frames say."""
_WHOLE = 0.9
"""Frames that show less of a mark tell nothing of it."""
_CONTRAST = 0.4
"""Between a mark and the scene, as a rule: an error of alpha times this is one of the colours."""
_NO_FLOW, _NO_FLOW_PX = 0.7, 17
"""From here on, and so far around it, the flow is that of the surroundings: a mark's edges stand still."""
HIDDEN, OPAQUE = 0.8, 0.9
"""From here on what shows through tells less than other frames do; and from here on nothing does."""
_INPAINTED = 0.4
"""Error of a colour that was inpainted."""
_FLOW_STEP = 4


Ways: TypeAlias = tuple[list[TrustedFlow | None], list[TrustedFlow | None]]
"""Per frame the way to the one before, and to the one after; None where that is not its neighbour in time."""


@dataclass(kw_only=True, eq=False)
class Predictions:
    """What other frames say of each frame: from before it and from after it."""

    colours: tuple[list[FloatArray], list[FloatArray]] = field(default_factory=lambda: ([], []))
    """``(h, w, 3)`` float16."""
    precisions: tuple[list[FloatArray], list[FloatArray]] = field(default_factory=lambda: ([], []))
    """``(h, w)`` float16: inverse variances; 0 where nothing is known."""

    def __len__(self) -> int:
        return len(self.colours[0])

    def all(self) -> Iterator[Pair]:
        """What is predicted of each frame, as :meth:`both` tells it."""
        return map(self.both, range(len(self)))

    def both(self, t: int) -> Pair:
        """Colour and precision from before, and from after frame ``t``, float32."""
        return (
            self.colours[0][t].astype(np.float32),
            self.precisions[0][t].astype(np.float32),
            self.colours[1][t].astype(np.float32),
            self.precisions[1][t].astype(np.float32),
        )


def scene_behind(
    frames: Sequence[ByteArray],
    steps: Sequence[FloatArray | None],
    mark: Mark,
    seen: FloatArray,
    *,
    drawn: Sequence[ByteArray] = (),
) -> Iterator[FloatArray]:
    """The scene behind a known mark, frame by frame ``(h, w, 3)``; where alpha is 0 it is the frame itself.

    Args:
        frames: see :func:`ddvideo.tasks.dewatermark.video.alpha_regression.fit_mark`.
        steps: likewise.
        mark: from there.
        seen: likewise.
        drawn: ``(h, w, 3)`` the scene as a generator draws it, for where nothing shows through; else it is inpainted.
    """
    measured = single_frames(frames, mark, seen, doubt=_DOUBT, drawn=drawn)
    scene, filled = [colours for colours, _ in measured], without_flow(mark)
    ways = ways_between(scene, steps, filled)
    apart = predict_scene(single_frames(frames, mark, seen, doubt=UNTOLD, drawn=drawn), ways)
    measured = corrected_variances(
        measured, apart.all(), (mark.alpha > 0) & (mark.alpha <= HIDDEN), (seen > _WHOLE).tolist()
    )
    growth = step_growth(apart.all())
    scene = list(combined(measured, predict_scene(measured, ways, growth)))
    predictions = predict_scene(measured, ways_between(scene, steps, filled), growth)
    scene = list(combined(measured, predictions))
    covered = (mark.alpha > 0)[..., None]
    for frame, colours in zip(frames, scene, strict=True):
        yield np.where(covered, colours, unit(frame))


def predict_scene(measured: Sequence[Measured], ways: Ways, growth: FloatArray | None = None) -> Predictions:
    """Carry the scene from frame to frame, both ways.

    Args:
        measured: what each frame by itself tells of the scene.
        ways: between the frames.
        growth: ``(h, w)``: see :func:`ddvideo.motion.kalman.kalman_filter`.
    """
    back, ahead = ways
    count = len(measured)
    found = Predictions()
    for way, (order, flows) in enumerate(((range(count), back), (range(count - 1, -1, -1), ahead))):
        for colour, precision in kalman_filter((measured[t] for t in order), [flows[t] for t in order], growth):
            found.colours[way].append(colour.astype(np.float16))
            found.precisions[way].append(precision.astype(np.float16))
    found.colours[1].reverse()
    found.precisions[1].reverse()
    return found


def combined(measured: Sequence[Measured], predictions: Predictions) -> Iterator[FloatArray]:
    """What frames tell by themselves and what others say of them, by their precision: ``(h, w, 3)``, frame by frame."""
    for t, (own, variance) in enumerate(measured):
        before, sure_before, after, sure_after = predictions.both(t)
        weight = 1 / variance
        total = (weight + sure_before + sure_after)[..., None]
        scene = (weight[..., None] * own + sure_before[..., None] * before + sure_after[..., None] * after) / total
        yield np.clip(scene, 0, 1)


def single_frames(
    frames: Sequence[ByteArray], mark: Mark, seen: FloatArray, *, doubt: float, drawn: Sequence[ByteArray] = ()
) -> list[Measured]:
    """The scene behind a known mark as each frame by itself tells it: what shows through, inpainted where nothing does.

    Args:
        frames: see :func:`ddvideo.tasks.dewatermark.video.alpha_regression.fit_mark`.
        mark: as far as it is known.
        seen: see :func:`ddvideo.tasks.dewatermark.video.alpha_regression.fit_mark`.
        doubt: error of its alpha.
        drawn: see :func:`scene_behind`.
    """
    found = []
    for t, frame in enumerate(frames):
        image, alpha = unit(frame), mark.alpha * np.float32(seen[t])
        clear = np.maximum(1 - alpha, np.float32(1 - OPAQUE))
        behind = np.clip((image - alpha[..., None] * mark.colour) / clear[..., None], 0, 1)
        error = np.float32(NOISE**2) + np.where(alpha > 0, np.float32((doubt * _CONTRAST) ** 2), 0)
        variance = error / clear**2
        hidden = (alpha > HIDDEN).astype(np.uint8)
        if hidden.any():
            instead = unit(drawn[t]) if drawn else inpainted(behind, cv2.dilate(hidden, np.ones((3, 3), np.uint8)) > 0)
            behind = np.where(hidden[..., None] > 0, instead, behind)
            variance = np.where(hidden > 0, np.float32(_INPAINTED**2), variance)
        found.append((np.asarray(behind, np.float32), np.asarray(variance, np.float32)))
    return found


def without_flow(mark: Mark) -> BoolArray:
    """``(h, w)``: where the flow of frames that have a mark is not that of the scene."""
    opaque = (mark.alpha > _NO_FLOW).astype(np.uint8)
    return cv2.dilate(opaque, np.ones((_NO_FLOW_PX, _NO_FLOW_PX), np.uint8)) > 0


def ways_between(scene: Sequence[FloatArray], steps: Sequence[FloatArray | None], filled: BoolArray) -> Ways:
    """The ways of the scene from frame to frame.

    Args:
        scene: ``(h, w, 3)``: the scene as far as it is known; the flow is that of these.
        steps: see :func:`ddvideo.tasks.dewatermark.video.alpha_regression.fit_mark`.
        filled: ``(h, w)``: where they tell no flow, so that it is taken from the surroundings.
    """
    greys = [to_grey((colours * 255).round().astype(np.uint8)) for colours in scene]
    back: list[TrustedFlow | None] = [None] * len(greys)
    ahead: list[TrustedFlow | None] = [None] * len(greys)
    for t in range(1, len(greys)):
        step = steps[t]
        if step is not None:
            forth = _flow_along(greys[t - 1], greys[t], step, filled)
            home = _flow_along(greys[t], greys[t - 1], np.linalg.inv(step.astype(np.float64)), filled)
            ahead[t - 1] = forth, consistency(forth, home)
            back[t] = home, consistency(home, forth)
    return back, ahead


def _flow_along(here: ByteArray, there: ByteArray, step: AnyArray, filled: BoolArray) -> FloatArray:
    """The flow as the camera's step and the rest, which is small, and continued smoothly where it is hidden."""
    camera = homography_flow(step, filled.shape)
    aligned = backward_warp(there.astype(np.float32), camera)
    rest = dense_flow(here, np.asarray(np.clip(aligned.round(), 0, 255), np.uint8))
    return camera + _flow_around(rest, filled)


def _flow_around(flow: FloatArray, filled: BoolArray) -> FloatArray:
    """A flow continued smoothly from around into where it is not known."""
    if not filled.any() or filled.all():
        return flow
    height, width = filled.shape
    size = (max(width // _FLOW_STEP, 1), max(height // _FLOW_STEP, 1))
    hidden = (cv2.resize(filled.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    small = cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
    parts = [cv2.inpaint(np.ascontiguousarray(small[..., n]), hidden, 3, cv2.INPAINT_NS) for n in range(2)]
    smooth = cv2.resize(np.stack(parts, -1), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(filled[..., None], smooth, flow)
