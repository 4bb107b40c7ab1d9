"""The valley: wooded ridges one behind the other, in haze that thickens with distance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_clips.camera import SUPERSAMPLE, Camera, down
from sample_clips.scene import Layers, Scene
from sample_clips.textures import mix, noise, smoothstep, stamp

__all__ = ["Valley"]

Array = NDArray[np.float32]

AIRLIGHT = (0.8, 0.83, 0.87)
_DENSITY = 0.3
_SKY_DISTANCE = 11.0
# Ridges from far to near: distance, height of the skyline and its roughness (shares of the frame), trees tried for.
_RIDGES = (
    (6.5, 0.3, 0.1, 40),
    (4.2, 0.42, 0.07, 45),
    (2.7, 0.56, 0.06, 30),
    (1.6, 0.76, 0.05, 14),
    (1.0, 0.95, 0.03, 3),
)


class Valley(Scene):
    """Layers: ``radiance``, ``transmission_map`` t and ``airlight``; the frame is t radiance + (1 - t) airlight.

    t is exp(-density x distance) averaged over a pixel.
    """

    def __init__(self, name: str, *, seed: int, frames: int = 40, width: int = 320, height: int = 180) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        rng = np.random.default_rng(seed)
        h, w = height + 60, width + 200
        self.camera = Camera(
            width=width,
            height=height,
            start=(w / 2 - 40, h / 2),
            speed_px=(2.2, 0.0),
            sway_px=(4, 2.5),
            period_frames=50,
            turn_degrees=0.8,
            zoom=0.03,
        )
        size = SUPERSAMPLE * h, SUPERSAMPLE * w
        self.sky = _sky(rng, *size)
        self.ridges = [
            (d, *_ridge(rng, *size, 30 + top * height, rough * height, trees, d)) for d, top, rough, trees in _RIDGES
        ]

    def layers(self, index: int) -> Layers:
        """``radiance`` ``(H, W, 3)``, ``transmission_map`` ``(H, W, 1)``, ``airlight`` ``(1, 1, 3)``."""
        radiance = self.camera.view(self.sky, index, scale=0.05)
        t = np.full(radiance.shape[:2], np.exp(-_DENSITY * _SKY_DISTANCE), np.float32)
        for distance, rgb, alpha, depth in self.ridges:
            seen = [self.camera.view(plane, index, scale=1 / distance) for plane in (rgb, alpha, depth)]
            # The planes of depth hold the share of a ridge's distance, nearer towards its foot.
            radiance = mix(radiance, seen[0], seen[1])
            t = t + seen[1] * (np.exp(-_DENSITY * distance * seen[2]) - t)
        airlight = np.array(AIRLIGHT, np.float32)[None, None]
        return {"radiance": down(radiance), "transmission_map": down(t)[..., None], "airlight": airlight}

    def compose(self, layers: Layers) -> Array:
        """The haze equation."""
        t = layers["transmission_map"]
        return np.asarray(t * layers["radiance"] + (1 - t) * layers["airlight"], np.float32)


def _sky(rng: np.random.Generator, height: int, width: int) -> Array:
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    blue = mix((0.36, 0.56, 0.84), (0.76, 0.86, 0.94), smoothstep(0, 0.5, y))
    cloud = noise(rng, height, width, exponent=1.9)
    cloud = cv2.resize(cloud[: height // 2], (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(mix(blue, (0.96, 0.96, 0.95), 0.85 * smoothstep(0.1, 1.6, cloud)), 0, 1)


def _ridge(
    rng: np.random.Generator, height: int, width: int, top_px: float, rough_px: float, trees: int, distance: float
) -> tuple[Array, Array, Array]:
    """Colour, alpha and relative depth of one ridge on a canvas ``(height, width)``."""
    wave = noise(rng, 8, width, exponent=1.6, low_px=width)[0]
    line = SUPERSAMPLE * (top_px + 0.6 * rough_px * cv2.GaussianBlur(wave[None], (0, 0), 3)[0])
    y = np.arange(height, dtype=np.float32)[:, None]
    under = y - line[None]
    alpha = smoothstep(-1.5, 1.5, under + 1.5 * noise(rng, height, width, exponent=0.8))
    slope = noise(rng, height, width, exponent=1.9)
    grass = mix((0.4, 0.44, 0.18), (0.58, 0.52, 0.3), smoothstep(-1, 1.5, noise(rng, height, width, exponent=1.4)))
    tone = 0.85 + 0.1 * noise(rng, height, width, exponent=0.8) + 0.16 * slope - 0.12 * smoothstep(0, 160, under)
    rgb = np.clip(grass * tone[..., None], 0, 1).astype(np.float32)
    wooded = noise(rng, height, width, exponent=1.7)
    reach = SUPERSAMPLE * 70 / distance**0.5
    at = np.column_stack([rng.uniform(0, width, trees * 30), rng.uniform(-2, reach, trees * 30)])
    for x, below in at[np.argsort(at[:, 1])]:
        foot = line[int(x)] + below
        if wooded[min(int(foot), height - 1), int(x)] < rng.uniform(-0.8, 0.5):
            continue
        size = SUPERSAMPLE * float(rng.uniform(20, 42)) / distance**0.85
        picture, shape = (_conifer if rng.uniform() < 0.7 else _crown)(rng, size)
        stamp(rgb, x + 0.12 * size, foot, 0.25 * picture, 0.5 * cv2.GaussianBlur(shape, (0, 0), 0.08 * size))
        stamp(rgb, x, foot - size / 2, picture, shape)
        stamp(alpha[..., None], x, foot - size / 2, np.ones((*shape.shape, 1), np.float32), shape)
    depth = 1 - 0.3 * np.clip(under / (90 * SUPERSAMPLE), 0, 1)
    return rgb, alpha, np.asarray(depth, np.float32)


def _conifer(rng: np.random.Generator, size: float) -> tuple[Array, Array]:
    """A fir ``size`` pixels high: ragged tiers of branches, lit from the left."""
    n, half = max(int(size), 8), max(int(0.3 * size), 4)
    y = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, 2 * half, dtype=np.float32)[None]
    tiers = int(rng.integers(6, 10))
    width = (0.12 + 0.88 * y) * (0.62 + 0.38 * ((y * tiers) % 1)) * rng.uniform(0.7, 1.0)
    rough = noise(rng, n, 2 * half, exponent=0.5)
    edge = width * (1 + 0.16 * rough) - np.abs(x)
    trunk = (np.abs(x) < 0.07) * (y > 0.9)
    alpha = np.maximum(smoothstep(-0.06, 0.12, edge) * (y < 0.95), trunk)
    tone = 0.55 + 0.3 * ((y * tiers) % 1) - 0.28 * x / np.maximum(width, 0.1) * 0.8 + 0.14 * rough
    hue = np.array(rng.choice([(0.17, 0.26, 0.12), (0.22, 0.3, 0.11), (0.14, 0.23, 0.13)]))
    return np.clip(hue * tone[..., None] * 1.5, 0, 1).astype(np.float32), alpha.astype(np.float32)


def _crown(rng: np.random.Generator, size: float) -> tuple[Array, Array]:
    """A broad-leaved tree ``size`` pixels high: a lumpy crown, lit from the upper left."""
    n = max(int(size), 8)
    y = np.linspace(-1, 1, n, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, n, dtype=np.float32)[None]
    lump = noise(rng, n, n, exponent=1.1)
    alpha = smoothstep(0.0, 0.12, 0.86 + 0.08 * lump - np.hypot(x * 1.15, y))
    tone = 0.8 - 0.22 * x - 0.3 * y + 0.13 * lump
    hue = np.array(rng.choice([(0.33, 0.4, 0.14), (0.42, 0.4, 0.14), (0.27, 0.37, 0.15), (0.5, 0.36, 0.13)]))
    return np.clip(hue * tone[..., None] * 1.25, 0, 1).astype(np.float32), alpha.astype(np.float32)
