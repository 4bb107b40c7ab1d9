"""From the arrays that callers have to the samples that files hold."""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import ShapeError

__all__ = ["check_frame", "pad_to", "to_depth"]


def check_frame(frame: AnyArray, width: int, height: int, channels: tuple[int, ...]) -> AnyArray:
    """The frame as ``(H, W)`` for one channel, else ``(H, W, C)``.

    Raises:
        ShapeError: the size is not ``height`` x ``width``, or the channel count is none of ``channels``.
    """
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[:, :, 0]
    count = 1 if frame.ndim == 2 else frame.shape[-1]
    if frame.ndim not in (2, 3) or frame.shape[:2] != (height, width) or count not in channels:
        wanted = " or ".join(str((height, width, c)) for c in channels)
        raise ShapeError(f"a frame of shape {frame.shape} was given, {wanted} is written")
    return frame


def pad_to(frame: AnyArray, width: int, height: int) -> AnyArray:
    """A frame ``(H, W)`` or ``(H, W, C)`` brought to ``height`` x ``width`` by repeating its last row and column."""
    missing = (height - frame.shape[0], width - frame.shape[1])
    if missing == (0, 0):
        return frame
    return np.pad(frame, [(0, count) for count in missing] + [(0, 0)] * (frame.ndim - 2), mode="edge")


def to_depth(frame: AnyArray, dtype: type[np.uint8] | type[np.uint16]) -> AnyArray:
    """Samples as full-range ``dtype``: float in [0, 1] is clipped and rounded, integers keep their relative value.

    Raises:
        ShapeError: the samples are of no type that ddvideo writes, or a float is NaN.
    """
    top = np.iinfo(dtype).max
    if np.issubdtype(frame.dtype, np.floating):
        scaled = np.clip(frame, 0.0, 1.0) * np.float32(top)
        if np.isnan(scaled).any():
            raise ShapeError("a frame holds NaN, which no picture can show")
        return np.asarray(np.rint(scaled), dtype=dtype)
    if frame.dtype == dtype:
        return frame
    if frame.dtype == np.uint8:
        return frame.astype(np.uint16) * np.uint16(257)
    if frame.dtype == np.uint16:
        return np.asarray((frame.astype(np.uint32) + 128) // 257, dtype=np.uint8)
    raise ShapeError(f"samples of type {frame.dtype} were given; float in [0, 1], uint8 or uint16 is written")
