"""Cues from a frame's optical flow: where something moves on its own, and whether it looks the same along the flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.graph.barrier import barrier_distance
from ddvideo.graph.superpixels import adjacent_labels, border_labels, mean_per_label, to_lab
from ddvideo.motion.camera import flow_residual, residual_saliency
from ddvideo.motion.flow import backward_warp, dense_flow, to_grey

__all__ = ["MotionEvidence", "mismatch", "motion_barrier", "observe_motion"]

_STILL_PX = 0.25
"""A residual under so many working pixels, at the gap where it is largest, is noise of the flow."""
_LEAST_BARRIER_PX = 0.5
"""Barriers of the flow lower than this, at a gap of one frame, are noise; further apart it grows with the root."""
_WINDOW_PX, _AVERAGED_PX = 4.0, 3.0
_NOISE_LAB = 2.0
_STEP_PX = 3
"""Models of the camera are fitted to every so many pixels of half the size, at which the flow has all its detail."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionEvidence:
    """Motion of one frame against its neighbours, at working size."""

    saliency: FloatArray
    """``(h, w)`` in [0, 1]: speed that the camera does not explain; 0 where nothing moves or there is no neighbour."""
    speed_px: float
    """The fastest hundredth of the frame moves on its own by so many pixels, at the gap where it is fastest."""
    residual_px: FloatArray
    """``(h, w)``: speed that the camera does not explain, pixels from one frame to the next; 0 without a neighbour."""
    flows: Mapping[int, FloatArray]
    """``(h, w, 2)``, pixels, to the frames around it, by their offset."""
    halved: Mapping[int, FloatArray]
    """``(h/2, w/2, 2)``, the same in half the size, still in pixels of the whole."""


def observe_motion(frames: Mapping[int, ByteArray]) -> MotionEvidence:
    """Compare a frame with those around it.

    At each distance in time, the smaller of the residuals forth and back counts, since what is uncovered on one side is
    not on the other; the saliencies of the distances are averaged.

    Args:
        frames: by their offset from the frame, ``(h, w, 3)`` RGB; 0 is the frame itself.
    Source: the residual of a robustly fitted camera model is the classic motion cue (Papazoglou and Ferrari, ICCV
    2013; Faktor and Irani, BMVC 2014); the form of the saliency is this project's.
    """
    greys = {offset: to_grey(frame) for offset, frame in frames.items()}
    here = greys[0]
    size = here.shape[1::-1]
    half = (max(size[0] // 2, 1), max(size[1] // 2, 1))
    flows = {offset: dense_flow(here, grey) for offset, grey in greys.items() if offset}
    halved = {offset: _shrunk(flow, half) for offset, flow in flows.items()}
    saliencies, residuals, speed = [], [], 0.0
    for gap in sorted({abs(offset) for offset in flows}):
        residual = np.minimum.reduce([flow_residual(halved[o], step_px=_STEP_PX) for o in (-gap, gap) if o in flows])
        top = float(np.quantile(residual, 0.99))
        speed = max(speed, top)
        saliencies.append(residual_saliency(residual) if top > _STILL_PX else np.zeros_like(residual))
        residuals.append(residual / gap)
    nothing = np.zeros(here.shape, np.float32)
    return MotionEvidence(
        saliency=_enlarged(np.asarray(np.mean(saliencies, axis=0), np.float32), size) if saliencies else nothing,
        speed_px=speed,
        residual_px=_enlarged(residuals[0], size) if residuals else nothing,
        flows=flows,
        halved=halved,
    )


def _shrunk(flow: FloatArray, size: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_AREA), np.float32)


def _enlarged(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)


def motion_barrier(flows: Mapping[int, FloatArray], labels: AnyArray, count: int) -> FloatArray:
    """How far each superpixel's motion is shut off from that of the frame's edge, averaged over the neighbours.

    Unlike a residual it needs no model of the camera: a background with parallax leads to the edge step by step.

    Args:
        flows: ``(h, w, 2)``, pixels, by the offset of the frame they lead to.
        labels: ``(h, w)``, 0 to ``count - 1``.
        count: of superpixels.

    Returns:
        ``(count,)`` float32 in [0, 1].
    Source: Hu, Huang and Schwing, ECCV 2018 (barrier distances of the flow as a motion cue).
    """
    if not flows:
        return np.zeros(count, np.float32)
    pairs, border = adjacent_labels(labels), border_labels(np.asarray(labels, np.int32), count)
    total = np.zeros(count, np.float32)
    for offset, flow in flows.items():
        barrier = barrier_distance(mean_per_label(flow, labels, count), pairs, border)
        total += barrier / max(float(np.quantile(barrier, 0.99)), _LEAST_BARRIER_PX * abs(offset) ** 0.5)
    return np.asarray(np.minimum(total / len(flows), 1), np.float32)


def mismatch(frames: Mapping[int, ByteArray], flows: Mapping[int, FloatArray]) -> tuple[FloatArray, FloatArray]:
    """How badly the nearest and the farthest frames around fit one along the flow, in parts of the local contrast.

    What is solid comes along with its flow; water, whose patterns come and go, does not, and the less the further the
    frames are apart. Of those before and after, the one that fits better counts.

    Args:
        frames: by their offset, ``(h, w, 3)`` RGB; 0 is the frame itself.
        flows: ``(h, w, 2)``, pixels, likewise.

    Returns:
        Two of ``(h, w)``, >= 0, of the nearest and of the farthest; zeros where there is no other frame.
    """
    here = _calm_lab(frames[0])
    gaps = {abs(offset) for offset in flows}
    if not gaps:
        return np.zeros(here.shape[:2], np.float32), np.zeros(here.shape[:2], np.float32)
    mean = cv2.GaussianBlur(here, (0, 0), _WINDOW_PX)
    variance = np.maximum(cv2.GaussianBlur(here * here, (0, 0), _WINDOW_PX) - mean * mean, 0).sum(2)
    contrast = np.sqrt(variance) + _NOISE_LAB

    def least(gap: int) -> FloatArray:
        there = [offset for offset in (-gap, gap) if offset in flows]
        misses = [((backward_warp(_calm_lab(frames[o]), flows[o]) - here) ** 2).sum(2) for o in there]
        averaged = [cv2.GaussianBlur(np.sqrt(miss), (0, 0), _AVERAGED_PX) for miss in misses]
        return np.asarray(np.minimum.reduce(averaged) / contrast, np.float32)

    return least(min(gaps)), least(max(gaps))


def _calm_lab(frame: ByteArray) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(to_lab(frame), (0, 0), 0.7), np.float32)
