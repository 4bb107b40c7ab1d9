"""Scoring of dehazed pictures and clips: fidelity, the haze itself, steadiness along the true motion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import cv2
import numpy as np

from benchmarks.material import unit
from benchmarks.score import ScoreError
from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.metrics import psnr_db, temporal_instability
from ddvideo.motion.flow import backward_warp, consistency, dense_flow, to_grey

__all__ = ["INPUT", "UNKNOWN", "ClipScore", "Estimate", "Truth", "score_clip", "score_picture", "summary"]

INPUT = "input"
"""The variant that leaves the haze where it is."""
WIDTH_PX = 432
"""Steadiness is measured on pictures of this width, or of their own where that is less."""
SAMPLED, START = 8, 6
"""What is decomposed frame by frame: every 8th frame for fidelity, the first six for steadiness."""
MOST_DB = 100.0
"""Told instead of an infinite ratio."""


@dataclass(frozen=True)
class Estimate:
    """One dehazed picture: radiance ``(H, W, 3)``, transmission map ``(H, W)`` and airlight, where they are known."""

    radiance: FloatArray
    through: FloatArray | None = None
    airlight: Sequence[float] | None = None


@dataclass(frozen=True)
class Truth:
    """What is known of a picture, or of all pictures of a clip."""

    through: FloatArray | None = None
    airlight: Sequence[float] | None = None


UNKNOWN = Truth()


def score_picture(estimate: Estimate, radiance: FloatArray | None, truth: Truth) -> dict[str, float]:
    """The numbers of one picture, of all that is known.

    ``psnr_db`` of the radiance; ``t_mae``: mean absolute error of the transmission map; ``airlight_error``
    and ``airlight_distance``: mean absolute and Euclidean over R, G and B; ``t_mean``: the map's mean, no score.

    Args:
        estimate: what was computed.
        radiance: the true one, ``(H, W, 3)`` in [0, 1].
        truth: the haze that was put in.
    """
    found = {}
    if radiance is not None:
        found["psnr_db"] = min(psnr_db(estimate.radiance, radiance), MOST_DB)
    if estimate.through is not None:
        found["t_mean"] = float(estimate.through.mean())
        if truth.through is not None:
            found["t_mae"] = float(np.abs(estimate.through - truth.through).mean())
    if estimate.airlight is not None and truth.airlight is not None:
        difference = np.subtract(estimate.airlight, truth.airlight, dtype=np.float64)
        found["airlight_error"] = float(np.abs(difference).mean())
        found["airlight_distance"] = float(np.linalg.norm(difference))
    return found


@dataclass
class ClipScore:
    """What was measured of one variant, by frame; a change belongs to the first of its two frames.

    ``flicker``: change of the error along the true motion; ``pumping``: change of the error's mean; ``veil``: change of
    the error of the haze ``(1 - t) A`` that is taken away; ``warped``: change of the radiance along the motion of the
    hazy frames; ``contrast``: standard deviation of its luma.
    """

    frames: dict[int, dict[str, float]] = field(default_factory=dict)
    contrast: dict[int, float] = field(default_factory=dict)
    warped: dict[int, float] = field(default_factory=dict)
    flicker: dict[int, float] = field(default_factory=dict)
    pumping: dict[int, float] = field(default_factory=dict)
    veil: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Moment:
    """One frame as steadiness sees it: motion's greys, and by variant the radiance and its error, all small."""

    grey: ByteArray
    true_grey: ByteArray | None
    radiance: Mapping[str, FloatArray]
    error: Mapping[str, FloatArray]
    veil: Mapping[str, FloatArray]


def score_clip(
    pictures: Iterable[ByteArray],
    radiances: Iterable[ByteArray] | None,
    truth: Truth,
    streams: Mapping[str, Iterator[Estimate | None]],
) -> dict[str, ClipScore]:
    """Measure dehazed clips frame by frame, streamed; ``input`` tells of the pictures as they are.

    Args:
        pictures: the hazy frames ``(H, W, 3)`` uint8 that were decomposed.
        radiances: the true ones, as many, or None where nobody knows them.
        truth: the haze that was put in.
        streams: by variant, one estimate a frame, None for a frame that was left out.

    Raises:
        ScoreError: they are not as many.
    """
    scores = {name: ClipScore() for name in (INPUT, *streams)}
    known = None if radiances is None else iter(radiances)
    before: _Moment | None = None
    try:
        for index, (picture, *found) in enumerate(zip(pictures, *streams.values(), strict=True)):
            estimates = {name: estimate for name, estimate in zip(streams, found, strict=True) if estimate is not None}
            estimates[INPUT] = Estimate(unit(picture))
            clear = None if known is None else next(known)
            for name, estimate in estimates.items():
                scores[name].frames[index] = score_picture(estimate, None if clear is None else unit(clear), truth)
            now = _moment(picture, clear, truth, estimates)
            for name, radiance in now.radiance.items():
                scores[name].contrast[index] = float(cv2.cvtColor(radiance, cv2.COLOR_RGB2GRAY).std())
            if before is not None:
                _compare(scores, index - 1, before, now)
            before = now
    except (ValueError, StopIteration) as error:
        raise ScoreError(f"a result has another number or size of frames than the input ({error})") from error
    return scores


