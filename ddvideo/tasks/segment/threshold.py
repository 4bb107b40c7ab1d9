"""The threshold of a score: Otsu's, moved to where the area above it changes least."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray

__all__ = ["likelihood", "stable_threshold", "still_threshold", "weighted_otsu"]

_NEAR_OTSU = (0.5, 1.4)
"""Thresholds that are tried, in parts of Otsu's."""
_TRIED, _SMOOTHED = 41, 3
_SHARPNESS = 12.0
"""How strongly the steadier thresholds are preferred."""
_ROUNDING = 1e-5
_TWO_CLASSES = 0.8
"""Where two classes explain so much of the variance, there are two."""
_SOFTNESS = 0.25
"""Width of the step from 0 to 1 around the threshold, in parts of the threshold."""
_OVER_MEAN = 3.0
"""In a frame that the object does not fill, what scores so many times the mean belongs to it."""


def stable_threshold(scores: FloatArray, sizes: AnyArray, *, around: tuple[float, float] = _NEAR_OTSU) -> float:
    """The threshold around which the area above it changes least.

    An object that stands out keeps its area over a range of thresholds; where the area falls steeply, the threshold
    passes through a slope of the background or of the object's own parts. Around Otsu's threshold, each candidate is
    weighted by ``exp(-12 |d logit area / d log threshold|)``; the weighted mean of their logarithms is taken, which
    moves little where the scores do.

    Args:
        scores: ``(N,)``, >= 0.
        sizes: ``(N,)``, pixels of each.
        around: the least and the largest threshold that are tried, in parts of Otsu's.

    Returns:
        The threshold; the scores' middle where all are equal.
    Source: the criterion is that of maximally stable extremal regions (Matas et al., BMVC 2002), over a whole clip.
    """
    otsu = weighted_otsu(scores, sizes)
    if _are_equal(scores):
        return otsu
    order = np.argsort(scores)
    above = np.concatenate([np.cumsum(sizes[order][::-1])[::-1], [0]]).astype(np.float64)
    steps = np.linspace(np.log(around[0]), np.log(around[1]), _TRIED)
    tried = otsu * np.exp(steps)
    area = above[np.searchsorted(scores[order], tried, side="right")]
    # The logit, not the logarithm: a background that nearly fills the frame is no steadier than an object as small.
    slope = -np.gradient(np.log(area + 1) - np.log(above[0] - area + 1), steps)
    padded = np.pad(slope, _SMOOTHED, mode="edge")
    smooth = np.convolve(padded, np.full(2 * _SMOOTHED + 1, 1 / (2 * _SMOOTHED + 1)), "valid")
    weight = np.exp(-_SHARPNESS * (smooth - smooth.min())) * (area > 0)
    if not weight.any():
        return otsu
    return float(otsu * np.exp(np.average(steps, weights=weight)))


def likelihood(scores: FloatArray, threshold: float) -> FloatArray:
    """Scores as a likelihood, ``(N,)`` in (0, 1): one half at the threshold."""
    width = _SOFTNESS * max(threshold, 1e-6)
    return np.asarray(1 / (1 + np.exp(-np.clip((scores - threshold) / width, -30, 30))), np.float32)


def still_threshold(scores: FloatArray, sizes: AnyArray) -> float:
    """Where to cut a score that comes from one frame alone.

    Where the scores fall in two classes, between them. Otherwise the background's scores slope and are a class of
    their own: only the highest of three is taken, or what is three times the mean where that is less.

    Args:
        scores: ``(N,)``, >= 0.
        sizes: ``(N,)``, pixels of each.

    Returns:
        The threshold; one that no score reaches where all are equal.
    Source: Otsu, IEEE SMC 1979, eq. 12 (the separability that decides) and section IV (three classes); the multiple of
    the mean is from Achanta et al., CVPR 2009, who take twice.
    """
    if _are_equal(scores):
        return float(scores.max()) + 1
    otsu = weighted_otsu(scores, sizes)
    mean = float(np.average(scores, weights=sizes))
    above = scores > otsu
    share = sizes[above].sum() / sizes.sum()
    apart = np.average(scores[above], weights=sizes[above]) - np.average(scores[~above], weights=sizes[~above])
    if share * (1 - share) * apart**2 > _TWO_CLASSES * np.average((scores - mean) ** 2, weights=sizes):
        return otsu
    return min(_highest_of_three(scores, sizes), _OVER_MEAN * mean)


def _highest_of_three(values: FloatArray, weights: AnyArray, bins: int = 64) -> float:
    """The upper of the two thresholds between the three classes that explain most of the variance."""
    mass, edges = np.histogram(values.astype(np.float64), bins=bins, weights=weights)
    count = np.concatenate([[0.0], np.cumsum(mass)])
    moment = np.concatenate([[0.0], np.cumsum(mass * (edges[:-1] + edges[1:]) / 2)])
    lower, upper = np.triu_indices(bins - 1, 1) + np.array([[1], [1]])
    explained = np.zeros(len(lower))
    for begin, end in ((np.zeros_like(lower), lower), (lower, upper), (upper, np.full_like(upper, bins))):
        explained += (moment[end] - moment[begin]) ** 2 / np.maximum(count[end] - count[begin], 1e-9)
    return float(edges[upper[int(np.argmax(explained))]])


def weighted_otsu(values: FloatArray, weights: AnyArray, bins: int = 256) -> float:
    """Otsu's threshold of weighted samples (superpixels count as their pixels); the middle where all are equal.

    Args:
        values: ``(N,)``.
        weights: ``(N,)``, >= 0.
        bins: of the histogram.
    Source: Otsu, IEEE SMC 1979, eq. 18: the threshold that maximises the variance between the two classes.
    """
    low, high = float(values.min()), float(values.max())
    if _are_equal(values):
        return (low + high) / 2
    mass, edges = np.histogram(values.astype(np.float64), bins=bins, range=(low, high), weights=weights)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(mass)
    above = below[-1] - below
    moment = np.cumsum(mass * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    # Between two classes all thresholds are as good: the middle one is farthest from both.
    best = np.flatnonzero(between[:-1] >= np.nanmax(between[:-1]) * (1 - 1e-9))
    return float((centres[best[0]] + centres[best[-1]]) / 2)


def _are_equal(values: FloatArray) -> bool:
    """Whether nothing but rounding tells the values apart."""
    return float(values.max() - values.min()) < max(_ROUNDING * float(np.abs(values).max()), 1e-9)
