"""Marks laid over clean pictures by a known model, so that the clean picture, the mark and its alpha are known.

Two are measured or drawn by others and lie in the data folder; the rest is drawn here, in proportion to the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.davis import DataError
from benchmarks.material import needed, unit
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.compositing import mark_over

__all__ = ["INSIDE", "KINDS", "Mark", "compose", "grown_box", "make_mark"]

INSIDE = 0.02
"""A pixel lies inside a mark whose alpha is above this there."""
MARGIN = 1 / 18
"""From the mark to the edge of the frame, as a share of its height."""
FINE = 8
"""Shapes are drawn so many times larger and averaged, for smooth edges."""
LARGE_PX = 720
"""From this height on, the measured mark is twice as large."""
OPAQUE = 0.98
"""From this alpha on, nothing can be seen of what lies under a mark."""

Box: TypeAlias = tuple[int, int, int, int]
"""A part of a frame in pixels: x, y, width, height."""
Drawing: TypeAlias = tuple[FloatArray, FloatArray]
"""Alpha ``(h, w)`` of a mark at full strength, and its colour, ``(h, w, 3)`` RGB or one for all; all in [0, 1]."""

WHITE = np.ones(3, np.float32)
RED, BLUE, GREEN = np.array([(0.92, 0.16, 0.12), (0.08, 0.28, 0.9), (0.05, 0.55, 0.3)], np.float32)
TIME_CODE = "REC 00:12:34:07"


@dataclass(frozen=True)
class Mark:
    """A mark in its frame: alpha ``(H, W)``, colour ``(H, W, 3)``, float32 in [0, 1], and the box around its inside."""

    name: str
    alpha: FloatArray
    colour: FloatArray
    box: Box

    @cached_property
    def inside(self) -> BoolArray:
        """``(H, W)``: where the mark can be seen."""
        return np.asarray(self.alpha > INSIDE, np.bool_)

    @cached_property
    def outside(self) -> BoolArray:
        """``(H, W)``: where there is nothing of it at all."""
        return np.asarray(self.alpha == 0, np.bool_)

    @property
    def opaque(self) -> bool:
        """Whether it hides something wholly."""
        return bool(self.alpha.max() >= OPAQUE)


@dataclass(frozen=True)
class Kind:
    """How a mark is drawn for a frame of so many rows, and where it lies: 0 is left or top, 1 right or bottom."""

    draw: Callable[[Path, int], Drawing]
    across: float
    down: float


def make_mark(kind: str, strength: float, data: Path, height: int, width: int) -> Mark:
    """A mark in a frame of this size.

    Args:
        kind: one of ``KINDS``.
        strength: what its alpha is multiplied by, in (0, 1].
        data: root of the evaluation data.
        height: of the frame, in pixels.
        width: likewise.

    Raises:
        DataError: its file is missing or cannot be read, or the frame is too small.
    """
    alpha, colour = KINDS[kind].draw(data, height)
    margin = round(MARGIN * height)
    free = [size - 2 * margin - part for size, part in zip((height, width), alpha.shape, strict=True)]
    if min(free) < 0:
        raise DataError(f"the mark {kind}, {alpha.shape[1]}x{alpha.shape[0]}, does not fit into {width}x{height}")
    top, left = margin + round(KINDS[kind].down * free[0]), margin + round(KINDS[kind].across * free[1])
    where = np.s_[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    alphas, colours = np.zeros((height, width), np.float32), np.zeros((height, width, 3), np.float32)
    alphas[where], colours[where] = np.float32(strength) * alpha, colour
    return Mark(f"{kind}-{strength:g}", alphas, colours, _box_of(alphas > INSIDE))


def compose(clean: ByteArray, mark: Mark) -> ByteArray:
    """The marked picture ``(1 - a) C + a W``, ``(H, W, 3)`` uint8 RGB, rounded; the same as ``clean`` where a is 0."""
    layers = {"clean": unit(clean), "mark": mark.colour, "alpha": mark.alpha[..., None]}
    return np.asarray(np.clip(np.rint(255 * mark_over(layers)), 0, 255), np.uint8)


def grown_box(mark: Mark, by_px: int) -> Box:
    """The box around a mark with so many pixels more on each side, as far as the frame goes."""
    x, y, width, height = mark.box
    rows, columns = mark.alpha.shape
    left, top = max(x - by_px, 0), max(y - by_px, 0)
    return left, top, min(x + width + by_px, columns) - left, min(y + height + by_px, rows) - top


def _measured(data: Path, height: int) -> Drawing:
    """A product mark whose alpha was measured: at most 0.51, with some noise beside its shape."""
    alpha = unit(_read_grey(data / "watermark" / "marks" / "measured_alpha_96.png"))
    if height >= LARGE_PX:
        alpha = np.asarray(cv2.resize(alpha, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.float32)
    return alpha, WHITE


def _text(data: Path, height: int) -> Drawing:
    """Lines of small text over half the frame's height."""
    page = unit(255 - _read_grey(data / "watermark" / "pairs" / "text_mark" / "watermark.png"))
    size = height // 2
    return np.asarray(cv2.resize(page, (size, size), interpolation=cv2.INTER_AREA), np.float32), WHITE


