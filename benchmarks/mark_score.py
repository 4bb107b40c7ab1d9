"""Scoring of pictures whose mark was taken off: fidelity under the mark and beside it, and the mark itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import cv2
import numpy as np

from benchmarks.marks import Mark
from benchmarks.material import unit
from benchmarks.score import ScoreError
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.compositing import settle_mark
from ddvideo.metrics import jaccard
from ddvideo.motion.flow import dense_flow, to_grey

__all__ = [
    "IDEAL",
    "INPAINT",
    "INPUT",
    "OURS",
    "Found",
    "Moment",
    "Pooled",
    "inpainted",
    "scene_motion",
    "score_removal",
]

INPUT = "input"
"""The marked picture as it is."""
INPAINT = "inpaint"
"""OpenCV's inpainting (Telea) of every frame, in the true mask."""
IDEAL = "ideal"
"""The mark taken off by its true alpha and colour: what could be reached, compression and all."""
OURS = "ours"

RADIUS_PX = 5
VISIBLE = 0.05
"""An alpha above this counts as a mark that was found."""
LEAST_IOU = 0.5
HALF = 0.5
MOST_DB = 100.0
"""Told instead of an infinite ratio."""


@dataclass(frozen=True)
class Found:
    """What was made of one frame: ``clean`` and ``mark`` ``(H, W, 3)``, ``alpha`` ``(H, W)``, in [0, 1]."""

    clean: FloatArray
    mark: FloatArray
    alpha: FloatArray


@dataclass(frozen=True)
class Moment:
    """One frame: as it was given, as it was before there was a mark (``(H, W, 3)`` uint8), and what was made of it."""

    given: ByteArray
    clean: ByteArray
    found: Found | None = None


@dataclass
class Pooled:
    """The squared error of values in [0, 1], over a part of many pictures."""

    total: float = 0.0
    count: int = 0

    def add(self, estimate: FloatArray, truth: FloatArray, where: BoolArray) -> None:
        """Take in one picture: ``(H, W, 3)`` both, and the ``(H, W)`` that count.

        Raises:
            ScoreError: they differ in size.
        """
        if not estimate.shape == truth.shape == (*where.shape, 3):
            raise ScoreError(f"a result is {estimate.shape}, its truth {truth.shape}, the mark {where.shape}")
        self.total += float(np.square(np.subtract(estimate[where], truth[where], dtype=np.float64)).sum())
        self.count += 3 * int(np.count_nonzero(where))

    @property
    def psnr_db(self) -> float:
        """Of all that was taken in, 100 at most."""
        return min(-10 * math.log10(self.total / self.count), MOST_DB) if self.total else MOST_DB


@dataclass
class _Alphas:
    """The alphas of one clip: their sum, and their error inside the mark."""

    total: FloatArray | None = None
    errors: list[float] = field(default_factory=list)

    def add(self, alpha: FloatArray, mark: Mark) -> None:
        if alpha.shape != mark.alpha.shape:
            raise ScoreError(f"the alpha is {alpha.shape}, the mark {mark.alpha.shape}")
        self.total = alpha.copy() if self.total is None else self.total + alpha
        self.errors.append(float(np.abs(alpha - mark.alpha)[mark.inside].mean()))

    def told(self, mark: Mark) -> dict[str, Any]:
        if self.total is None:
            return {}
        mean = self.total / len(self.errors)
        covered = float((mean > HALF * mark.alpha)[mark.inside].mean())
        overlap = jaccard(np.asarray(mean > VISIBLE, np.bool_), np.asarray(mark.alpha > VISIBLE, np.bool_))
        return {
            "alpha_mae": float(np.mean(self.errors)),
            "alpha_iou": overlap,
            "alpha_covered": covered,
            "found": covered > HALF and overlap >= LEAST_IOU,
        }


def score_removal(moments: Iterable[Moment], mark: Mark) -> dict[str, dict[str, Any]]:
    """The numbers of every variant, over all frames of a clip or all pictures of a set.

    ``psnr_inside_db`` against the clean frames where the true alpha is above 0.02, the squared error pooled over the
    frames; ``psnr_outside_db`` against the frames as they were given where the true alpha is 0, for nothing may
    change there; ``above_inpaint_db``: how much better than inpainting the inside is. ``alpha_mae``: mean absolute
    error of alpha inside; ``alpha_covered``: how much of the inside has more than half of the true alpha;
    ``alpha_iou``: overlap of both alphas above 0.05; ``found``: more than half is covered, and the overlap is at
    least a half; these three look at the mean alpha over the frames. Of the input, ``psnr_coding_db`` tells how near
    it comes to the clean frames where there is no mark: what compression has left.

    Raises:
        ScoreError: a result differs from the input in size.
    """
    inside: dict[str, Pooled] = {}
    beside, coding, alphas, seconds = Pooled(), Pooled(), _Alphas(), []
    for moment in moments:
        given, clean = unit(moment.given), unit(moment.clean)
        begun = time.perf_counter()
        pictures = {INPUT: given, INPAINT: unit(inpainted(moment.given, mark.inside))}
        seconds.append(time.perf_counter() - begun)
        coding.add(given, clean, mark.outside)
        if not mark.opaque:
            pictures[IDEAL] = _by_truth(given, mark)
        if moment.found is not None:
            pictures[OURS] = moment.found.clean
            beside.add(moment.found.clean, given, mark.outside)
            alphas.add(moment.found.alpha, mark)
        for name, picture in pictures.items():
            inside.setdefault(name, Pooled()).add(picture, clean, mark.inside)
    told: dict[str, dict[str, Any]] = {name: {"psnr_inside_db": pooled.psnr_db} for name, pooled in inside.items()}
    if INPAINT in told:
        told[INPAINT]["seconds_per_frame"] = median(seconds)
        told[INPUT]["psnr_coding_db"] = coding.psnr_db
    if OURS in told:
        gain_db = told[OURS]["psnr_inside_db"] - told[INPAINT]["psnr_inside_db"]
        told[OURS] |= {"psnr_outside_db": beside.psnr_db, "above_inpaint_db": gain_db, **alphas.told(mark)}
    return told


def inpainted(picture: ByteArray, where: BoolArray) -> ByteArray:
    """A picture ``(H, W, 3)`` uint8 with a part of it filled from its edge.

    Source: Telea, Journal of Graphics Tools 2004, as OpenCV has it, with a radius of 5 pixels.
    """
    return np.asarray(cv2.inpaint(picture, where.astype(np.uint8), RADIUS_PX, cv2.INPAINT_TELEA), np.uint8)


def scene_motion(pictures: Iterable[ByteArray], where: BoolArray) -> float | None:
    """How far a part ``(H, W)`` of a clip moves from each frame to the next: the median of the flow, in pixels.

    None where there are fewer than two frames.
    """
    lengths, before = [], None
    for picture in pictures:
        grey = to_grey(picture)
        if before is not None:
            lengths.append(np.linalg.norm(dense_flow(before, grey)[where], axis=1))
        before = grey
    return float(np.median(np.concatenate(lengths))) if lengths else None


def _by_truth(given: FloatArray, mark: Mark) -> FloatArray:
    layers = {"clean": given, "mark": mark.colour, "alpha": mark.alpha[..., None]}
    return settle_mark(given, layers)["clean"]
