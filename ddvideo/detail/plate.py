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
_CELL_PX, _CARRIED_CELLS = 8, 16
"""What is missed around a hole is measured in cells of so many pixels, and carried so far."""


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
    box = _around(hidden, _CARRIED_CELLS * _CELL_PX)
    hole, near = hidden[box][..., None], frame[box]
    weight = np.clip(seen[box], 0, 1)[..., None]
    guess = weight * filled[box] + (1 - weight) * behind[box]
    # Light differs between frames: what the guess misses around the hole is carried into it, smoothly.
    height, width = hole.shape[:2]
    size = (max(width // _CELL_PX, 1), max(height // _CELL_PX, 1))
    rim = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    miss = cv2.resize(np.where(hole, 0, near - guess), size, interpolation=cv2.INTER_AREA)
    mass = cv2.GaussianBlur(rim, (0, 0), _CARRIED_CELLS / 4) + 1e-4
    carried = cv2.resize(cv2.GaussianBlur(miss, (0, 0), _CARRIED_CELLS / 4) / mass[..., None], (width, height))
    whole = frame.copy()
    whole[box] = np.where(hole, np.clip(guess + carried, 0, 1), near)
    return whole


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
    if not wanted.any():
        return colour, seen
    box = _around(wanted, _MARGIN_PX)
    (top, bottom), (left, right) = ((part.start, part.stop) for part in box)
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


def _around(mask: BoolArray, margin_px: int) -> tuple[slice, slice]:
    """Rows and columns of a mask that is not empty, and so many more on each side as far as there are."""
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(int(rows[0]) - margin_px, 0), min(int(rows[-1]) + 1 + margin_px, height)),
        slice(max(int(columns[0]) - margin_px, 0), min(int(columns[-1]) + 1 + margin_px, width)),
    )


def _others(index: int, count: int) -> list[int]:
    """Frames to ask, nearest in time first."""
    return [index + sign * gap for gap in _OFFSETS for sign in (-1, 1) if 0 <= index + sign * gap < count]