def _logo(data: Path, height: int) -> Drawing:
    """A triangle over a disc, each of its own colour."""
    size = height // 4
    canvas = np.zeros((2, FINE * size, FINE * size), np.uint8)
    reach = FINE * size - 1
    cv2.circle(canvas[0], (round(0.38 * reach), round(0.38 * reach)), round(0.38 * reach), 255, cv2.FILLED)
    corners = [(0.3, 1.0), (1.0, 1.0), (0.72, 0.32)]
    cv2.fillPoly(canvas[1], [np.rint(reach * np.array(corners)).astype(np.int32)], 255)
    disc, triangle = (unit(_averaged(layer, size)) for layer in canvas)
    alpha = np.asarray(1 - (1 - disc) * (1 - triangle), np.float32)
    light = triangle[..., None] * BLUE + ((1 - triangle) * disc)[..., None] * RED
    return alpha, np.asarray(light / np.maximum(alpha, 1e-6)[..., None], np.float32)


def _thin(data: Path, height: int) -> Drawing:
    """A time code in strokes of about a pixel."""
    return unit(_letters(TIME_CODE, height / 600)), WHITE


def _badge(data: Path, height: int) -> Drawing:
    """A plate with a letter on it, which hides what lies under it."""
    rows, columns = round(height * 50 / 360), round(height * 70 / 360)
    letter = unit(_letters("B", height / 300, thickness=2))
    top, left = (rows - letter.shape[0]) // 2, (columns - letter.shape[1]) // 2
    cover = np.zeros((rows, columns, 1), np.float32)
    cover[top : top + letter.shape[0], left : left + letter.shape[1], 0] = letter
    return np.ones((rows, columns), np.float32), np.asarray(cover + (1 - cover) * GREEN, np.float32)


KINDS: Mapping[str, Kind] = {
    "measured": Kind(_measured, 1, 1),
    "text": Kind(_text, 0.5, 0.5),
    "logo": Kind(_logo, 0, 0),
    "thin": Kind(_thin, 0, 1),
    "badge": Kind(_badge, 1, 0),
}


def _letters(text: str, scale: float, thickness: int = 1) -> ByteArray:
    """A line of text as ``(h, w)`` uint8, as narrow as it is."""
    (columns, rows), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    canvas = np.zeros((2 * (rows + below) + 20, 2 * columns + 20), np.uint8)
    at = (10, rows + below + 10)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    x, y, width, height = _box_of(canvas > 0)
    return canvas[y : y + height, x : x + width]


def _averaged(layer: ByteArray, size: int) -> ByteArray:
    return np.asarray(cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _box_of(where: BoolArray) -> Box:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top


def _read_grey(path: Path) -> ByteArray:
    picture = cv2.imread(str(needed(path)), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise DataError(f"{path} cannot be read as an image")
    return np.asarray(picture, np.uint8)
