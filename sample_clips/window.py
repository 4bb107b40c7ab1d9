"""The window: a planted brick wall behind glass, in which a lit room is reflected."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_clips.camera import SUPERSAMPLE, Camera, down
from sample_clips.scene import Layers, Scene
from sample_clips.textures import bricks, leaf, mix, noise, smoothstep, stamp

__all__ = ["Window"]

Array = NDArray[np.float32]

_TRANSMITTED, _REFLECTED = 0.72, 0.34


class Window(Scene):
    """Layers: ``transmission`` and ``reflection``; the frame is their sum, which never exceeds 1.

    The two move differently: the wall is further away than the glass, and the mirrored room moves the other way.
    """

    def __init__(self, name: str, *, seed: int, frames: int = 40, width: int = 320, height: int = 180) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        rng = np.random.default_rng(seed)
        h, w = height + 120, width + 160
        self.wall = _wall(rng, SUPERSAMPLE * h, SUPERSAMPLE * w)
        self.room = _room(rng, SUPERSAMPLE * h, SUPERSAMPLE * w)
        self.outside = Camera(
            width=width,
            height=height,
            start=(w / 2 - 18, h / 2),
            speed_px=(0.9, 0.15),
            sway_px=(2, 3),
            period_frames=52,
            turn_degrees=1.2,
            zoom=0.04,
        )
        self.mirrored = Camera(
            width=width,
            height=height,
            start=(w / 2 + 26, h / 2 + 6),
            speed_px=(-1.3, -0.3),
            sway_px=(3, 2),
            period_frames=44,
            turn_degrees=2.0,
            zoom=0.05,
        )

    def layers(self, index: int) -> Layers:
        """``transmission`` and ``reflection``, each ``(H, W, 3)``, as they are added."""
        wall = down(self.outside.view(self.wall, index)) * _TRANSMITTED
        room = self.mirrored.view(self.room, index)
        # Glass mirrors more at a flat angle: towards the right here. The room is out of focus.
        fresnel = np.linspace(0.75, 1.0, self.width, dtype=np.float32)[None, :, None]
        blurred = down(cv2.GaussianBlur(room, (0, 0), 1.5 * SUPERSAMPLE)) * fresnel * _REFLECTED
        return {"transmission": wall, "reflection": np.minimum(blurred, 1 - wall)}

    def compose(self, layers: Layers) -> Array:
        """The sum."""
        return np.asarray(layers["transmission"] + layers["reflection"], np.float32)


def _wall(rng: np.random.Generator, height: int, width: int) -> Array:
    """Brickwork with a climbing plant and a shaded doorway."""
    wall = bricks(rng, height, width)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    left, right, top = 0.6 * width, 0.76 * width, 0.22 * height
    inside = smoothstep(-2, 2, np.minimum(np.minimum(x - left, right - x), y - top))
    frame = smoothstep(-2, 2, np.minimum(np.minimum(x - left + 20, right - x + 20), y - top + 20))
    grain = 1 + 0.1 * noise(rng, height, width, exponent=1.2) * (1 + 0.0 * y)
    wood = np.array((0.2, 0.34, 0.36), np.float32) * (grain * (0.8 + 0.2 * np.sin(x / 11) ** 2))[..., None]
    panel = np.maximum(np.abs(((x - left) % 78) - 39) - 27, np.abs(((y - top) % 150) - 75) - 62)
    wood = wood * (1 - 0.35 * np.exp(-((panel / 3.5) ** 2)))[..., None]
    stone = np.array((0.7, 0.66, 0.58), np.float32) * (0.9 + 0.07 * noise(rng, height, width, exponent=0.9))[..., None]
    wall = mix(mix(wall, stone.astype(np.float32), frame), wood.astype(np.float32), inside)
    fall = smoothstep(30, -6, y - top) * smoothstep(-10, 6, y - top + 2)
    wall = wall * (1 - 0.5 * fall * inside)[..., None]
    density = noise(rng, height, width, exponent=2.0) + 2.2 * smoothstep(0.45, 0.0, x / width) - 0.7
    for k in range(4200):
        r = float(1 / rng.uniform(1 / 26, 1 / 8))
        px, py = rng.uniform(0, width), rng.uniform(0, height)
        if density[min(int(py), height - 1), min(int(px), width - 1)] < rng.uniform(0, 1.4):
            continue
        rgb, alpha = leaf(rng, r, dry=bool(rng.uniform() < 0.06))
        dark = cv2.GaussianBlur(np.pad(alpha, 6), (0, 0), 3)
        stamp(wall, px + 4, py + 6, np.zeros((*dark.shape, 3), np.float32), 0.45 * dark)
        stamp(wall, px, py, rgb * (0.65 + 0.35 * k / 4200), alpha)
    sun = 0.82 + 0.22 * smoothstep(
        -0.3, 0.3, 1.2 - (x / width + 0.7 * y / height) + 0.05 * noise(rng, height, width, exponent=2.0)
    )
    return np.clip(wall * sun[..., None], 0, 1)


def _room(rng: np.random.Generator, height: int, width: int) -> Array:
    """A dim room: a bright window with panes, a shelf of books, a lamp, a plant against the light."""
    x = np.arange(width, dtype=np.float32)[None].repeat(height, 0)
    y = np.arange(height, dtype=np.float32)[:, None].repeat(width, 1)
    tone = 0.16 + 0.07 * noise(rng, height, width, exponent=1.8) + 0.08 * y / height
    room = np.array((1.0, 0.86, 0.7), np.float32) * tone[..., None]
    left, top, w, h = 0.12 * width, 0.12 * height, 0.26 * width, 0.56 * height
    pane = np.minimum(np.minimum(x - left, left + w - x), np.minimum(y - top, top + h - y))
    bars = np.minimum(np.abs((x - left) % (w / 2) - w / 4), np.abs((y - top) % (h / 3) - h / 6))
    bar = smoothstep(6, 9, np.minimum(w / 4 - np.abs((x - left) % (w / 2) - w / 4), bars + 8))
    sky = mix((0.95, 0.98, 1.0), (0.65, 0.8, 0.95), smoothstep(-1, 1.5, noise(rng, height, width, exponent=1.9)))
    trees = smoothstep(0.0, 0.4, noise(rng, height, width, exponent=1.3) + 4.5 * (y - top - 0.68 * h) / h)
    sky = mix(sky, (0.22, 0.36, 0.2), trees)
    room = mix(room, sky, smoothstep(-2, 2, pane) * bar)
    for shelf in range(4):
        base, at = height * (0.3 + 0.17 * shelf), 0.55 * width
        while at < 0.83 * width:
            thick, tall = rng.uniform(9, 26), height * rng.uniform(0.08, 0.135)
            box = np.minimum(np.minimum(x - at, at + thick - x), np.minimum(y - base + tall, base - y))
            hue = np.array(
                rng.choice(
                    [(0.7, 0.2, 0.15), (0.2, 0.35, 0.55), (0.75, 0.65, 0.35), (0.25, 0.45, 0.3), (0.8, 0.78, 0.7)]
                )
            )
            lit = 0.55 + 0.35 * np.sin(np.pi * np.clip((x - at) / thick, 0, 1))
            room = mix(room, (hue * rng.uniform(0.6, 1.0) * lit[..., None]).astype(np.float32), smoothstep(-1, 1, box))
            at += thick + rng.uniform(0, 4)
        room = mix(
            room, (0.36, 0.25, 0.16), smoothstep(9, 6, np.abs(y - base - 6)) * (x > 0.54 * width) * (x < 0.85 * width)
        )
    lamp = np.hypot(x - 0.47 * width, (y - 0.3 * height) * 1.1)
    room = room + np.array((0.5, 0.4, 0.22), np.float32) * np.exp(-lamp / 110)[..., None]
    shade = smoothstep(
        -2, 2, np.minimum(46 + 0.35 * (y - 0.3 * height) - np.abs(x - 0.47 * width), 42 - np.abs(y - 0.3 * height))
    )
    room = mix(room, (1.0, 0.9, 0.66), shade)
    for _ in range(60):
        rgb, alpha = leaf(rng, float(rng.uniform(16, 42)))
        stamp(room, rng.normal(0.38 * width, 34), rng.normal(0.68 * height, 60), rgb * 0.5, alpha)
    return np.clip(room, 0, 1).astype(np.float32)
