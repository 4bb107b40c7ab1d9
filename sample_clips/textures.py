"""Textures with the statistics of natural images: 1/f noise, pebbles, foliage, flowers and brickwork.

Every function draws from the generator it is given and returns float32 RGB in [0, 1], ``(H, W, 3)``, so a seed decides
a texture entirely. Pebbles and foliage follow the dead-leaves model (Lee, Mumford and Huang, IJCV 2001): opaque
shapes with power-law sizes that hide each other.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["bricks", "foliage", "leaf", "meadow", "mix", "noise", "pebbles", "smoothstep", "stamp"]

Array = NDArray[np.float32]
Shape = Callable[[np.random.Generator, float], tuple[Array, Array]]


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Cubic ramp from 0 at ``low`` to 1 at ``high``; runs downwards where ``high < low``."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def mix(a: Array | tuple[float, ...], b: Array | tuple[float, ...], weight: Array) -> Array:
    """Colours ``a`` and ``b`` mixed by ``weight`` ``(H, W)``: 0 gives ``a``, 1 gives ``b``."""
    w = weight[..., None]
    return np.asarray(np.asarray(a, np.float32) * (1 - w) + np.asarray(b, np.float32) * w, np.float32)


def noise(rng: np.random.Generator, height: int, width: int, *, exponent: float = 1.0, low_px: float = 0) -> Array:
    """Gaussian noise ``(H, W)`` whose amplitude falls as 1/f**exponent; mean 0, standard deviation 1.

    ``low_px`` leaves out waves longer than so many pixels.
    """
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    f = np.hypot(fy, fx)
    f[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((height, width))) / f**exponent
    spectrum[0, 0] = 0
    if low_px:
        spectrum *= 1 - np.exp(-((f * low_px) ** 2))
    field = np.fft.irfft2(spectrum, (height, width))
    return np.asarray(field / field.std(), np.float32)


def stamp(canvas: Array, x: float, y: float, rgb: Array, alpha: Array) -> None:
    """Paint ``rgb`` with ``alpha`` onto ``canvas`` in place, centred on ``(x, y)``; what hangs over is cut off."""
    h, w = alpha.shape
    top, left = round(y - h / 2), round(x - w / 2)
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + h, canvas.shape[0]), min(left + w, canvas.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    a = alpha[part][..., None]
    canvas[y0:y1, x0:x1] += a * (rgb[part] - canvas[y0:y1, x0:x1])


def _grid(radius: float, angle: float) -> tuple[Array, Array]:
    """Coordinates of a square patch, turned by ``angle``, in units of ``radius``; they reach a little beyond 1."""
    n = int(np.ceil(radius * 1.25))
    axis = np.arange(-n, n + 1, dtype=np.float32) / radius
    x, y = axis[None], axis[:, None]
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(c * x + s * y, np.float32), np.asarray(c * y - s * x, np.float32)


def _pebble(rng: np.random.Generator, radius: float) -> tuple[Array, Array]:
    angle = rng.uniform(0, np.pi)
    x, y = _grid(radius, angle)
    flat, power, bump = rng.uniform(0.6, 0.95), rng.uniform(1.9, 2.6), rng.uniform(0, 0.12)
    around = np.arctan2(y, x)
    r = (np.abs(x) ** power + np.abs(y / flat) ** power) ** (1 / power)
    r = r * (1 + bump * np.sin(3 * around + rng.uniform(0, 6.3)))
    alpha = smoothstep(1, 1 - 2.2 / radius, r)
    height = np.sqrt(np.clip(1 - r * r, 0, 1))
    # Light falls from the upper left: the gradient of a dome is its position.
    c, s = np.cos(angle), np.sin(angle)
    sx, sy = c * x - s * y, s * x + c * y
    shade = np.clip(0.42 + 0.5 * height - 0.22 * (sx + sy), 0.1, 1.3)
    hue = np.array(
        rng.choice([(0.62, 0.58, 0.52), (0.5, 0.5, 0.52), (0.72, 0.66, 0.56), (0.4, 0.37, 0.35), (0.55, 0.45, 0.37)])
    )
    hue = hue * rng.uniform(0.65, 1.15) + rng.normal(0, 0.02, 3)
    grain = noise(rng, *x.shape, exponent=0.9) * 0.07
    band = 0.06 * np.sin(rng.uniform(3, 9) * x + 1.5 * noise(rng, *x.shape, exponent=1.6)) * rng.uniform(0, 1)
    rgb = hue.astype(np.float32) * (shade * (1 + grain + band))[..., None]
    return np.clip(rgb, 0, 1).astype(np.float32), alpha


def leaf(rng: np.random.Generator, radius: float, *, dry: bool = False) -> tuple[Array, Array]:
    """One leaf about ``2 * radius`` pixels long: its colour ``(H, W, 3)`` and alpha ``(H, W)``."""
    x, y = _grid(radius, rng.uniform(0, 2 * np.pi))
    y = y + 0.25 * rng.uniform(-1, 1) * x * x
    width = rng.uniform(0.28, 0.48) * np.clip(1 - x * x, 0, 1) ** rng.uniform(0.6, 1.0) * (1 - 0.25 * x)
    alpha = smoothstep(0, 2.2 / radius, width - np.abs(y)) * (np.abs(x) < 1)
    side = y / np.maximum(width, 0.02)
    veins = np.abs(np.sin(11 * (x + 0.5 * np.abs(y)) + rng.uniform(0, 3)))
    tone = 0.72 + 0.3 * np.tanh(2.5 * side) * rng.uniform(0.3, 1) + 0.07 * veins + 0.06 * noise(rng, *x.shape)
    tone = tone * (0.8 + 0.2 * (1 - side * side)) + 0.22 * np.exp(-((y / 0.03) ** 2))
    green = rng.choice([(0.25, 0.42, 0.14), (0.33, 0.5, 0.2), (0.2, 0.34, 0.16), (0.42, 0.5, 0.22)])
    brown = rng.choice([(0.52, 0.36, 0.2), (0.6, 0.45, 0.26), (0.4, 0.27, 0.17), (0.66, 0.5, 0.2)])
    hue = np.array(brown if dry else green) * rng.uniform(0.7, 1.15)
    return np.clip(hue.astype(np.float32) * tone[..., None], 0, 1).astype(np.float32), np.asarray(alpha, np.float32)


def _flower(rng: np.random.Generator, radius: float) -> tuple[Array, Array]:
    x, y = _grid(radius, rng.uniform(0, 2 * np.pi))
    y = y / rng.uniform(0.75, 1)
    r, around = np.hypot(x, y), np.arctan2(y, x)
    petals = int(rng.integers(5, 11))
    edge = 0.66 + 0.3 * np.abs(np.cos(petals * around / 2)) ** 0.6
    alpha = smoothstep(0, 2.5 / radius, edge - r)
    hue = np.array(
        rng.choice([(0.93, 0.9, 0.84), (0.87, 0.7, 0.2), (0.72, 0.35, 0.62), (0.8, 0.27, 0.2), (0.55, 0.5, 0.85)])
    )
    tone = (0.68 + 0.3 * np.abs(np.cos(petals * around / 2)) ** 0.8) * (0.75 + 0.25 * r) + 0.04 * noise(rng, *x.shape)
    tone = tone - 0.12 * (x + y) * rng.uniform(0, 1)
    heart = smoothstep(0.3, 0.22, r)
    centre = np.array((0.78, 0.55, 0.12)) * (0.75 + 0.15 * noise(rng, *x.shape, exponent=0.5))[..., None]
    rgb = mix((hue * tone[..., None]).astype(np.float32), centre.astype(np.float32), heart)
    return np.clip(rgb, 0, 1), alpha


def _scatter(
    rng: np.random.Generator, canvas: Array, shape: Shape, *, count: int, radius: tuple[float, float], shadow: float
) -> None:
    """Stamp ``count`` shapes with power-law radii (density 1/r**2) in place, each above a soft shadow of itself."""
    height, width = canvas.shape[:2]
    low, high = radius
    for r in 1 / rng.uniform(1 / high, 1 / low, count):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        rgb, alpha = shape(rng, float(r))
        dark = cv2.GaussianBlur(np.pad(alpha, int(r * 0.3) + 2), (0, 0), 0.12 * r + 1)
        stamp(canvas, x + 0.14 * r, y + 0.16 * r, np.zeros((*dark.shape, 3), np.float32), shadow * dark)
        stamp(canvas, x, y, rgb, alpha)


def pebbles(rng: np.random.Generator, height: int, width: int) -> Array:
    """A bed of shaded pebbles over sand."""
    sand = 0.36 + 0.05 * noise(rng, height, width, exponent=0.8)
    canvas = (np.array((1.0, 0.92, 0.78), np.float32) * sand[..., None]).astype(np.float32)
    area = height * width
    _scatter(rng, canvas, _pebble, count=area // 420, radius=(7, 26), shadow=0.55)
    _scatter(rng, canvas, _pebble, count=area // 6000, radius=(18, 64), shadow=0.6)
    light = 1 + 0.1 * noise(rng, height, width, exponent=2.2)
    return np.clip(canvas * light[..., None], 0, 1)


def foliage(rng: np.random.Generator, height: int, width: int, *, dry: float = 0.1, size: float = 1.0) -> Array:
    """Leaves over leaves, the lower ones in the shade; a share ``dry`` of them brown."""
    dark = 0.2 + 0.04 * noise(rng, height, width)
    canvas = (np.array((0.7, 1.0, 0.6), np.float32) * dark[..., None]).astype(np.float32)

    def one(rng: np.random.Generator, radius: float) -> tuple[Array, Array]:
        return leaf(rng, radius, dry=bool(rng.uniform() < dry))

    area = height * width / size**2
    for depth in range(3):
        _scatter(rng, canvas, one, count=int(area / 900), radius=(9 * size, 44 * size), shadow=0.36)
        canvas *= (0.78, 0.9, 1.12)[depth]
    light = 1 + 0.12 * noise(rng, height, width, exponent=2.2)
    return np.clip(canvas * light[..., None], 0, 1)


def meadow(rng: np.random.Generator, height: int, width: int) -> Array:
    """Foliage with flowers."""
    canvas = foliage(rng, height, width, size=0.9)
    _scatter(rng, canvas, _flower, count=height * width // 3800, radius=(8, 40), shadow=0.45)
    return canvas


def bricks(rng: np.random.Generator, height: int, width: int, *, course_px: int = 34) -> Array:
    """An old brick wall."""
    wobble = noise(rng, height, width, exponent=1.8)
    y = np.arange(height, dtype=np.float32)[:, None] + 1.2 * wobble
    row = np.floor(y / course_px)
    x = np.arange(width, dtype=np.float32)[None] + (row % 2) * course_px * 1.15 + 1.2 * wobble[::-1]
    column = np.floor(x / (course_px * 2.3))
    fy, fx = y - row * course_px, x - column * course_px * 2.3
    inside = np.minimum(np.minimum(fy, course_px - fy), np.minimum(fx, course_px * 2.3 - fx))
    face = smoothstep(1.5, 4.5, inside + 0.5 * noise(rng, height, width, exponent=0.7))
    tone = rng.uniform(0.7, 1.2, (int(row.max()) + 2, int(column.max()) + 2)).astype(np.float32)
    red = rng.uniform(0, 1, tone.shape).astype(np.float32)
    index = np.clip(row, 0, None).astype(int), np.clip(column, 0, None).astype(int)
    hue = mix((0.56, 0.29, 0.2), (0.62, 0.42, 0.3), red[index])
    grain = 1 + 0.09 * noise(rng, height, width, exponent=0.8) - 0.12 * smoothstep(9, 2, fy) * face
    brick = hue * (tone[index] * grain)[..., None]
    mortar = np.array((0.6, 0.57, 0.52)) * (0.85 + 0.09 * noise(rng, height, width, exponent=0.8))[..., None]
    stain = 1 + 0.12 * noise(rng, height, width, exponent=2.0)
    return np.clip(mix(mortar.astype(np.float32), brick.astype(np.float32), face) * stain[..., None], 0, 1)
