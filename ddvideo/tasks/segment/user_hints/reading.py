"""A user's hints, read from their files: foreground and background of each frame, at working size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, FloatArray
from ddvideo.bounding_box import box_pixels
from ddvideo.media.masks import read_masks

__all__ = ["FrameHint", "read_hints"]

_BRIGHT = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameHint:
    """What is hinted at in one frame; maps are ``(h, w)``."""

    foreground: BoolArray
    background: BoolArray
    box: BoolArray | None = None
    """Where the foreground lies at most; outside is background."""


def read_hints(
    options: Mapping[str, Any], indices: Sequence[int], size: tuple[int, int], full_size: tuple[int, int]
) -> dict[int, FrameHint]:
    """Hints by row of a window, of the rows that have any.

    Args:
        options: see :data:`HINTS`.
        indices: frames of the window, ascending.
        size: height and width of its frames.
        full_size: height and width of the input.

    Raises:
        InputError: a file cannot be read.
        UsageError: the box is none.
    """
    marked = {name: _bright(options.get(name) or {}, options, indices, size) for name in ("fg_hint", "bg_hint")}
    boxed = options.get("box") or []
    inside = box_pixels(boxed, size, full_size) if boxed else None
    at = max(options.get("hint_frame", 0), 0)
    nothing = np.zeros(size, np.bool_)
    found = {}
    for row, index in enumerate(indices):
        box = inside if index == at else None
        foreground, background = (marked[name].get(row, nothing) for name in ("fg_hint", "bg_hint"))
        if box is not None or foreground.any() or background.any():
            # What is said to be both is not known.
            found[row] = FrameHint(foreground=foreground & ~background, background=background & ~foreground, box=box)
    return found


def _bright(
    hint: Mapping[str, Any], options: Mapping[str, Any], indices: Sequence[int], size: tuple[int, int]
) -> dict[int, BoolArray]:
    """Where a hint is bright, by row of the window."""
    if not hint:
        return {}
    first, frames = hint.get("first", max(options.get("hint_frame", 0), 0)), hint.get("frames", 1)
    rows = [row for row, index in enumerate(indices) if first <= index < first + frames]
    masks = read_masks(Path(hint["path"]), [indices[row] - first for row in rows])
    return {
        row: _at_size(np.rot90(mask, hint.get("turns", 0)), size) > _BRIGHT
        for row, mask in zip(rows, masks, strict=True)
    }


def _at_size(mask: FloatArray, size: tuple[int, int]) -> FloatArray:
    smaller = mask.shape[0] > size[0]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(mask), size[::-1], interpolation=kind), np.float32)
