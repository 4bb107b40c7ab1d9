"""The background behind what hides it: taken from frames that saw it, along the camera's motion."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.detail.extend import extend_colours

__all__ = ["fill_from_frames", "plate"]

_OFFSETS = (3, 6, 10, 15, 21, 28, 36, 45, 55)
"""How far in time frames are asked: near ones first, for light and parallax have changed least there."""
_ENOUGH = 3.0
"""A pixel that so many frames have shown is filled."""
_MARGIN_PX = 24


def plate(
    index: int,
    frame: FloatArray,
    hidden: BoolArray,
    frames: Sequence[AnyArray],
    visible: Sequence[ByteArray],
    camera: FloatArray,
    drawn: AnyArray | None,
) -> FloatArray:
    """The frame where the background shows; behind the rest other frames, then what was drawn, fitted in at the rim.

    Args:
        index: which of ``frames``.
        frame: the same, ``(H, W, 3)`` in [0, 1].
        hidden: ``(H, W)``: where something is in front of the background.
        frames: ``(H, W, 3)`` uint8 or uint16, all frames at hand.
        visible: as in :func:`fill_from_frames`.
        camera: as in :func:`fill_from_frames`.
        drawn: the background as a generator drew it, ``(h, w, 3)`` uint8; None: the colours around are carried in.

    Returns:
        ``(H, W, 3)`` float32 in [0, 1].
    """
    if not hidden.any():
        return frame
    height, width = hidden.shape
    filled, seen = fill_from_frames(index, frames, visible, camera, hidden)
    if drawn is not None:
        behind = cv2.resize(drawn.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_CUBIC)
    else:
        behind = extend_colours(frame, (~hidden).astype(np.float32), reach=0.5)
    weight = np.clip(seen, 0, 1)[..., None]
    guess = weight * filled + (1 - weight) * behind
    # Light differs between frames: what the guess misses around the hole is carried into it, smoothly.
    size = (max(width // 8, 1), max(height // 8, 1))
    rim = cv2.resize((~hidden).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    miss = cv2.resize(np.where(hidden[..., None], 0, frame - guess), size, interpolation=cv2.INTER_AREA)
    mass = cv2.GaussianBlur(rim, (0, 0), 4) + 1e-4
    carried = cv2.resize(cv2.GaussianBlur(miss, (0, 0), 4) / mass[..., None], (width, height))
    return np.where(hidden[..., None], np.clip(guess + carried, 0, 1), frame).astype(np.float32)


def fill_from_frames(
    index: int,
    frames: Sequence[AnyArray],
    visible: Sequence[ByteArray],
    camera: FloatArray,
    wanted: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Look up hidden pixels of one frame in the others.

    Args:
        index: which frame.
        frames: ``(H, W, 3)`` uint8 or uint16, all frames at hand.
        visible: ``(H, W)`` uint8: 255 where a frame shows the background.
        camera: ``(T, 3, 3)`` frame to a common plane, in [-1, 1] over the frame.
        wanted: ``(H, W)``: the pixels that are asked for.

    Returns:
        Colours ``(H, W, 3)`` in [0, 1], and how many frames have shown each pixel ``(H, W)``, 0 outside ``wanted``'s
        surroundings.
    """
    height, width = wanted.shape
    colour = np.zeros((height, width, 3), np.float32)
    seen = np.zeros((height, width), np.float32)
    rows, columns = np.flatnonzero(wanted.any(1)), np.flatnonzero(wanted.any(0))
    if len(rows) == 0:
        return colour, seen
    top, left = max(rows[0] - _MARGIN_PX, 0), max(columns[0] - _MARGIN_PX, 0)
    bottom, right = min(rows[-1] + 1 + _MARGIN_PX, height), min(columns[-1] + 1 + _MARGIN_PX, width)
    box = (slice(top, bottom), slice(left, right))
    to_unit = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    from_box = to_unit @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    from_unit = np.linalg.inv(to_unit)
    size = (right - left, bottom - top)
    scale = np.float32(1 / np.iinfo(frames[index].dtype).max)
    sum_, mass = colour[box], seen[box]
    for other in _others(index, len(frames)):
        matrix = from_unit @ np.linalg.inv(camera[other].astype(np.float64)) @ camera[index] @ from_box
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        weight = cv2.warpPerspective(visible[other], matrix, size, flags=flags).astype(np.float32) / 255
        weight = np.where(weight > 0.98, weight, 0) * (mass < _ENOUGH)
        if not weight.any():
            continue
        looked = cv2.warpPerspective(frames[other], matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        sum_ += looked.astype(np.float32) * (weight * scale)[..., None]
        mass += weight
        if (mass[wanted[box]] >= _ENOUGH).all():
            break
    sum_ /= np.maximum(mass, 1e-6)[..., None]
    return colour, seen


def _others(index: int, count: int) -> list[int]:
    """Frames to ask, nearest in time first."""
    return [index + sign * gap for gap in _OFFSETS for sign in (-1, 1) if 0 <= index + sign * gap < count]