def summary(score: ClipScore, of_input: ClipScore, *, every: int = 1, start: int | None = None) -> dict[str, float]:
    """Means over the frames that the variant has.

    ``warped`` is the radiance's change along the motion over that of the input, each divided by its contrast: at most 1
    where a clip is no less steady than its own haze, made as strong, would be.

    Args:
        score: of the variant.
        of_input: of the pictures as they are, over the same frames.
        every: fidelity from every so-manieth frame.
        start: steadiness from only so many frames at the start.
    """
    picked = [values for index, values in score.frames.items() if index % every == 0]
    found = {key: fmean(values[key] for values in picked) for key in (picked[0] if picked else ())}
    pairs = [index for index in score.warped if start is None or index + 1 < start]
    if not pairs:
        return found
    for name in ("flicker", "pumping", "veil"):
        values = getattr(score, name)
        if values:
            found[name] = fmean(values[index] for index in pairs)
    gain = sum(score.contrast[index] for index in pairs) / max(sum(of_input.contrast[index] for index in pairs), 1e-9)
    change = sum(score.warped[index] for index in pairs) / max(sum(of_input.warped[index] for index in pairs), 1e-9)
    return found | {"contrast_gain": gain, "warped": change / max(gain, 1e-9)}


def _compare(scores: Mapping[str, ClipScore], index: int, before: _Moment, now: _Moment) -> None:
    """Measure the step from one frame to the next, for every variant that has both."""
    motion = _motion(before.grey, now.grey)
    for name in before.radiance.keys() & now.radiance.keys():
        scores[name].warped[index] = _change(before.radiance[name], now.radiance[name], *motion)
    if before.true_grey is None or now.true_grey is None:
        return
    motion = _motion(before.true_grey, now.true_grey)
    for name in before.error.keys() & now.error.keys():
        scores[name].flicker[index] = _change(before.error[name], now.error[name], *motion)
        scores[name].pumping[index] = abs(float(now.error[name].mean()) - float(before.error[name].mean()))
    for name in before.veil.keys() & now.veil.keys():
        scores[name].veil[index] = float(np.abs(now.veil[name] - before.veil[name]).mean())


def _moment(picture: ByteArray, clear: ByteArray | None, truth: Truth, estimates: Mapping[str, Estimate]) -> _Moment:
    radiance = {name: _small(estimate.radiance) for name, estimate in estimates.items()}
    if clear is None:
        return _Moment(to_grey(_small(picture)), None, radiance, {}, {})
    true = _small(unit(clear))
    return _Moment(
        to_grey(_small(picture)),
        to_grey(_small(clear)),
        radiance,
        {name: np.asarray(values - true, np.float32) for name, values in radiance.items()},
        _veils(truth, estimates),
    )


def _veils(truth: Truth, estimates: Mapping[str, Estimate]) -> dict[str, FloatArray]:
    """Errors of the haze that is taken away, by variant, small; the true haze stands still, as does an error of it."""
    if truth.through is None or truth.airlight is None:
        return {}
    true = _veil(truth.through, truth.airlight)
    return {
        name: _veil(estimate.through, estimate.airlight) - true
        for name, estimate in estimates.items()
        if estimate.through is not None and estimate.airlight is not None
    }


def _veil(through: FloatArray, airlight: Sequence[float]) -> FloatArray:
    """``(1 - t) A``: ``(h, w, 3)``, small."""
    return np.asarray((1 - _small(through))[..., None] * np.asarray(airlight, np.float32), np.float32)


def _motion(before: ByteArray, now: ByteArray) -> tuple[FloatArray, FloatArray]:
    """Flow from one frame to the next, and how far it is to be trusted."""
    flow = dense_flow(before, now)
    return flow, consistency(flow, dense_flow(now, before))


def _change(before: FloatArray, after: FloatArray, flow: FloatArray, confidence: FloatArray) -> float:
    """Change along the motion, the mean of the colours."""
    warped = backward_warp(after, flow)
    return fmean(temporal_instability(before[..., k], warped[..., k], confidence) for k in range(before.shape[2]))


def _small(picture: Any) -> Any:
    height, width = picture.shape[:2]
    if width <= WIDTH_PX:
        return picture
    return cv2.resize(picture, (WIDTH_PX, round(height * WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
