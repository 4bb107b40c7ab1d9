"""What separated layers are compared to: what takes no fit at all, or no more than the motion of the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.material import unit
from benchmarks.reflection_score import Estimate
from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.motion.flow import to_grey
from ddvideo.motion.flow_chains import neighbour_flows
from ddvideo.tasks.separate.reflection_motion import registered_mean

__all__ = ["BASELINES", "INPUT", "MEAN", "MINUS", "Baseline"]

INPUT = "input"
"""The mixture as it is, and no reflection."""
MINUS = "minus"
"""A reflection that is the same grey everywhere."""
MEAN = "mean"
"""The mean of the frames around, along the motion; what a frame differs from it is the reflection."""

GREY = np.float32(0.12)
WIDTH_PX = 216
"""Of the frames that are averaged."""

Baseline: TypeAlias = Callable[[Sequence[ByteArray]], Iterator[Estimate]]
"""One estimate for each of the frames ``(H, W, 3)`` uint8 RGB of a clip."""


def _input(pictures: Sequence[ByteArray]) -> Iterator[Estimate]:
    for picture in pictures:
        yield Estimate(unit(picture), np.zeros(picture.shape, np.float32))


def _minus(pictures: Sequence[ByteArray]) -> Iterator[Estimate]:
    for picture in pictures:
        yield Estimate(np.maximum(unit(picture) - GREY, 0), np.full(picture.shape, GREY))


def _mean(pictures: Sequence[ByteArray]) -> Iterator[Estimate]:
    height, width = pictures[0].shape[:2]
    small = [_resized(unit(picture), WIDTH_PX, round(height * WIDTH_PX / width)) for picture in pictures]
    greys = [to_grey(np.rint(255 * picture).astype(np.uint8)) for picture in small]
    means = registered_mean(small, neighbour_flows(greys))
    for picture, own, mean in zip(pictures, small, means, strict=True):
        rest = np.asarray(cv2.resize(own - mean, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        yield Estimate(unit(picture) - rest, rest)


BASELINES: Mapping[str, Baseline] = {INPUT: _input, MINUS: _minus, MEAN: _mean}


def _resized(picture: FloatArray, width: int, height: int) -> FloatArray:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)
