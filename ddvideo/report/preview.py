"""The preview: input and layers side by side in one picture, upright and with square pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddvideo.errors import ShapeError, UsageError
from ddvideo.types import InputInfo

__all__ = ["MATTES", "PreviewComposer", "to_bytes", "upright"]

MATTES: Mapping[str, str] = {"foreground": "alpha", "mark": "alpha"}
"""Layers that are only meant where another layer (their matte) is not zero, and that layer's name."""

LABEL_PX = 26
GAP_PX = 4
MIN_LABELLED_PX = 72
BACKDROP = np.array([24, 24, 27], np.uint8)
INK = (228, 228, 231)
CHECKER_LIGHT, CHECKER_DARK, CHECKER_PX = 168, 120, 12


def to_bytes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Turn a frame or layer into 8-bit RGB.

    Args:
        picture: ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``; float in [0, 1] (clipped, NaN becomes 0),
            uint8, or uint16 of full range.

    Returns:
        ``(H, W, 3)`` uint8; one channel is shown as grey.

    Raises:
        ShapeError: another shape.
    """
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise ShapeError(f"a picture is (H, W), (H, W, 1) or (H, W, 3), not {picture.shape}")
    if picture.dtype == np.uint8:
        levels = picture
    elif picture.dtype == np.uint16:
        levels = (picture >> 8).astype(np.uint8)
    else:
        levels = (np.clip(np.nan_to_num(picture), 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))


def upright(picture: NDArray[Any], rotation_degrees: int) -> NDArray[Any]:
    """Turn a coded picture counter-clockwise by ``rotation_degrees``, as a player does; odd angles are left alone."""
    quarter, rest = divmod(rotation_degrees, 90)
    return picture if rest else np.rot90(picture, quarter % 4)


def _checkerboard(height: int, width: int) -> NDArray[np.float32]:
    rows, columns = np.arange(height) // CHECKER_PX, np.arange(width) // CHECKER_PX
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    return np.where(odd, CHECKER_DARK, CHECKER_LIGHT).astype(np.float32)[..., None]


class PreviewComposer:
    """Lays out the input and its layers side by side, for a whole clip.

    Every picture is brought upright (rotation) and to square pixels (sample aspect ratio), and scaled down, never up,
    so that the row fits ``max_width`` and ``max_height``; width and height are even. A layer with a matte is shown
    over a checkerboard, a layer of one channel as grey.

    Args:
        info: the input; its size, rotation and pixel aspect.
        layers: names of the layers, in order of display.
        labels: write each panel's name above it (left out where panels are too narrow for it).
        max_width, max_height: at most so many pixels for the whole row (labels come on top of the height).

    Raises:
        UsageError: ``max_width`` leaves no room for the panels.
    """

    def __init__(
        self,
        info: InputInfo,
        layers: Sequence[str],
        *,
        labels: bool = True,
        max_width: int = 1920,
        max_height: int = 1080,
    ) -> None:
        self.names: tuple[str, ...] = ("input", *layers)
        self._rotation = info.rotation_degrees
        self._coded = (info.height, info.width)
        shown_width, shown_height = info.width * float(info.sample_aspect_ratio), float(info.height)
        if self._rotation % 180 == 90:
            shown_width, shown_height = shown_height, shown_width
        panels = len(self.names)
        room = (max_width - GAP_PX * (panels - 1)) / panels
        if room < 2:
            raise UsageError(f"a preview of {panels} panels does not fit into {max_width} pixels")
        scale = min(1.0, room / shown_width, max_height / shown_height)
        self.panel_width = max(2, int(shown_width * scale) // 2 * 2)
        self.panel_height = max(2, round(shown_height * scale / 2) * 2)
        self._label_px = LABEL_PX if labels and self.panel_width >= MIN_LABELLED_PX else 0
        self.width = self.panel_width * panels + GAP_PX * (panels - 1)
        self.height = self.panel_height + self._label_px
        self._checker = _checkerboard(self.panel_height, self.panel_width)
        self._canvas = self._empty_row()
        self.info = replace(
            info,
            width=self.width,
            height=self.height,
            rotation_degrees=0,
            sample_aspect_ratio=Fraction(1),
            bit_depth=8,
            field_order="progressive",
            chroma_location="left",
            mastering_display="",
            content_light="",
        )
        """Describes the preview as the encoder needs it: its own size, upright, square pixels; timing as the input."""

    def _empty_row(self) -> NDArray[np.uint8]:
        row = np.empty((self.height, self.width, 3), np.uint8)
        row[:] = BACKDROP
        if self._label_px:
            for index, name in enumerate(self.names):
                self._write(row, name.replace("_", " "), index * (self.panel_width + GAP_PX))
        return row

    def _write(self, row: NDArray[np.uint8], text: str, left: int) -> None:
        font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.5
        width = cv2.getTextSize(text, font, size, 1)[0][0]
        size *= min(1.0, (self.panel_width - 12) / max(width, 1))
        cv2.putText(row, text, (left + 6, self._label_px - 8), font, size, INK, 1, cv2.LINE_AA)

    def panel(self, picture: NDArray[Any], matte: NDArray[Any] | None = None) -> NDArray[np.uint8]:
        """One panel, ``(panel_height, panel_width, 3)`` uint8, from a coded picture and, if it has one, its matte."""
        shown = to_bytes(self._fit(picture))
        if matte is None:
            return shown
        alpha = to_bytes(self._fit(matte))[..., :1].astype(np.float32) / 255.0
        return (alpha * shown + (1.0 - alpha) * self._checker + 0.5).astype(np.uint8)

    def _fit(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Scale down first, in the picture's own type: all that follows is then done on few pixels."""
        if picture.shape[:2] != self._coded:
            raise ShapeError(f"a picture of {self._coded} (H, W) is expected here, not {picture.shape[:2]}")
        size = (self.panel_width, self.panel_height)
        if self._rotation % 180 == 90:
            size = size[::-1]
        if size != self._coded[::-1]:
            # Down to half the size four neighbours hold all there is, and are read many times as fast as areas are.
            is_near_half = 2 * size[0] >= picture.shape[1] and 2 * size[1] >= picture.shape[0]
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR if is_near_half else cv2.INTER_AREA)
        return upright(picture, self._rotation)

    def panels(self, frame: NDArray[Any], layers: Mapping[str, NDArray[Any]]) -> list[NDArray[np.uint8]]:
        """The input's panel and each layer's, in the order of ``names``.

        Args:
            frame: the input frame ``(H, W, 3)``; float in [0, 1], uint8 or uint16.
            layers: at least the layers named at the start, ``(H, W)`` or ``(H, W, C)``, same types.

        Raises:
            ShapeError: a picture is not of the input's coded size.
        """
        pictures = [self.panel(frame)]
        for name in self.names[1:]:
            pictures.append(self.panel(layers[name], layers.get(MATTES.get(name, ""))))
        return pictures

    def compose(self, frame: NDArray[Any], layers: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """The whole row, ``(height, width, 3)`` uint8 RGB; arguments and errors as ``panels``."""
        row = self._canvas.copy()
        for index, panel in enumerate(self.panels(frame, layers)):
            left = index * (self.panel_width + GAP_PX)
            row[self._label_px :, left : left + self.panel_width] = panel
        return row
