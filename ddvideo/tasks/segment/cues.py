"""The cues that a superpixel is foreground, how far each is trusted, and the score that they add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.graph.voting import reliability
from ddvideo.tasks.segment.consensus import Consensus
from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.regions import Regions
from ddvideo.tasks.segment.threshold import stable_threshold

__all__ = ["Cues", "motion_trust", "over_top", "score", "steadied", "threshold", "water_found"]

_TRUST, _WATER_FOUND = "trust_motion", "water"

_VOTES, _SHORT_VOTES, _FEW_VOTES = 60, 15, 3
_SLOW_PX = 0.5
"""Restlessness is divided by ``1 + speed / this``: what moves on its own is seen less well from frame to frame."""
_SOLID, _WATER = 0.07, 0.24
"""Restlessness of solid things and of water: the two hardly differ from clip to clip."""
_LOOKS = (0.3, 0.7)
"""Evidence is multiplied by ``a + b * standout``."""
_RELIABLE = (0.35, 0.45)
"""Agreement (see :func:`reliability`) at which motion begins to be used, and at which it is trusted in full."""
_AGREES = (0.5, 0.75)
"""Correlation with the motion at which the background's error begins to be used, and is trusted in full."""
_CALMER = (1.1, 1.2)
"""There is water where the foreground fits this many times better once restless parts are left out: from, in full."""
_GENERATOR = 1.2
_AROUND_OTSU = (0.4, 1.1)
_LEAST_TOP = 0.4
"""A frame in which all is fainter than that, in parts of the usual, is not raised further."""
_SMOOTHED_FRAMES = 2.0
_BESIDES = ("residual_px", "unfit_far")
_FASTEST, _AWAKE, _LEAST_AWAKE = 0.9, 0.05, 0.01
"""A frame counts less where its speed is below the second number times the shot's quantile (first number) of speeds;
the third is its least weight."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cues:
    """Of the superpixels of a window, ``(N,)`` each."""

    motion: FloatArray
    """Speed that the camera does not explain, in [0, 1]."""
    barrier: FloatArray
    """How far the motion is shut off from that of the frame's edge, in [0, 1]."""
    standout: FloatArray
    """How clearly it stands out from the frame's edge by its looks, in [0, 1]."""
    restless: FloatArray
    """How badly frames further off fit along the flow, the worse for having no motion of its own; >= 0."""
    unfit: FloatArray
    """How badly the next ones fit, whatever its motion; >= 0."""
    centre: FloatArray
    """How near it lies to the middle of the frame, in [0, 1]."""
    sharpness: FloatArray
    """Contrast of its finest detail, >= 0."""
    awake: FloatArray
    """How far anything moves in its frame, in (0, 1]."""
    unexplained: FloatArray | None = None
    """What the background generator cannot draw, in [0, 1], once it is fitted."""

    @classmethod
    def gather(cls, observations: Sequence[Mapping[str, AnyArray]], decisions: Decisions) -> Cues:
        """From the frames' observations, which have arrays of these names, of ``_BESIDES`` and ``speed_px``.

        Motion is scaled a frame: of one in which nothing moves, for the object rests or has left, noise is left. So a
        frame has the less to say the slower it is, against the fast ones of the shot.
        """
        names = [name.name for name in fields(cls) if name.name not in ("restless", "awake", "unexplained")]
        parts = {name: np.concatenate([seen[name] for seen in observations]) for name in (*names, *_BESIDES)}
        speeds = np.array([seen["speed_px"] for seen in observations], np.float32)
        fastest = decisions.once("fastest", lambda: max(float(np.quantile(speeds, _FASTEST)), 1e-6))
        awake = np.clip(speeds / (_AWAKE * fastest), _LEAST_AWAKE, 1)
        parts["awake"] = np.repeat(awake.astype(np.float32), [len(seen["motion"]) for seen in observations])
        restless = parts.pop("unfit_far") / (1 + parts.pop("residual_px") / _SLOW_PX)
        return cls(restless=np.asarray(restless, np.float32), **parts)


def over_top(values: FloatArray, name: str, decisions: Decisions, quantile: float = 0.99) -> FloatArray:
    """Values over their 99th percentile, which the shot's prior decides."""
    top = decisions.once(f"top_{name}", lambda: max(float(np.quantile(values, quantile)), 1e-6))
    return np.asarray(values / top, np.float32)


