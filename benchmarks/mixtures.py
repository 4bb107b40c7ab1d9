"""Scenes behind glass by a known model, so that transmission and reflection are known: a mixture is their sum.

The scene is a real sequence, a little darker; the reflection is a picture on a smooth camera path, or another sequence
that is panned. Both are sums of sRGB values in [0, 1], clipped at 1 and rounded to 8 bits, as are the two layers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.material import unit
from ddvideo.arrays import AnyArray, ByteArray, FloatArray

__all__ = ["MOVING", "STILL", "Moment", "Pair", "fitted", "mixed", "moving_reflection", "still_reflection"]

SCENE, MIRRORED = 0.75, 0.3
"""What is left of the scene's light behind the pane, and what the pane reflects."""

ENLARGED = 1.25
"""A still picture is larger than the frame, so that it can move."""
STILL_PX, STILL_BLUR_PX = 216, 1.0
"""The blur of a reflected picture, at this width of the frame; likewise the shifts of the camera."""
SHIFTS_PX, TURN_DEGREES, ZOOM = (20.0, 10.0), 1.5, 0.03
PERIOD_FRAMES = (50, 80)
SEEDS = 1000

MOVING_PX, MOVING_BLUR_PX = 432, 1.5
"""The same of a reflected sequence."""
MOVING_ENLARGED, PAN_PX, MIDDLE = 1.15, (1.2, 0.4), 20
"""How far it pans from frame to frame, to the right and down; frame 20 is where it would be without."""


@dataclass(frozen=True)
class Pair:
    """A scene, by the name of its sequence, and what is reflected: another sequence, or the file of a picture."""

    scene: str
    mirrored: str

    @property
    def name(self) -> str:
        """``scene-mirrored``."""
        return f"{self.scene}-{self.mirrored.partition('.')[0]}"

    @property
    def seed(self) -> int:
        """Of the camera's path, always the same for the same names."""
        return zlib.crc32(f"{self.scene}{self.mirrored}".encode()) % SEEDS


STILL = (
    Pair("lucia", "motorcycle_left.png"),
    Pair("boat", "astronaut.png"),
    Pair("flamingo", "coffee.png"),
    Pair("horsejump-low", "chelsea.png"),
    Pair("kite-walk", "motorcycle_left.png"),
    Pair("tennis", "rocket.jpg"),
    Pair("mallard-water", "coffee.png"),
    Pair("mallard-fly", "astronaut.png"),
)
MOVING = (
    Pair("lucia", "tennis"),
    Pair("flamingo", "horsejump-low"),
    Pair("boat", "kite-walk"),
    Pair("horsejump-low", "mallard-fly"),
    Pair("kite-walk", "boat"),
)


@dataclass(frozen=True)
class Moment:
    """One frame: the mixture, and the layers it was made of; ``(H, W, 3)`` uint8 RGB."""

    mixture: ByteArray
    transmission: ByteArray
    reflection: ByteArray


def mixed(scene: ByteArray, reflection: FloatArray) -> Moment:
    """A scene behind a pane that reflects something.

    Args:
        scene: ``(H, W, 3)`` uint8 RGB.
        reflection: ``(H, W, 3)`` in [0, 1], as dark as it is reflected.
    """
    transmission = np.float32(SCENE) * unit(scene)
    return Moment(_rounded(np.clip(transmission + reflection, 0, 1)), _rounded(transmission), _rounded(reflection))


def fitted(picture: ByteArray, width: int, height: int) -> ByteArray:
    """The picture ``(height, width, 3)``, averaged where it is made smaller."""
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def still_reflection(picture: ByteArray, seed: int, count: int, width: int, height: int) -> Iterator[FloatArray]:
    """A picture that stands still, reflected, as a camera sees it that sways, turns and zooms a little.

    Args:
        picture: ``(h, w, 3)`` uint8 RGB.
        seed: of the path, which is the same however many frames there are.
        count: frames.
        width: of the frames, in pixels.
        height: likewise.

    Yields:
        ``(height, width, 3)`` in [0, 0.3].
    """
    level = unit(picture)
    rows, columns = level.shape[:2]
    scale = ENLARGED * max(width / columns, height / rows)
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    unit_px = width / STILL_PX
    for right, down, turn, zoom in _path(seed, count):
        angle, size = np.deg2rad(TURN_DEGREES) * turn, scale * (1 + ZOOM * zoom)
        linear = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shift = unit_px * np.array(SHIFTS_PX) * (right, down)
        middle = np.array([width / 2, height / 2]) + shift - linear @ [columns / 2, rows / 2]
        yield _mirrored(level, np.column_stack([linear, middle]), shrinks, STILL_BLUR_PX * unit_px, width, height)


def moving_reflection(pictures: Iterable[ByteArray]) -> Iterator[FloatArray]:
    """A sequence, reflected, a little enlarged and panned.

    Args:
        pictures: ``(H, W, 3)`` uint8 RGB, as large as the frames.

    Yields:
        ``(H, W, 3)`` in [0, 0.3].
    """
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        unit_px = width / MOVING_PX
        pan = unit_px * np.array(PAN_PX) * (index - MIDDLE)
        shift = np.array([width, height]) / 2 * (1 - MOVING_ENLARGED) + pan
        matrix = np.column_stack([MOVING_ENLARGED * np.eye(2), shift])
        yield _mirrored(unit(picture), matrix, cv2.INTER_CUBIC, MOVING_BLUR_PX * unit_px, width, height)


def _path(seed: int, count: int) -> AnyArray:
    """Four swings in [-1, 1], ``(count, 4)``: right, down, turn, zoom."""
    random = np.random.default_rng(seed)
    phases, periods = random.uniform(0, 2 * np.pi, 4), random.uniform(*PERIOD_FRAMES, 4)
    return np.asarray(np.sin(2 * np.pi * np.arange(count)[:, None] / periods + phases))


def _mirrored(
    picture: FloatArray, matrix: AnyArray, interpolation: int, blur_px: float, width: int, height: int
) -> FloatArray:
    """A picture moved by ``(2, 3)``, blurred, and as dark as it is reflected."""
    moved = cv2.warpAffine(picture, matrix, (width, height), flags=interpolation, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(np.float32(MIRRORED) * np.clip(cv2.GaussianBlur(moved, (0, 0), blur_px), 0, 1), np.float32)


def _rounded(picture: AnyArray) -> ByteArray:
    return np.asarray(np.floor(np.float32(255) * picture + np.float32(0.5)), np.uint8)
