"""Scoring of separated layers: fidelity of both, what of one is left in the other, and whether they are exchanged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from benchmarks.material import unit
from benchmarks.mixtures import Moment
from benchmarks.score import ScoreError
from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.metrics import ssim

__all__ = ["SAMPLED", "ClipScore", "Estimate", "score_clip"]

SAMPLED = 8
"""Every 8th frame is measured for SSIM, and is what single frames are decomposed of."""
MOST_DB = 100.0
"""Told instead of an infinite ratio."""
FLAT = 1e-9
"""Slopes of which this is the sum of squares are none."""
TRUE_T, TRUE_R, FOUND_T, FOUND_R = range(4)


@dataclass(frozen=True)
class Estimate:
    """What was made of one frame, ``(H, W, 3)`` each: both layers."""

    transmission: FloatArray
    reflection: FloatArray


@dataclass
class LayerError:
    """The error of a layer over many frames: its sum by colour, and that of its squares."""

    total: AnyArray = field(default_factory=lambda: np.zeros(3))
    squares: float = 0.0
    count: int = 0
    """Of pixels."""

    def add(self, error: AnyArray) -> None:
        """Take in one frame, ``(H, W, 3)``."""
        self.total = self.total + error.sum(axis=(0, 1), dtype=np.float64)
        self.squares += float(np.square(error, dtype=np.float64).sum())
        self.count += error.shape[0] * error.shape[1]

    @property
    def psnr_db(self) -> float:
        """Of the layer as it is, 100 at most."""
        return _decibel(self.squares / (3 * self.count))

    @property
    def ac_psnr_db(self) -> float:
        """The same without one constant colour of the clip, the one that makes the error least."""
        constant = float(np.square(self.total / self.count).mean())
        return _decibel(self.squares / (3 * self.count) - constant)


@dataclass
class Part:
    """What was measured over some frames of one variant.

    ``slopes``: sums of products ``(4, 4)`` of the spatial differences of true and found layers.
    """

    transmission: LayerError = field(default_factory=LayerError)
    reflection: LayerError = field(default_factory=LayerError)
    slopes: AnyArray = field(default_factory=lambda: np.zeros((4, 4)))
    levels: list[float] = field(default_factory=list)
    ssims: list[float] = field(default_factory=list)

    def add(self, true: Estimate, found: Estimate, slopes: AnyArray, similarity: float | None) -> None:
        """Take in one frame."""
        self.transmission.add(found.transmission - true.transmission)
        self.reflection.add(found.reflection - true.reflection)
        self.slopes = self.slopes + slopes
        self.levels.append(float(found.reflection.mean()))
        self.ssims += [] if similarity is None else [similarity]

    def as_dict(self) -> dict[str, float]:
        """The numbers; those that take a reflection that is known, and has slopes, only where there is one."""
        told = {
            "psnr_db": self.transmission.psnr_db,
            "ac_psnr_db": self.transmission.ac_psnr_db,
            "ssim": fmean(self.ssims),
            "r_psnr_db": self.reflection.psnr_db,
            "r_ac_psnr_db": self.reflection.ac_psnr_db,
            "r_mean": fmean(self.levels),
        }
        if min(self.slopes[TRUE_T, TRUE_T], self.slopes[TRUE_R, TRUE_R]) < FLAT:
            return told
        return told | {
            "leak_r_in_t": self._leak(FOUND_T, TRUE_T)[1],
            "leak_t_in_r": self._leak(FOUND_R, TRUE_R)[0],
            "swapped": float(self._swapped()),
        }

    def _leak(self, found: int, true: int) -> tuple[float, float]:
        """How much of the true transmission and of the true reflection the error of a layer is made of."""
        truths = np.ix_([TRUE_T, TRUE_R], [TRUE_T, TRUE_R])
        products = self.slopes[[TRUE_T, TRUE_R], found] - self.slopes[[TRUE_T, TRUE_R], true]
        of_t, of_r = np.linalg.lstsq(self.slopes[truths], products, rcond=None)[0]
        return round(float(of_t), 6) + 0.0, round(float(of_r), 6) + 0.0  # no negative zero

    def _swapped(self) -> bool:
        """Whether the slopes of the true reflection are more like the transmission's; never for a flat reflection."""
        if min(self.slopes[FOUND_T, FOUND_T], self.slopes[FOUND_R, FOUND_R]) < FLAT:
            return False
        of_t, of_r = (self.slopes[found, TRUE_R] / math.sqrt(self.slopes[found, found]) for found in (FOUND_T, FOUND_R))
        return bool(of_t > of_r)


@dataclass
class ClipScore:
    """What was measured of one variant: over all frames that it has, and over every 8th."""

    whole: Part = field(default_factory=Part)
    sampled: Part = field(default_factory=Part)


def score_clip(moments: Iterable[Moment], streams: Mapping[str, Iterator[Estimate | None]]) -> dict[str, ClipScore]:
    """Measure separated clips frame by frame, streamed.

    Args:
        moments: the true layers.
        streams: by variant, one estimate a frame, None for a frame that was left out.

    Raises:
        ScoreError: they are not as many, or of another size.
    """
    scores = {name: ClipScore() for name in streams}
    try:
        for index, (moment, *found) in enumerate(zip(moments, *streams.values(), strict=True)):
            true = Estimate(unit(moment.transmission), unit(moment.reflection))
            slopes = [_slopes(true.transmission), _slopes(true.reflection)]
            for name, estimate in zip(streams, found, strict=True):
                if estimate is not None:
                    _add(scores[name], index, true, estimate, slopes)
    except ValueError as error:
        raise ScoreError(f"a result has another number or size of frames than the input ({error})") from error
    return scores


def _add(score: ClipScore, index: int, true: Estimate, found: Estimate, slopes: list[FloatArray]) -> None:
    stacked = np.stack([*slopes, _slopes(found.transmission), _slopes(found.reflection)])
    products = stacked @ stacked.T
    similarity = ssim(found.transmission, true.transmission) if index % SAMPLED == 0 else None
    score.whole.add(true, found, products, similarity)
    if similarity is not None:
        score.sampled.add(true, found, products, similarity)


def _slopes(picture: FloatArray) -> AnyArray:
    """Differences between neighbours, to the right and down, one after the other."""
    values = picture.astype(np.float64)
    return np.concatenate([np.diff(values, axis=1).ravel(), np.diff(values, axis=0).ravel()])


def _decibel(error: float) -> float:
    return min(round(-10 * math.log10(error), 4), MOST_DB) if error > 0 else MOST_DB