def score(cues: Cues, consensus: Consensus, regions: Regions, decisions: Decisions, name: str) -> FloatArray:
    """The score of every superpixel, voted: ``(N,)``, about 1 on the foreground of any frame.

    ``(trust * motion + barrier + generator) * looks * centre``; ``generator`` is the background generator's error, once
    that is fitted. Where there is water, the score is multiplied by ``solid^2 * sharpness``.

    Args:
        cues: of all superpixels.
        consensus: who looks alike.
        regions: frames and sizes.
        decisions: of the shot.
        name: of this score; those of anchors have the same.
    Source: the sum is R + G of this project's design; the vote is that of Faktor and Irani, BMVC 2014.
    """
    motion, barrier = over_top(cues.motion, "motion", decisions), over_top(cues.barrier, "barrier", decisions)
    restless = consensus.vote(cues.restless, steps=_FEW_VOTES, name="restless")
    solid = np.clip((_WATER - restless) / (_WATER - _SOLID), 0, 1)
    trust = decisions.once(_TRUST, lambda: _ramp(_agreed(motion, cues.awake, consensus), _RELIABLE))
    evidence = trust * motion + np.minimum(barrier, 1)
    if cues.unexplained is not None:
        unexplained = cues.unexplained

        def agreement() -> float:
            voted = [consensus.vote(part, steps=_VOTES, weights=cues.awake) for part in (motion * solid, unexplained)]
            return max(_ramp(_correlation(voted[0], voted[1], regions.sizes), _AGREES), 1 - trust)

        evidence = evidence + _GENERATOR * decisions.once("trust_generator", agreement) * unexplained
    evidence = evidence * (_LOOKS[0] + _LOOKS[1] * cues.standout) * (0.5 + 0.5 * cues.centre)

    def vote(cue: FloatArray) -> FloatArray:
        return consensus.vote(cue, steps=_VOTES, name=name, weights=cues.awake)

    def is_water() -> float:
        if trust < 1:
            return 1.0
        unfit = consensus.vote(cues.unfit, steps=_FEW_VOTES)
        found = []
        for candidate in (evidence, evidence * (0.2 + solid)):
            scores = steadied(vote(candidate), f"tried_{name}", cues, regions, Decisions())
            found.append(_typical(unfit, scores > threshold(scores, regions), regions.sizes))
        return _ramp(found[0] / max(found[1], 1e-6), _CALMER)

    water = decisions.once(_WATER_FOUND, is_water)
    if water:
        sharp = np.minimum(over_top(cues.sharpness, "sharpness", decisions, 0.9), 1)
        evidence = evidence * (1 - water + water * solid**2 * sharp)
    return steadied(vote(np.asarray(evidence, np.float32)), name, cues, regions, decisions)


def threshold(scores: FloatArray, regions: Regions) -> float:
    """Where to cut scores of motion: rather below Otsu's, for thin parts are fainter than the rest."""
    return stable_threshold(scores, regions.sizes, around=_AROUND_OTSU)


def motion_trust(decisions: Decisions) -> float:
    """How far the motion was believed when scores were made, in [0, 1]."""
    return decisions.once(_TRUST, lambda: 1.0)


def water_found(decisions: Decisions) -> float:
    """Whether there was water when scores were made, in [0, 1]."""
    return decisions.once(_WATER_FOUND, lambda: 0.0)


def steadied(scores: FloatArray, name: str, cues: Cues, regions: Regions, decisions: Decisions) -> FloatArray:
    """Scores over those of each frame's foremost superpixels, smoothed in time: faint frames are raised to a degree.

    To which, frames in which something moves decide: of the others, the object may have left.
    """
    awake = np.array([regions.of_frame(cues.awake, t)[0] for t in range(len(regions.counts))])
    tops = np.array([np.quantile(regions.of_frame(scores, t), 0.995) for t in range(len(regions.counts))])
    tops = np.asarray(gaussian_filter1d(tops, _SMOOTHED_FRAMES, mode="nearest", truncate=2))
    usual = decisions.once(f"usual_{name}", lambda: max(float(np.median(tops[awake >= 0.5 * awake.max()])), 1e-6))
    return np.asarray(scores / np.repeat(np.maximum(tops, _LEAST_TOP * usual), regions.counts), np.float32)


def _agreed(motion: FloatArray, awake: FloatArray, consensus: Consensus) -> float:
    return reliability(motion, consensus.vote(motion, steps=_SHORT_VOTES, weights=awake), awake)


def _ramp(value: float, limits: tuple[float, float]) -> float:
    return float(np.clip((value - limits[0]) / (limits[1] - limits[0]), 0, 1))


def _correlation(one: FloatArray, other: FloatArray, sizes: AnyArray) -> float:
    """Pearson's, weighted."""
    weights = sizes / sizes.sum()
    one, other = one - (weights * one).sum(), other - (weights * other).sum()
    return float((weights * one * other).sum() / np.sqrt((weights * one**2).sum() * (weights * other**2).sum() + 1e-12))


def _typical(values: FloatArray, chosen: BoolArray, sizes: AnyArray) -> float:
    """Weighted median of the chosen; 0 of none."""
    if not chosen.any():
        return 0.0
    order = np.argsort(values[chosen])
    mass = np.cumsum(sizes[chosen][order])
    return float(values[chosen][order][np.searchsorted(mass, 0.5 * mass[-1])])
