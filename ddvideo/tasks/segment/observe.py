"""What one frame, and those around it, say of each superpixel: motion, looks, sharpness, place."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.config import Settings
from ddvideo.graph.features import appearance
from ddvideo.graph.superpixels import mean_per_label, superpixels, to_lab
from ddvideo.media.working import working_frame
from ddvideo.motion.temporal_filter import FLOWS
from ddvideo.tasks.contract import Neighbourhood, Observation
from ddvideo.tasks.segment.motion_cues import mismatch, motion_barrier, observe_motion
from ddvideo.tasks.segment.saliency import border_saliency, centre_prior, sharpness

__all__ = ["observe"]

_SUPERPIXELS, _SUPERPIXEL_PX = 1200, 85
"""At most so many superpixels a frame, of about so many pixels: smaller ones have no look of their own."""
_CUES_PX = 432
"""Longer side, at most, at which motion is looked at, and what fits along it: their thresholds are for this size."""


def observe(around: Neighbourhood, settings: Settings) -> Observation:
    """The superpixels of a frame, the cues of each, ``(n,)``, and the flow to the frames before and after."""
    frame = around.frames[0]
    size = frame.shape[1::-1]
    lab = to_lab(frame)
    labels = superpixels(lab, min(_SUPERPIXELS, max(size[0] * size[1] // _SUPERPIXEL_PX, 4)))
    count = int(labels.max()) + 1
    features = appearance(lab, labels, count)
    small = {offset: working_frame(other, _CUES_PX) for offset, other in around.frames.items()}
    motion = observe_motion(small)
    near, far = mismatch(small, motion.flows)

    def enlarged(values: FloatArray) -> FloatArray:
        if values.shape[1::-1] == size:
            return values
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)

    def mean(values: FloatArray) -> FloatArray:
        return mean_per_label(enlarged(values), labels, count)

    observed: dict[str, AnyArray] = {
        "labels": labels.astype(np.uint16),
        "features": features,
        "motion": mean(motion.saliency),
        "residual_px": mean(motion.residual_px),
        "barrier": motion_barrier({offset: enlarged(flow) for offset, flow in motion.flows.items()}, labels, count),
        "unfit": mean(near),
        "unfit_far": mean(far),
        "sharpness": mean(sharpness(to_lab(small[0]))),
        "standout": border_saliency(features, lab, labels, count),
        "centre": centre_prior(labels, count),
        "speed_px": np.array(motion.speed_px, np.float32),
    }
    scale = np.array((size[0] / small[0].shape[1], size[1] / small[0].shape[0]), np.float32)
    for offset, name in FLOWS.items():
        if offset in motion.halved:
            observed[name] = (motion.halved[offset] * scale).astype(np.float16)
    return observed
