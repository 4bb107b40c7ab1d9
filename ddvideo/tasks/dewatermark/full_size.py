"""The marks at the input's own size, and the picture without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.compositing import settle_mark
from ddvideo.tasks.contract import Footage
from ddvideo.tasks.dewatermark.video.scene import HIDDEN

__all__ = ["finish"]

_FLAT = 0.02
"""Where alpha is above the mean of its neighbours by less than this, it is no edge of the mark."""


def finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """The marks at the input's size, and the picture without them; what is outside of them stays as it is."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    height, width = footage.frames[0].shape[:2]
    corners = footage.memory["corners"]
    small = footage.memory["size"]
    for t, full in enumerate(footage.frames):
        picture = full.astype(np.float32) * scale
        clean, mark = picture.copy(), np.zeros_like(picture)
        alpha = np.zeros((height, width, 1), np.float32)
        for number, corner in enumerate(corners):
            part, size = _place(corner, footage.memory[f"cover{number}"].shape, small, (height, width))
            seen = footage.maps[f"seen{number}"][t].astype(np.float32)
            through = _sized(footage.memory[f"cover{number}"], size) * seen
            if through.shape != footage.memory[f"cover{number}"].shape:
                through = np.maximum(through, _opaque(footage.memory[f"cover{number}"], size) * seen)
            colour = _sized(footage.memory[f"colour{number}"], size)
            scene = footage.maps[f"scene{number}"][t].astype(np.float32)
            if scene.shape[:2] != through.shape:
                scene = _sharpened(_sized(scene, size), picture[part], through, small[1] / width)
            over = (through > 0) & (alpha[part][..., 0] == 0)
            alpha[part][over, 0] = through[over]
            clean[part][over] = np.clip(scene[over], 0, 1)
            mark[part][over] = colour[over]
        yield _settled(picture, clean, mark, alpha)


def _place(
    corner: AnyArray, shape: tuple[int, ...], small: AnyArray, full: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Where a part of the working size lies at full size, and its height and width there."""
    ends = [round(int(corner[n] + shape[n]) * full[n] / int(small[n])) for n in range(2)]
    starts = [round(int(corner[n]) * full[n] / int(small[n])) for n in range(2)]
    return (slice(starts[0], ends[0]), slice(starts[1], ends[1])), (ends[0] - starts[0], ends[1] - starts[1])


def _sized(image: AnyArray, size: tuple[int, int]) -> FloatArray:
    if image.shape[:2] == size:
        return np.asarray(image, np.float32)
    resized = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def _opaque(alpha: FloatArray, size: tuple[int, int]) -> FloatArray:
    """1 where a mark of working size lets nothing through, and a working pixel further, since its edge is not exact."""
    grown = cv2.dilate((alpha == 1).astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.resize(grown, size[::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def _sharpened(scene: FloatArray, picture: FloatArray, alpha: FloatArray, scale: float) -> FloatArray:
    """A scene of working size with the fine detail that shows through the mark at full size."""
    clear = np.where(alpha < HIDDEN, 1 / (1 - np.minimum(alpha, np.float32(HIDDEN))), 0)[..., None]
    flat = (alpha - cv2.blur(alpha, (3, 3)) < _FLAT)[..., None]
    return np.asarray(scene + (picture - cv2.GaussianBlur(picture, (0, 0), 0.5 / scale)) * clear * flat, np.float32)


def _settled(picture: FloatArray, clean: FloatArray, mark: FloatArray, alpha: FloatArray) -> Mapping[str, FloatArray]:
    """Let the mark take what clean picture and mark do not explain, and the clean picture what the mark cannot."""
    rest = picture - (1 - alpha) * clean
    taken = np.clip(rest / np.maximum(alpha, np.float32(1e-3)), 0, 1)
    return settle_mark(picture, {"clean": clean, "mark": np.where(alpha > 0, taken, mark), "alpha": alpha})
