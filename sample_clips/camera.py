"""Smooth camera paths, and looking through them at a canvas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SUPERSAMPLE", "Camera", "down"]

Array = NDArray[np.float32]

SUPERSAMPLE = 2
"""Scenes are drawn at so many times the clip's size and averaged, which smooths edges as a lens does."""


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A view of ``width`` x ``height`` pixels that moves over a plane.

    World units are clip pixels at zoom 1. The view's centre goes through ``start`` by ``speed_px`` a frame, swayed by
    ``sway_px`` with period ``period_frames``; it is turned by up to ``turn_degrees`` and zoomed by up to ``zoom``.
    """

    width: int
    height: int
    start: tuple[float, float]
    speed_px: tuple[float, float] = (0.0, 0.0)
    sway_px: tuple[float, float] = (0.0, 0.0)
    period_frames: float = 60.0
    turn_degrees: float = 0.0
    zoom: float = 0.0

    def matrix(self, time_frames: float, *, scale: float = 1.0) -> Array:
        """``(2, 3)``: world position to position in the view; ``scale`` slows the centre down (parallax)."""
        phase = 2 * np.pi * time_frames / self.period_frames
        cx = self.start[0] + scale * (self.speed_px[0] * time_frames + self.sway_px[0] * np.sin(phase))
        cy = self.start[1] + scale * (self.speed_px[1] * time_frames + self.sway_px[1] * np.sin(0.73 * phase + 0.6))
        angle = np.radians(self.turn_degrees) * np.sin(0.61 * phase)
        zoom = 1 + self.zoom * (0.5 - 0.5 * np.cos(0.83 * phase))
        c, s = zoom * np.cos(angle), zoom * np.sin(angle)
        tx, ty = self.width / 2 - (c * cx - s * cy), self.height / 2 - (s * cx + c * cy)
        return np.array([[c, -s, tx], [s, c, ty]], np.float32)

    def view(self, canvas: Array, time_frames: float, *, scale: float = 1.0) -> Array:
        """What is seen of ``canvas``, which is mirrored at its edges; both are ``SUPERSAMPLE`` times enlarged."""
        m = self.matrix(time_frames, scale=scale).astype(np.float64)
        # Both sides are enlarged: pixel centres sit at (k + 0.5) / SUPERSAMPLE.
        half = 0.5 - 0.5 / SUPERSAMPLE
        shift = m[:, 2] + half * (1 - m[:, :2].sum(axis=1))
        m = np.column_stack([m[:, :2], shift * SUPERSAMPLE])
        size = (self.width * SUPERSAMPLE, self.height * SUPERSAMPLE)
        seen = cv2.warpAffine(canvas, m, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        return np.clip(seen, 0, 1)

    def world(self, time_frames: float) -> tuple[Array, Array]:
        """World x and y of every pixel of the enlarged view, each ``(H * SUPERSAMPLE, W * SUPERSAMPLE)``."""
        inverse = cv2.invertAffineTransform(self.matrix(time_frames))
        x = (np.arange(self.width * SUPERSAMPLE, dtype=np.float32) + 0.5) / SUPERSAMPLE - 0.5
        y = (np.arange(self.height * SUPERSAMPLE, dtype=np.float32) + 0.5)[:, None] / SUPERSAMPLE - 0.5
        wx = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
        wy = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]
        return np.asarray(wx, np.float32), np.asarray(wy, np.float32)


def down(picture: Array) -> Array:
    """Average blocks of ``SUPERSAMPLE`` x ``SUPERSAMPLE`` pixels."""
    h, w = picture.shape[0] // SUPERSAMPLE, picture.shape[1] // SUPERSAMPLE
    return np.asarray(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA), np.float32)
