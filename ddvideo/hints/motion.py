"""What a frame's motion tells: where something moves on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.motion.camera import flow_residual, residual_saliency
from ddvideo.motion.flow import consistency, dense_flow, to_grey

__all__ = ["MotionEvidence", "observe_motion"]

_STILL_PX = 0.25
"""A residual under so many working pixels, at the gap where it is largest, is noise of the flow."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionEvidence:
    """Motion of one frame against its neighbours, at working size."""

    seed: FloatArray
    """``(h, w)`` in [0, 1]: speed that the camera does not explain; 0 where nothing moves or there is no neighbour."""
    speed_px: float
    """The fastest hundredth of the frame moves on its own by so many pixels, at the gap where it is fastest."""
    flow: FloatArray | None
    """``(h, w, 2)``, pixels, to the next frame; None for a shot's last one."""
    confidence: FloatArray | None
    """``(h, w)`` in [0, 1]: forward and backward flow agree."""


def observe_motion(frames: Mapping[int, ByteArray]) -> MotionEvidence:
    """Compare a frame with those around it.

    At each distance in time, the smaller of the residuals forth and back counts, since what is uncovered on one side is
    not on the other; the saliencies of the distances are averaged.

    Args:
        frames: by their offset from the frame, ``(h, w, 3)`` RGB; 0 is the frame itself.
    Source: the residual of a robustly fitted camera model is the classic motion seed (Papazoglou and Ferrari, ICCV
    2013; Faktor and Irani, BMVC 2014); the form of the saliency is this project's.
    """
    greys = {offset: to_grey(frame) for offset, frame in frames.items()}
    here = greys[0]
    flows = {offset: dense_flow(here, grey) for offset, grey in greys.items() if offset}
    saliencies, speed = [], 0.0
    for gap in sorted({abs(offset) for offset in flows}):
        residual = np.minimum.reduce([flow_residual(flows[o]) for o in (-gap, gap) if o in flows])
        top = float(np.quantile(residual, 0.99))
        speed = max(speed, top)
        saliencies.append(residual_saliency(residual) if top > _STILL_PX else np.zeros_like(residual))
    seed = np.mean(saliencies, axis=0) if saliencies else np.zeros(here.shape)
    forward = flows.get(1)
    trust = None if forward is None else consistency(forward, dense_flow(greys[1], here))
    return MotionEvidence(seed=np.asarray(seed, np.float32), speed_px=speed, flow=forward, confidence=trust)
