"""A frame in which only a part is hinted at, cut into foreground and background as a whole (GrabCut)."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.graph.superpixels import to_lab
from ddvideo.tasks.segment.user_hints.reading import FrameHint

__all__ = ["complete_with_grabcut", "is_whole", "outlines_object"]

_ROUNDS = 5
_LIKELY = 0.5
_LEAST_OF_BOX = 0.05
"""A guess that fills less of a box has missed what is in it."""
_LEAST_OF_GUESS = 0.5
"""A guess of which less lies in a box is about something else."""
_AGREES = 0.5
"""A guess whose own box fills so much of a box is what the box is meant for: thin parts may be missing."""
_MOST_OF_BOX = 0.9
"""What fills more of a box than that has no shape of its own in it."""
_CRUMB = 0.05
"""Parts smaller than that, against the largest, are none."""
_STROKE = 0.04
"""What is thinner than this part of the frame's longer side is a stroke, and no area."""
_BAND_PX = 12
_ON_EDGES = 0.54
"""The outlines of true masks come to 0.55 and more, those of brush strokes and blobs in objects to 0.53 at most: on the
first frames of eight clips."""


def outlines_object(frame: ByteArray, marked: BoolArray) -> float:
    """How well the outline of what is marked lies on the edges of the picture, in [0, 1]; 0 for thin strokes.

    A mask ends where its object does, a stroke of a brush ends anywhere. It is the share of the pixels around that have
    a weaker edge than those on the outline have, averaged over the outline's median and lower quartile.

    Args:
        frame: ``(h, w, 3)`` RGB uint8.
        marked: ``(h, w)``.
    """
    if not _fills_areas(marked):
        return 0.0
    smooth = cv2.GaussianBlur(to_lab(frame), (0, 0), 1)
    slopes = [cv2.Sobel(smooth, cv2.CV_32F, *step) for step in ((1, 0), (0, 1))]
    strength = cv2.dilate(np.sqrt(sum((slope**2).sum(2) for slope in slopes)), np.ones((3, 3)))
    outline, around = _rim(marked, 1), _rim(marked, _BAND_PX)
    if not outline.any():
        return 0.0
    passed = np.sort(strength[around])
    ranks = np.searchsorted(passed, np.quantile(strength[outline], (0.25, 0.5))) / len(passed)
    return float(ranks.mean())


def complete_with_grabcut(frame: ByteArray, hint: FrameHint, guess: FloatArray) -> BoolArray:
    """The foreground of a frame of which some is marked, ``(h, w)``.

    A box alone, whose extent the guess has in it already, only says what is not meant: the guess stays. Otherwise two
    mixtures of colours are fitted in turn with a minimum cut along the frame's edges. What is not marked starts as the
    guess has it; where that sees little in a box, or more outside, the box's ellipse starts as foreground.

    Args:
        frame: ``(h, w, 3)`` RGB uint8.
        hint: what is known.
        guess: ``(h, w)``, more than one half where the foreground is likely.
    Source: Rother, Kolmogorov and Blake, SIGGRAPH 2004 (GrabCut), as OpenCV has it.
    """
    likely = guess > _LIKELY
    if hint.box is not None and not (hint.foreground.any() or hint.background.any()) and _agrees(likely, hint.box):
        return likely & hint.box
    if hint.box is not None:
        inside = int((likely & hint.box).sum())
        if inside < _LEAST_OF_BOX * hint.box.sum() or inside < _LEAST_OF_GUESS * likely.sum():
            likely = _ellipse(hint.box)
    state = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if hint.box is not None:
        state[~hint.box] = cv2.GC_BGD
    state[hint.background] = cv2.GC_BGD
    state[hint.foreground] = cv2.GC_FGD
    found = _is_foreground(state)
    if found.all() or not found.any():
        return found  # with one side only, there are no two mixtures to fit
    cv2.setRNGSeed(0)  # the mixtures start from k-means, which draws
    models = np.zeros((2, 1, 65), np.float64)
    bgr = np.ascontiguousarray(frame[..., ::-1])
    cv2.grabCut(bgr, state, (0, 0, 1, 1), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return _is_foreground(state)


def is_whole(frame: ByteArray, hint: FrameHint) -> bool:
    """Whether the marked foreground is all there is of it in the frame: what is dark in the hint is background then."""
    return not hint.background.any() and outlines_object(frame, hint.foreground) >= _ON_EDGES


def _is_foreground(state: ByteArray) -> BoolArray:
    return np.asarray((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD), np.bool_)


def _agrees(likely: BoolArray, box: BoolArray) -> bool:
    """Whether what is likely in a box reaches about as far as the box, for boxes are drawn close, and is a shape."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((likely & box).astype(np.uint8), connectivity=8)
    if count < 2 or (likely & box).sum() > _MOST_OF_BOX * box.sum():
        return False
    area = stats[1:, cv2.CC_STAT_AREA]
    parts = np.isin(labels, 1 + np.flatnonzero(area >= _CRUMB * area.max()))
    rows, columns = np.flatnonzero(parts.any(1)), np.flatnonzero(parts.any(0))
    filled = (rows[-1] + 1 - rows[0]) * (columns[-1] + 1 - columns[0])
    return bool(filled >= _AGREES * box.sum())


def _ellipse(box: BoolArray) -> BoolArray:
    """The ellipse in a box: things are rounder than the boxes around them."""
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    y, x = (np.arange(length) for length in box.shape)
    down, across = ((places - part.mean()) / (len(part) / 2) for places, part in ((y, rows), (x, columns)))
    return np.asarray(down[:, None] ** 2 + across**2 < 1, np.bool_)


def _fills_areas(marked: BoolArray) -> bool:
    """Whether most of what is marked is filled areas, as in a mask, instead of strokes of a pen."""
    width = max(round(_STROKE * max(marked.shape)) // 2, 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    # Beyond the frame's edge an area goes on: it is no stroke for being cut off there.
    margin = 2 * width
    padded = np.pad(marked.astype(np.uint8), margin, mode="edge")
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)[margin:-margin, margin:-margin]
    return bool(opened.sum() > 0.5 * marked.sum())


def _rim(marked: BoolArray, reach_px: int) -> BoolArray:
    """Pixels as near as that to the outline, on both sides; the frame's own edge is none."""
    kernel = np.ones((2 * reach_px + 1,) * 2, np.uint8)
    area = marked.astype(np.uint8)
    return np.asarray(cv2.dilate(area, kernel) != cv2.erode(area, kernel), np.bool_)
