"""Dense optical flow between frames, and the check that tells where it can be trusted."""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np

from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.errors import ShapeError

__all__ = ["FlowQuality", "TrustedFlow", "backward_warp", "consistency", "dense_flow", "to_grey"]

FlowQuality = Literal["ultrafast", "fast", "medium"]
TrustedFlow: TypeAlias = tuple[FloatArray, FloatArray]
"""Flow ``(h, w, 2)`` from one frame to another, in pixels, and how far to trust it, ``(h, w)`` in [0, 1]."""
_LEAST_PX = 64
_DIS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}


def to_grey(frame: ByteArray) -> ByteArray:
    """Luma of one frame ``(H, W, 3)`` RGB uint8, as ``(H, W)`` uint8."""
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)


def dense_flow(grey_from: ByteArray, grey_to: ByteArray, *, quality: FlowQuality = "medium") -> FloatArray:
    """Optical flow from one frame to another.

    Args:
        grey_from: ``(H, W)`` uint8.
        grey_to: likewise.
        quality: effort of the search.

    Returns:
        ``(H, W, 2)`` float32, pixels, x then y: ``grey_from[y, x]`` lies at ``grey_to[y + v, x + u]``.

    Raises:
        ShapeError: the frames differ in shape.
    Source: Kroeger et al., ECCV 2016 (dense inverse search), as OpenCV has it.
    """
    if grey_from.shape != grey_to.shape:
        raise ShapeError(f"flow needs two frames of one shape, not {grey_from.shape} and {grey_to.shape}")
    height, width = grey_from.shape
    # OpenCV's search crashes on frames that are smaller than its patches at the coarsest level: edges are repeated.
    padding = (0, max(_LEAST_PX - height, 0), 0, max(_LEAST_PX - width, 0))
    if any(padding):
        grey_from, grey_to = (
            np.asarray(cv2.copyMakeBorder(grey, *padding, borderType=cv2.BORDER_REPLICATE), np.uint8)
            for grey in (grey_from, grey_to)
        )
    flow = cv2.DISOpticalFlow.create(_DIS[quality]).calc(grey_from, grey_to, None)  # type: ignore[call-overload]
    return np.asarray(flow[:height, :width], np.float32)


def backward_warp(image: FloatArray, flow: FloatArray, *, cubic: bool = False) -> FloatArray:
    """Fetch ``image`` at where ``flow`` points: ``out[y, x] = image[y + v, x + u]``, edges repeated.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` float32.
        flow: ``(H, W, 2)`` pixels.
        cubic: interpolate with cubics, which blur less and overshoot a little, instead of bilinearly.
    """
    height, width = flow.shape[:2]
    kind = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(
        cv2.remap(image, grid_x + flow[..., 0], grid_y + flow[..., 1], kind, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def consistency(forward: FloatArray, backward: FloatArray, *, tolerance_px: float = 1.0) -> FloatArray:
    """Where going there and coming back ends at the start.

    Args:
        forward: flow ``(H, W, 2)`` from a to b, pixels.
        backward: from b to a.
        tolerance_px: error at which the confidence has fallen to 1/e.

    Returns:
        ``(H, W)`` float32 in [0, 1].
    """
    there_and_back = forward + backward_warp(backward, forward)
    error = np.sqrt((there_and_back**2).sum(-1))
    return np.asarray(np.exp(-((error / tolerance_px) ** 2)), np.float32)
