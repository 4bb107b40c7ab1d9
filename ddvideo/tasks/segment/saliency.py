"""Cues from a single frame's looks: what differs from the frame's border, what lies near the middle, what is sharp."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.graph.barrier import barrier_distance
from ddvideo.graph.superpixels import adjacent_labels, border_labels, mean_per_label

__all__ = ["border_saliency", "centre_prior", "sharpness"]

_SPREAD = 0.3
"""Standard deviation, in parts of the frame."""
_NOISE_LAB = 2.0
"""Differences of colour under this are noise, and are not spread out by the whitening."""
_LIKES = 3
"""A superpixel is compared to its so many nearest on the border."""
_POSITION = 2
"""The last features tell the place, which is no look."""
_FINE_PX, _AROUND_PX = 1.2, 3.0
_LEAST_BARRIER, _LEAST_UNLIKENESS = 3.0, 0.2
"""Under this nothing stands out: in deviations of the frame's colours, and in units of the features."""


def centre_prior(labels: AnyArray, count: int) -> FloatArray:
    """How near each superpixel lies to the middle of the frame, where people put what they film.

    Args:
        labels: ``(h, w)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count,)`` in (0, 1].
    Source: Judd et al., ICCV 2009 (the centre bias of photographs).
    """
    height, width = labels.shape
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, width), np.linspace(-0.5, 0.5, height))
    return mean_per_label(np.exp(-(x**2 + y**2) / (2 * _SPREAD**2)).astype(np.float32), labels, count)


def border_saliency(features: FloatArray, lab: FloatArray, labels: AnyArray, count: int) -> FloatArray:
    """How clearly each superpixel of a frame stands out from the frame's border.

    The mean of two measures, each over its 99th percentile: the barrier of colour between it and the border, and how
    unlike its nearest on the border it looks (what occurs again there is background). The first holds a plain object
    together, the second tells it by its texture.

    Args:
        features: ``(count, D)`` of :func:`ddvideo.graph.features.appearance`.
        lab: ``(h, w, 3)`` L*a*b*.
        labels: ``(h, w)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count,)`` float32 in [0, 1]; 0 everywhere where all looks alike.
    Source: Zhang et al., ICCV 2015 (minimum barrier distance); Boiman and Irani, IJCV 2007 (what cannot be composed of
    the rest's patches stands out), with the border as the rest. Colours are whitened as in the former's section 3.3.
    """
    border = border_labels(labels, count)
    barrier = barrier_distance(_whitened(mean_per_label(lab, labels, count)), adjacent_labels(labels), border)
    unlike = _unlikeness(features[:, :-_POSITION], border)
    return (_over_top(barrier, _LEAST_BARRIER) + _over_top(unlike, _LEAST_UNLIKENESS)) / np.float32(2)


def _whitened(colours: FloatArray) -> FloatArray:
    """Colours ``(N, 3)`` in units of their own deviations, so that a muted frame counts as much as a gaudy one."""
    centred = colours - colours.mean(0)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(colours) + _NOISE_LAB**2 * np.eye(3))
    return np.asarray(centred @ axes / np.sqrt(variance), np.float32)


def _unlikeness(looks: FloatArray, border: BoolArray) -> FloatArray:
    """Mean distance of each superpixel to its nearest on the border, itself left out, ``(N,)``."""
    around = np.flatnonzero(border)
    nearest = min(_LIKES, len(around) - 1)
    if nearest < 1:
        return np.zeros(len(looks), np.float32)
    squared = (looks**2).sum(1)[:, None] + (looks[around] ** 2).sum(1) - 2 * looks @ looks[around].T
    squared[around, np.arange(len(around))] = np.inf
    few = np.partition(squared, nearest - 1, axis=1)[:, :nearest]
    return np.asarray(np.sqrt(np.maximum(few, 0)).mean(1), np.float32)


def _over_top(values: FloatArray, least: float) -> FloatArray:
    """From the least to the 99th percentile as 0 to 1; all 0 where that is not ``least`` apart."""
    low, high = float(values.min()), float(np.quantile(values, 0.99))
    if high - low < least:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def sharpness(lab: FloatArray) -> FloatArray:
    """Contrast of the finest detail around each pixel, ``(h, w)`` in units of L*a*b*: ``lab`` is ``(h, w, 3)``.

    A mirror image on water, and what is out of focus, lacks what the thing itself has.
    """
    fine = lab - cv2.GaussianBlur(lab, (0, 0), _FINE_PX)
    return np.asarray(np.sqrt(cv2.GaussianBlur((fine * fine).sum(2), (0, 0), _AROUND_PX)), np.float32)
