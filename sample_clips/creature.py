"""A koi seen from above: a body that bends as it swims, with fins, scales, patches and shading."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from sample_clips.textures import mix, noise, smoothstep

__all__ = ["Koi", "Pose"]

Array = NDArray[np.float32]

# Half the body's width along it, both in body lengths, from the nose (0) to the tip of the tail (1).
_ALONG = (0.0, 0.015, 0.05, 0.11, 0.19, 0.29, 0.41, 0.54, 0.66, 0.76, 0.82, 0.9, 0.97, 1.0)
_HALF_WIDTH = (0.0, 0.04, 0.072, 0.1, 0.12, 0.13, 0.125, 0.102, 0.07, 0.04, 0.036, 0.062, 0.07, 0.0)
_SKIN_PX = 640


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Middle (world units) and heading (radians) of the fish, how it bends, and the phase of its stroke."""

    x: float
    y: float
    heading: float
    bend: float
    phase: float


class Koi:
    """One fish of ``length_px`` world units; ``rng`` decides its patches."""

    def __init__(self, rng: np.random.Generator, length_px: float) -> None:
        self.length_px = length_px
        self._width = PchipInterpolator(_ALONG, _HALF_WIDTH)
        self._skin = _paint_skin(rng)

    def draw(self, x: Array, y: Array, pose: Pose) -> tuple[Array, Array]:
        """Colour ``(H, W, 3)`` and alpha ``(H, W)`` of the fish where the pixels' world positions are ``x``, ``y``."""
        near = np.hypot(x - pose.x, y - pose.y) < 0.75 * self.length_px
        rgb, alpha = np.zeros((*x.shape, 3), np.float32), np.zeros(x.shape, np.float32)
        if near.any():
            rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
            part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            rgb[part], alpha[part] = self._draw(x[part], y[part], pose)
        return rgb, alpha

    def _draw(self, x: Array, y: Array, pose: Pose) -> tuple[Array, Array]:
        c, s = np.cos(pose.heading), np.sin(pose.heading)
        dx, dy = (x - pose.x) / self.length_px, (y - pose.y) / self.length_px
        u = 0.42 - (c * dx + s * dy)
        v = c * dy - s * dx
        v = v - self._midline(u, pose)
        px = 1 / self.length_px
        body, half = self._body(u, v, px)
        fins = np.zeros_like(body)
        for side in (-1, 1):
            fins = np.maximum(
                fins, _fin(u, side * v, 0.25, 0.1, 0.17, 0.75 + 0.25 * np.sin(pose.phase + 0.5 * side), px)
            )
            fins = np.maximum(fins, _fin(u, side * v, 0.57, 0.075, 0.09, 0.6 + 0.15 * np.sin(pose.phase + 2), px))
        across = np.clip(v / np.maximum(half, 0.02), -1, 1)
        column = (u * (_SKIN_PX - 1)).astype(np.float32)
        row = ((0.5 + 0.42 * across) * (_SKIN_PX // 3 - 1)).astype(np.float32)
        skin = cv2.remap(self._skin, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # The back is a half cylinder under a light from the upper left of the world.
        light = np.sin(pose.heading) * 0.75 - np.cos(pose.heading) * 0.65
        dome = np.sqrt(np.clip(1 - across * across, 0, 1))
        tone = 0.5 + 0.46 * dome + 0.2 * light * across * np.clip(6 * half / 0.13, 0, 1)
        gloss = 0.22 * np.exp(-(((across - 0.35 * light) / 0.16) ** 2)) * smoothstep(0.75, 0.2, u)
        rgb = skin * tone[..., None] + gloss[..., None]
        rays = 0.8 + 0.14 * np.sin(60 * (u + 0.8 * np.abs(v)))
        fin_rgb = np.array((0.9, 0.62, 0.42), np.float32) * rays[..., None]
        alpha = np.maximum(body, 0.86 * fins)
        return np.clip(mix(fin_rgb.astype(np.float32), rgb.astype(np.float32), body), 0, 1), np.asarray(
            alpha, np.float32
        )

    def _midline(self, u: Array, pose: Pose) -> Array:
        """Sideways offset of the spine: a wave that runs to the tail and grows, and the bend of a turn."""
        back = np.clip(u - 0.2, -0.2, 1)
        wave = (0.012 + 0.11 * np.clip(u, 0, 1.1) ** 2) * np.sin(2 * np.pi * 0.95 * u - pose.phase)
        return np.asarray(wave - pose.bend * back * back, np.float32)

    def _body(self, u: Array, v: Array, px: float) -> tuple[Array, Array]:
        half = np.asarray(self._width(np.clip(u, 0, 1)), np.float32)
        # The tail fin is forked: its tip is cut back along the middle.
        fork = smoothstep(0.9, 1.0, u) * 0.055
        inside = np.minimum(half - np.abs(v), np.abs(v) + 0.062 - fork - 0.1 * np.clip(u - 0.94, 0, 1))
        alpha = smoothstep(-0.7 * px, 0.7 * px, inside) * (u > 0) * (u < 1)
        return np.asarray(alpha, np.float32), half


def _fin(u: Array, v: Array, root: float, offset: float, length: float, spread: float, px: float) -> Array:
    """Alpha of a petal that leaves the body at ``root`` and points outwards and back."""
    angle = 0.55 + 0.5 * spread
    c, s = np.cos(angle), np.sin(angle)
    a = (c * (u - root) + s * (v - offset)) / length
    b = (c * (v - offset) - s * (u - root)) / length
    width = 0.34 * np.clip(a, 0, 1) ** 0.7 * np.sqrt(np.clip(1 - a**3, 0, 1)) + 0.05
    edge = (width - np.abs(b + 0.12 * a * a)) * length
    return np.asarray(smoothstep(-0.7 * px, 1.2 * px, edge) * (a > -0.1) * (a < 1), np.float32)


def _paint_skin(rng: np.random.Generator) -> Array:
    """The fish unrolled ``(_SKIN_PX // 3, _SKIN_PX, 3)``: nose left, back along the middle row."""
    height, width = _SKIN_PX // 3, _SKIN_PX
    u = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(height, 0)
    v = np.linspace(-1, 1, height, dtype=np.float32)[:, None].repeat(width, 1)
    orange = smoothstep(-0.15, 0.1, noise(rng, height, width, exponent=2.0) - 0.55 * np.abs(v) + 0.6)
    black = smoothstep(0.95, 1.2, noise(rng, height, width, exponent=1.8) - 0.5 * np.abs(v)) * smoothstep(0.1, 0.25, u)
    black = black * smoothstep(0.84, 0.74, u)
    skin = mix((0.96, 0.9, 0.82), (0.93, 0.36, 0.1), orange)
    skin = mix(skin, (0.13, 0.11, 0.12), black)
    row = np.floor(v * 11)
    scale = np.hypot((u * 34 + 0.5 * (row % 2)) % 1 - 0.5, (v * 11) % 1 - 0.5)
    scaled = smoothstep(0.18, 0.24, u) * smoothstep(0.84, 0.76, u)
    skin = skin * (1 - 0.2 * smoothstep(0.3, 0.6, scale) * scaled)[..., None]
    rays = smoothstep(0.8, 0.88, u) * (0.14 + 0.07 * np.sin(v * 40))
    skin = skin * (1 - rays)[..., None]
    dorsal = smoothstep(0.09, 0.04, np.abs(v)) * smoothstep(0.36, 0.42, u) * smoothstep(0.66, 0.58, u)
    skin = mix(skin, (0.55, 0.2, 0.08), 0.65 * dorsal)
    for side in (-1, 1):
        away = np.hypot((u - 0.085) * 15, (v - side * 0.8) * 1.6)
        skin = mix(skin, (0.05, 0.05, 0.06), smoothstep(0.24, 0.17, away))
    skin = skin * (1 + 0.035 * noise(rng, height, width, exponent=0.6))[..., None]
    return np.clip(skin, 0, 1).astype(np.float32)
