"""What lies behind the movers of the robustness check, and before them: water that runs or mirrors, tree trunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.robust_movers import Mover
from ddvideo.arrays import FloatArray
from sample_clips.camera import SUPERSAMPLE, Camera
from sample_clips.scene import Scene
from sample_clips.textures import mix, noise, pebbles, smoothstep

__all__ = ["View", "enlarged", "lake", "stream", "trunks"]

View: TypeAlias = Callable[[float], FloatArray]
"""A picture ``(H, W, C)``, ``SUPERSAMPLE`` times enlarged, at a time in frames."""


def enlarged(scene: Scene) -> View:
    """The frames of a scene as a view, at whole times."""

    def view(time: float) -> FloatArray:
        size = (scene.width * SUPERSAMPLE, scene.height * SUPERSAMPLE)
        return np.asarray(cv2.resize(scene.frame(round(time)), size, interpolation=cv2.INTER_CUBIC), np.float32)

    return view


def _sampled(canvas: FloatArray, column: FloatArray, row: FloatArray) -> FloatArray:
    seen = cv2.remap(canvas, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(seen, np.float32)


def trunks(rng: np.random.Generator, size: tuple[int, int]) -> FloatArray:
    """Canvas ``(H, W, 4)`` of such a size: RGBA of tree trunks with bark and moss, colour not multiplied."""
    height, width = size
    x = np.arange(width, dtype=np.float32)[None].repeat(height, 0)
    wobble = cv2.GaussianBlur(noise(rng, height, width, exponent=1.9), (0, 0), 4)
    grain = cv2.resize(noise(rng, height // 6, width, exponent=0.8), (width, height))
    rgba = np.zeros((height, width, 4), np.float32)
    for place, half in ((0.2, 0.02), (0.36, 0.03), (0.55, 0.022), (0.7, 0.034), (0.86, 0.02)):
        across = (x - place * width - 0.012 * width * wobble) / (half * width)
        cover = smoothstep(1.03, 0.97, np.abs(across))
        tone = 0.35 + 0.5 * np.sqrt(np.clip(1 - across**2, 0, 1)) - 0.2 * across + 0.12 * grain
        bark = np.array((0.4, 0.3, 0.22), np.float32) * tone[..., None]
        moss = 0.5 * smoothstep(0.2, 1.5, np.asarray(wobble - across, np.float32))
        bark = mix(bark.astype(np.float32), (0.25, 0.3, 0.12), moss)
        rgba[..., :3] = mix(rgba[..., :3], bark, cover)
        rgba[..., 3] = np.maximum(rgba[..., 3], cover)
    return np.clip(rgba, 0, 1)


def _waves(
    rng: np.random.Generator, size: tuple[int, int], reach: float
) -> Callable[[FloatArray, FloatArray, float], FloatArray]:
    """Ripples that run: heights ``(H, W)`` around 0 at world positions and a time."""
    fields = [noise(rng, *size, exponent=1.5, low_px=reach) for _ in range(2)]

    def heights(x: FloatArray, y: FloatArray, time: float) -> FloatArray:
        total = np.zeros(x.shape, np.float32)
        for field, (u, v) in zip(fields, ((0.14, 0.016), (0.096, -0.032)), strict=True):
            column = np.asarray((x - u * reach * time) * SUPERSAMPLE, np.float32)
            row = np.asarray((y - v * reach * time) * SUPERSAMPLE, np.float32)
            total += cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(0.7 * total, np.float32)

    return heights


def stream(rng: np.random.Generator, size: tuple[int, int], camera: Camera) -> View:
    """Pebbles below running water: bent, with light that dances and glitters."""
    bed = pebbles(rng, *size)
    waves = _waves(rng, size, 0.2 * camera.width)

    def view(time: float) -> FloatArray:
        x, y = camera.world(time)
        height = cv2.GaussianBlur(waves(x, y, time), (0, 0), 1.2)
        slope_y, slope_x = np.gradient(height)
        bend = 0.035 * camera.width * SUPERSAMPLE
        column = np.asarray(SUPERSAMPLE * x + bend * slope_x, np.float32)
        row = np.asarray(SUPERSAMPLE * y + bend * slope_y, np.float32)
        seen = _sampled(bed, column, row)
        seen = mix(seen, (0.12, 0.3, 0.34), np.full(seen.shape[:2], 0.35, np.float32))
        light = 1 + 0.25 * height
        glitter = smoothstep(0.16, 0.5, slope_x + slope_y)
        return np.asarray(np.clip(seen * light[..., None] + 0.6 * glitter[..., None], 0, 1), np.float32)

    return view


def lake(
    rng: np.random.Generator, size: tuple[int, int], camera: Camera, scene: Scene, mover: Mover, shore_y: float
) -> View:
    """A scene above a lake that mirrors it, and the mover with it; the shore is at ``shore_y`` of the world."""
    waves = _waves(rng, size, 0.1 * camera.width)
    above = enlarged(scene)

    def view(time: float) -> FloatArray:
        x, y = camera.world(time)
        below = y - shore_y
        ripple = waves(x, 3 * y, time) * np.clip(below, 0, None) / (0.3 * camera.width)
        mirrored = np.where(below > 0, shore_y - 1.15 * below + 0.03 * camera.width * ripple, y).astype(np.float32)
        top = y[0, 0]
        scenery = above(time)
        column = np.arange(x.shape[1], dtype=np.float32)[None].repeat(x.shape[0], 0)
        bent = np.asarray(column + 0.01 * camera.width * SUPERSAMPLE * ripple, np.float32)
        row = np.asarray((mirrored - top) * SUPERSAMPLE, np.float32)
        seen = _sampled(scenery, bent, row)
        rgb, cover = mover.draw(np.asarray(x + 0.02 * camera.width * ripple, np.float32), mirrored, time)
        wet = smoothstep(0.0, 0.004 * camera.width, below)
        seen = mix(seen, rgb, cover * wet)
        tinted = mix(seen, (0.1, 0.2, 0.25), np.full(seen.shape[:2], 0.35, np.float32))
        return np.clip(mix(seen, tinted * (1 + 0.08 * ripple)[..., None], wet), 0, 1)

    return view
