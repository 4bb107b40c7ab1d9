"""What moves through the scenes of the robustness check: a koi, and pictures that are carried along a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ddvideo.arrays import FloatArray
from sample_clips.creature import Koi, Pose
from sample_clips.textures import mix, noise, smoothstep

__all__ = ["Mover", "Path", "Picture", "Swimmer", "paint_balloon", "paint_boat", "paint_tortoise"]

Path: TypeAlias = Callable[[float], tuple[float, float]]
"""World position (clip pixels) at a time (frames)."""
_PAINTED_PX = 480


class Mover(Protocol):
    """Something that is drawn into a view."""

    def draw(self, x: FloatArray, y: FloatArray, time_frames: float) -> tuple[FloatArray, FloatArray]:
        """Colour ``(H, W, 3)`` and alpha ``(H, W)`` where the pixels' world positions are ``x``, ``y``, ``(H, W)``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Swimmer:
    """A koi that swims along a path, its head first, as fast as the path goes."""

    koi: Koi
    path: Path
    bend: float = 0.1

    def draw(self, x: FloatArray, y: FloatArray, time_frames: float) -> tuple[FloatArray, FloatArray]:
        """As ``Mover`` has it."""
        at_x, at_y = self.path(time_frames)
        pose = Pose(
            x=at_x,
            y=at_y,
            heading=_heading(self.path, time_frames),
            bend=self.bend,
            phase=2 * np.pi * time_frames / 17,
        )
        return self.koi.draw(x, y, pose)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A painted picture ``(n, n, 4)``, ``size_px`` wide in world units, that is carried along a path.

    It is turned so that its right side leads where ``is_turned``, and upright else; it waddles while it goes.
    """

    rgba: FloatArray
    path: Path
    size_px: float
    is_turned: bool = True
    waddle_degrees: float = 0.0

    def draw(self, x: FloatArray, y: FloatArray, time_frames: float) -> tuple[FloatArray, FloatArray]:
        """As ``Mover`` has it."""
        at_x, at_y = self.path(time_frames)
        angle = _heading(self.path, time_frames) if self.is_turned else 0.0
        walked = float(np.hypot(at_x - self.path(0)[0], at_y - self.path(0)[1])) / self.size_px
        angle += np.radians(self.waddle_degrees) * np.sin(12 * walked)
        c, s = np.cos(angle), np.sin(angle)
        dx, dy = (x - at_x) / self.size_px, (y - at_y) / self.size_px
        scale = self.rgba.shape[0]
        u = np.asarray((0.5 + c * dx + s * dy) * scale - 0.5, np.float32)
        v = np.asarray((0.5 + c * dy - s * dx) * scale - 0.5, np.float32)
        seen = cv2.remap(self.rgba, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(seen[..., :3], np.float32), np.asarray(seen[..., 3], np.float32)


def _heading(path: Path, time_frames: float) -> float:
    """Direction in which a path goes on, radians; where it rests, the one it came from."""
    for back in range(200):
        (x0, y0), (x1, y1) = path(time_frames - back - 1), path(time_frames - back + 1)
        if np.hypot(x1 - x0, y1 - y0) > 1e-4:
            return float(np.arctan2(y1 - y0, x1 - x0))
    return 0.0


def _plane() -> tuple[FloatArray, FloatArray]:
    """The x and y of a painting's pixels, both from -1 to 1."""
    axis = np.linspace(-1, 1, _PAINTED_PX, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _ink(inside: FloatArray) -> FloatArray:
    """Alpha from a distance to the outline that is positive inside; the edge is three pixels wide."""
    return smoothstep(-3 / _PAINTED_PX, 3 / _PAINTED_PX, inside)


def _painted(rgb: FloatArray, alpha: FloatArray) -> FloatArray:
    return np.concatenate([np.clip(rgb, 0, 1), alpha[..., None]], axis=2).astype(np.float32)


def paint_tortoise(rng: np.random.Generator) -> FloatArray:
    """A tortoise from above that looks to the right, ``(n, n, 4)``: a domed shell of plates, head, legs and tail."""
    x, y = _plane()
    size = x.shape
    limbs = np.full(size, -1.0, np.float32)
    for u, v, long, wide, turn in (
        (0.78, 0.0, 0.2, 0.13, 0.0),
        (0.5, 0.52, 0.26, 0.12, 0.7),
        (0.5, -0.52, 0.26, 0.12, -0.7),
        (-0.5, 0.5, 0.22, 0.12, 2.3),
        (-0.5, -0.5, 0.22, 0.12, -2.3),
        (-0.72, 0.0, 0.16, 0.05, 0.0),
    ):
        c, s = np.cos(turn), np.sin(turn)
        along, across = c * (x - u) + s * (y - v), c * (y - v) - s * (x - u)
        limbs = np.maximum(limbs, (1 - np.hypot(along / long, across / wide)) * wide)
    grain = noise(rng, *size, exponent=0.9)
    skin = np.array((0.36, 0.33, 0.2), np.float32) * (0.85 + 0.16 * grain + 0.5 * np.clip(limbs, 0, 0.2))[..., None]
    reach = np.hypot(x / 0.68, y / 0.55)
    shell = (1 - reach) * 0.55
    seeds = np.stack(np.meshgrid(np.linspace(-0.6, 0.6, 5), np.linspace(-0.46, 0.46, 4)), -1).reshape(-1, 2)
    seeds = seeds + rng.normal(0, 0.03, seeds.shape)
    near, which = cKDTree(seeds).query(np.stack([x, y], -1).reshape(-1, 2), k=2)
    seam = smoothstep(0.035, 0.0, (near[:, 1] - near[:, 0]).reshape(size).astype(np.float32))
    heart = smoothstep(0.16, 0.03, near[:, 0].reshape(size).astype(np.float32))
    hue = np.array((0.42, 0.3, 0.13), np.float32) * rng.uniform(0.8, 1.2, len(seeds))[which[:, 0]].reshape(*size, 1)
    plates = mix(hue.astype(np.float32), (0.74, 0.58, 0.26), 0.8 * heart)
    plates = mix(plates, (0.13, 0.1, 0.06), 0.85 * seam)
    dome = np.sqrt(np.clip(1 - reach**2, 0, 1))
    plates = plates * (0.5 + 0.6 * dome - 0.16 * (x + y) + 0.06 * grain)[..., None]
    alpha = np.maximum(_ink(limbs), _ink(shell))
    return _painted(mix(skin.astype(np.float32), plates.astype(np.float32), _ink(shell)), alpha)


def paint_balloon(rng: np.random.Generator) -> FloatArray:
    """A hot-air balloon from the side, ``(n, n, 4)``: gores in two colours, ropes and a basket."""
    x, y = _plane()
    half = np.where(y < 0.1, np.sqrt(np.clip(0.62**2 - (0.9 * (y + 0.3)) ** 2, 0, 1)), 0.52 - 0.62 * (y - 0.1))
    half = np.where(y > 0.62, -1, half).astype(np.float32)
    across = np.clip(x / np.maximum(half, 0.05), -1, 1)
    gore = np.floor(7 * (np.arcsin(across) / np.pi + 0.5)) % 2
    hue = mix((0.78, 0.22, 0.14), (0.93, 0.76, 0.28), gore.astype(np.float32))
    tone = 0.42 + 0.5 * np.sqrt(np.clip(1 - across**2, 0, 1)) - 0.2 * across - 0.12 * y
    rgb = hue * (tone + 0.04 * noise(rng, *x.shape, exponent=0.9))[..., None]
    basket = np.minimum(0.13 - np.abs(x), 0.1 - np.abs(y - 0.84)).astype(np.float32)
    weave = 0.75 + 0.25 * np.sin(110 * x) * np.sin(110 * y)
    rgb = mix(rgb.astype(np.float32), (0.36, 0.24, 0.13), _ink(basket)) * np.where(basket > 0, weave, 1)[..., None]
    ropes = np.where((y > 0.58) & (y < 0.78), 0.016 - np.abs(np.abs(x) - (0.13 + 0.2 * (0.74 - y))), -1)
    rgb = mix(rgb.astype(np.float32), (0.2, 0.16, 0.12), _ink(ropes.astype(np.float32)))
    alpha = np.maximum(np.maximum(_ink(half - np.abs(x)), _ink(basket)), _ink(ropes.astype(np.float32)))
    return _painted(rgb, alpha)


def paint_boat(rng: np.random.Generator) -> FloatArray:
    """A small sailing boat from the side, ``(n, n, 4)``; its waterline is the picture's lower edge."""
    x, y = _plane()
    hull = np.minimum(0.72 - 0.55 * np.clip(y - 0.62, 0, 1) - np.abs(x), np.minimum(y - 0.62, 1.2 - y))
    mast = np.minimum(0.016 - np.abs(x + 0.06), np.minimum(y + 0.95, 0.7 - y))
    rise = (y + 0.9) / 1.4
    sail = np.minimum(np.minimum(x + 0.02, 0.62 * rise + 0.05 * np.sin(np.pi * rise) - x), 0.5 - y)
    jib = np.minimum(np.minimum(-0.1 - x, x + 0.12 + 0.5 * (y + 0.7) / 1.15), 0.45 - y)
    cloth = np.maximum(sail, jib).astype(np.float32)
    grain = noise(rng, *x.shape, exponent=0.9)
    plank = 0.9 + 0.08 * grain + 0.12 * np.sign(np.sin(42 * y))
    wood = np.array((0.5, 0.2, 0.13), np.float32) * plank[..., None]
    painted = mix(wood.astype(np.float32), (0.9, 0.87, 0.8), _ink((0.045 - np.abs(y - 0.68)).astype(np.float32)))
    light = 0.86 + 0.12 * np.sin(3 * x + 1) + 0.04 * grain - 0.05 * (np.sin(24 * y) > 0.97)
    canvas = np.array((0.93, 0.9, 0.82)) * light[..., None]
    rgb = mix(painted, canvas.astype(np.float32), _ink(cloth))
    rgb = mix(rgb, (0.3, 0.22, 0.14), _ink(mast.astype(np.float32)))
    alpha = np.maximum(np.maximum(_ink(hull.astype(np.float32)), _ink(mast.astype(np.float32))), _ink(cloth))
    return _painted(rgb, alpha)
