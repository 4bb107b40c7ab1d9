"""Reflections on water: the part of a foreground below a level line that looks like the part above, upside down."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.graph.superpixels import mean_per_label, to_lab
from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.regions import Painted, Regions

__all__ = ["find_water_reflection"]

_COMPARED_PX = 216
"""Longer side at which both sides of a line are compared."""
_FINE_PX, _COARSE_PX, _AROUND_PX = 0.75, 8.0, 2
"""Sizes of the detail that is compared, and how far around the region; at the shrunk size."""
_LEAST_ABOVE = 0.35
"""The line lies at least so far down, in parts of the region's height."""
_LEAST_SHARE, _MOST_SHARE = 0.08, 0.6
"""Parts of the region that may lie below the line; of less, chance alone can be alike."""
_LARGER = 0.3
"""Of two lines with the same likeness, the one with more below it is preferred by this power of its share."""
_LEAST_LIKENESS = 0.32
"""Correlation, in half of a shot's frames or more, from which on there is a mirror image. Of what floats it is 0.35 and
more; chance comes to 0.2 to 0.28. What is alike above and below has more, too: it is asked on water only."""
_STEADY_FRAMES = 3.0


def find_water_reflection(
    likelihood: FloatArray, frames: Sequence[ByteArray], regions: Regions, decisions: Decisions
) -> BoolArray:
    """Which superpixels lie below a line across which the region is mirrored.

    For each row, what lies below it in the region and closely around is correlated to what lies as far above. A shot's
    water is as high from one frame to the next.

    Args:
        likelihood: ``(N,)`` of being foreground.
        frames: ``(h, w, 3)`` RGB.
        regions: the frames' superpixels.
        decisions: of the shot; whether there is a mirror image is one.

    Returns:
        ``(N,)``; none where nothing is mirrored.
    Source: Zhang, Guo and Cao, ICPR 2010 (water reflections are told by their flip), here by plain correlation.
    """
    sides = [
        _likeness(_detail(frame), _shrunk((painted > 0.5).astype(np.uint8)) > 0)
        for frame, painted in zip(frames, Painted(regions, likelihood), strict=True)
    ]
    likeness = gaussian_filter1d(np.array([found for found, _ in sides]), _STEADY_FRAMES, axis=0, mode="nearest")
    shares = gaussian_filter1d(np.array([share for _, share in sides]), _STEADY_FRAMES, axis=0, mode="nearest")
    lines = np.argmax(likeness * shares**_LARGER, axis=1)
    usual = decisions.once("mirrored", lambda: float(np.median(likeness[np.arange(len(lines)), lines])))
    below = np.zeros(len(likelihood), np.bool_)
    if usual < _LEAST_LIKENESS:
        return below
    for t, (line, labels) in enumerate(zip(lines, regions.labels, strict=True)):
        if likeness[t, line] == 0:  # no line was possible
            continue
        rows = np.asarray(np.broadcast_to(np.arange(len(labels))[:, None], labels.shape), np.float32)
        middle = mean_per_label(rows, labels, regions.counts[t])
        below[regions.starts[t] : regions.starts[t + 1]] = middle >= _shrink(*labels.shape) * (line + 1)
    return below


def _shrink(height: int, width: int) -> float:
    return max(max(height, width) / _COMPARED_PX, 1.0)


def _shrunk(picture: ByteArray) -> ByteArray:
    height, width = picture.shape[:2]
    shrink = _shrink(height, width)
    size = (max(int(width / shrink), 1), max(int(height / shrink), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _detail(frame: ByteArray) -> FloatArray:
    """What is neither noise nor the light over the whole scene, ``(h, w, 3)`` in L*a*b*, shrunk."""
    lab = to_lab(_shrunk(frame))
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), _FINE_PX) - cv2.GaussianBlur(lab, (0, 0), _COARSE_PX), np.float32)


def _likeness(detail: FloatArray, inside: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Of each row as the line: correlation of both sides, and how much of the region lies below; 0 where none may be.

    Args:
        detail: ``(h, w, C)``.
        inside: ``(h, w)``, the region.

    Returns:
        Two of ``(h,)``.
    """
    height = len(inside)
    likeness, shares = np.zeros(height, np.float32), np.zeros(height, np.float32)
    filled = np.flatnonzero(inside.any(1))
    if not len(filled):
        return likeness, shares
    top, bottom = int(filled[0]), int(filled[-1])
    area = inside.sum(1)
    below = (area.sum() - np.cumsum(area)) / area.sum()
    around = cv2.dilate(inside.astype(np.uint8), np.ones((2 * _AROUND_PX + 1,) * 2, np.uint8)) > 0
    for row in range(top + int(_LEAST_ABOVE * (bottom - top)), bottom - 1):
        reach = min(bottom + _AROUND_PX - row, row, height - 1 - row)
        if reach < 1 or not _LEAST_SHARE < below[row] < _MOST_SHARE:
            continue
        near = around[row + 1 : row + 1 + reach]
        image, thing = detail[row + 1 : row + 1 + reach][near], detail[row - reach : row][::-1][near]
        image, thing = image - image.mean(0), thing - thing.mean(0)
        likeness[row] = (image * thing).sum() / np.sqrt((image**2).sum() * (thing**2).sum() + 1e-6)
        shares[row] = below[row]
    return np.asarray(np.maximum(likeness, 0), np.float32), shares
