"""How a reflection moves across the scene: measured on the pictures less their mean along the scene's flow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.motion.flow import backward_warp
from ddvideo.motion.flow_chains import Flows, chained

__all__ = ["drift", "fine_detail", "registered_mean"]

_REACH = 8
_SAME = 0.1
"""A frame that differs by more, of 1, shows something else there."""
_EDGE = 0.02
"""Where the scene changes by more from pixel to pixel, its own motion leaves more than a reflection."""
_BAND_PX = (1.0, 8.0)
_FARTHEST, _STEP, _GAPS, _AROUND = 5.0, 0.25, (1, 2, 3, 4, 5, 6), 4
"""Speeds up to so many pixels a frame, in such steps, between frames so far apart, within so many frames."""
_SMOOTH_FRAMES = 1.5
_LOUD = 3.0
_DETAIL_PX, _DETAIL_GAIN = 2.0, 3.0


def fine_detail(frame: ByteArray) -> ByteArray:
    """What a frame has of small things, as grey ``(h, w)`` uint8 around the middle: the scene's, for a reflection is
    seldom in focus.

    Args:
        frame: ``(h, w, 3)`` RGB, at least as large as the scene is sharp.
    """
    grey = frame.astype(np.float32).mean(2)
    detail = _DETAIL_GAIN * (grey - cv2.GaussianBlur(grey, (0, 0), _DETAIL_PX))
    return np.asarray(np.clip(np.rint(127.5 + detail), 0, 255), np.uint8)


def registered_mean(pictures: Sequence[FloatArray], flows: Flows, *, reach: int = _REACH) -> list[FloatArray]:
    """Each picture averaged with those around it along the flow: what moves otherwise fades.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], which follow each other.
        flows: between neighbours, both ways.
        reach: frames either way.

    Source: Szeliski et al., CVPR 2000 (mean of registered mixtures).
    """
    means = []
    for t, picture in enumerate(pictures):
        total, weight = picture.copy(), np.ones(picture.shape[:2], np.float32)
        for step in (1, -1):
            flow: FloatArray | None = None
            for other in range(t + step, t + step * (reach + 1), step):
                if not 0 <= other < len(pictures):
                    break
                last = flows[other - step, other]
                flow = last if flow is None else chained(flow, last)
                seen = backward_warp(pictures[other], flow)
                alike = np.exp(-((np.abs(seen - picture).mean(2) / np.float32(_SAME)) ** 2))
                total += seen * alike[..., None]
                weight += alike
        means.append(np.asarray(total / weight[..., None], np.float32))
    return means


def drift(pictures: Sequence[FloatArray], scene: Sequence[FloatArray]) -> FloatArray:
    """How what is not the scene moves from each frame to the next: ``(T - 1, 2)`` pixels, x then y.

    What the pictures have beyond the scene is correlated between frames a few apart, and every speed is judged by the
    sum of the correlations along its way: one gap alone is often led astray.

    Args:
        pictures: ``(h, w, 3)`` in [0, 1], which follow each other.
        scene: the same without what moves across it, roughly.

    Source: phase correlation over several gaps; the sum along a line is a Radon transform over time.
    """
    rests = [_telling(picture - calm, calm) for picture, calm in zip(pictures, scene, strict=True)]
    speeds = np.arange(-_FARTHEST, _FARTHEST + _STEP / 2, _STEP, dtype=np.float32)
    scores = [np.zeros((len(speeds), len(speeds)), np.float32) for _ in rests[1:]]
    height, width = rests[0].shape
    spectra = [np.fft.rfft2(rest, s=(2 * height, 2 * width)).astype(np.complex64) for rest in rests]
    norms = [float(np.sqrt((rest**2).sum())) for rest in rests]
    for gap in _GAPS:
        for first in range(len(rests) - gap):
            correlation = np.fft.irfft2(np.conj(spectra[first]) * spectra[first + gap], s=(2 * height, 2 * width))
            own = _along(correlation / (norms[first] * norms[first + gap] + 1e-9), speeds * gap)
            # Frames within reach of both ends are taken to go at one speed.
            for t in range(max(first + gap - 1 - _AROUND, 0), min(first + _AROUND + 1, len(scores))):
                scores[t] += own
    best = [np.unravel_index(score.argmax(), score.shape) for score in scores]
    found = np.array([(speeds[column], speeds[row]) for row, column in best], np.float32).reshape(-1, 2)
    return np.asarray(gaussian_filter1d(found, _SMOOTH_FRAMES, axis=0, mode="nearest"), np.float32)


def _telling(rest: FloatArray, scene: FloatArray) -> FloatArray:
    """The rest in a band of sizes, ``(h, w)``, less where the scene has edges and at the frame's border."""
    grey, calm = rest.mean(2), scene.mean(2)
    down, right = np.gradient(calm)
    edges = cv2.GaussianBlur(np.hypot(down, right).astype(np.float32), (0, 0), 1)
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), size) for size in _BAND_PX)
    height, width = grey.shape
    border = np.sqrt(np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1]))
    band = (fine - coarse) / (1 + (edges / _EDGE) ** 2) * border
    most = _LOUD * float(band.std())
    return np.asarray(np.clip(band, -most, most), np.float32)


def _along(correlation: AnyArray, shifts: FloatArray) -> FloatArray:
    """A periodic correlation ``(2 h, 2 w)`` at all pairs of shifts, ``(n, n)``: rows down, columns right."""
    height, width = correlation.shape[0] // 2, correlation.shape[1] // 2
    reach = int(np.ceil(np.abs(shifts).max())) + 2
    down, right = min(reach, height), min(reach, width)
    near = np.roll(correlation, (down, right), (0, 1))[: 2 * down + 1, : 2 * right + 1].astype(np.float32)
    columns, rows = np.meshgrid(shifts + right, shifts + down)
    return np.asarray(cv2.remap(near, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)
