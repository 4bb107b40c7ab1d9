"""The garden: a camera passes over flowers; a still, half transparent mark lies on every frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_clips.camera import SUPERSAMPLE, Camera, down
from sample_clips.scene import Layers, Scene
from sample_clips.textures import meadow, mix, smoothstep

__all__ = ["Garden"]

Array = NDArray[np.float32]


class Garden(Scene):
    """Layers: ``clean``, ``mark`` and ``alpha``; the frame is (1 - alpha) clean + alpha mark. No mark: alpha is 0."""

    def __init__(
        self, name: str, *, seed: int, frames: int = 40, width: int = 320, height: int = 180, marked: bool = True
    ) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        rng = np.random.default_rng(seed)
        h, w = height + 140, width + 180
        # A little softer than the pixels, as a lens is: finer colour would not survive 4:2:0.
        self.ground = cv2.GaussianBlur(meadow(rng, SUPERSAMPLE * h, SUPERSAMPLE * w), (0, 0), 0.55 * SUPERSAMPLE)
        self.camera = Camera(
            width=width,
            height=height,
            start=(w / 2 - 30, h / 2 + 12),
            speed_px=(1.5, -0.5),
            sway_px=(5, 4),
            period_frames=58,
            turn_degrees=2.0,
            zoom=0.1,
        )
        mark, alpha = _mark(height, width)
        self.mark, self.alpha = mark, alpha if marked else np.zeros_like(alpha)

    def layers(self, index: int) -> Layers:
        """``clean`` and ``mark`` ``(H, W, 3)``, ``alpha`` ``(H, W, 1)``; mark and alpha are the same in every frame."""
        return {"clean": down(self.camera.view(self.ground, index)), "mark": self.mark, "alpha": self.alpha}

    def compose(self, layers: Layers) -> Array:
        """The mark laid over the clean frame."""
        a = layers["alpha"]
        return np.asarray((1 - a) * layers["clean"] + a * layers["mark"], np.float32)


def _mark(height: int, width: int) -> tuple[Array, Array]:
    """A round badge with a leaf and a line of letters, lower right, at most 0.55 opaque."""
    big = 4
    ink = np.zeros((height * big, width * big), np.float32)
    cx, cy, r = int(0.53 * width) * big, int(0.8 * height) * big, 17 * big
    cv2.circle(ink, (cx, cy), r, 1.0, 3 * big, cv2.LINE_AA)
    cv2.ellipse(ink, (cx, cy), (int(0.62 * r), int(0.3 * r)), -45, 0, 360, 1.0, -1, cv2.LINE_AA)
    cv2.line(ink, (cx - r // 2, cy + r // 2), (cx + r // 2, cy - r // 2), 0.0, big, cv2.LINE_AA)
    _letters(ink, cx + r + 7 * big, cy + 8 * big, 7 * big, 2 * big + 1)
    ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    alpha = 0.55 * np.clip(ink, 0, 1)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    mark = mix((0.98, 0.98, 0.95), (0.86, 0.93, 0.98), smoothstep(0.65, 0.9, rows))
    return mark, alpha[..., None].astype(np.float32)


def _letters(ink: Array, x: int, base: int, r: int, pen: int) -> None:
    """Write "meadow" in place with a round pen, so that no font of the machine decides how the clip looks."""

    def bow(cx: int, start: float, stop: float, radius: int = r) -> None:
        cv2.ellipse(ink, (cx, base - r), (radius, r), 0, start, stop, 1.0, pen, cv2.LINE_AA)

    def stroke(*points: tuple[int, int]) -> None:
        cv2.polylines(ink, [np.array(points, np.int32)], False, 1.0, pen, cv2.LINE_AA)

    half = r // 2
    for k in range(2):
        bow(x + half + k * r, 180, 360, half)
    for k in range(3):
        stroke((x + k * r, base - r), (x + k * r, base))
    stroke((x, base - 2 * r), (x, base))
    at = x + 2 * r + r // 2 + pen + r
    bow(at, 35, 360)
    stroke((at - r, base - r), (at + r, base - r))
    for letter in "ado":
        at += 2 * r + half + pen
        bow(at, 0, 360)
        if letter != "o":
            stroke((at + r, base - (4 if letter == "d" else 2) * r), (at + r, base))
    at += r + half + pen
    stroke(*[(at + k * (r * 2 // 3), base - (2 * r if k % 2 == 0 else 0)) for k in range(5)])
