"""Scoring of mattes against masks, by the protocol of DAVIS-2016, and their steadiness along the motion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Any

import cv2
import numpy as np

from benchmarks.davis import DavisSequence, read_mask
from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.media import open_source, read_layer
from ddvideo.metrics import boundary_f, jaccard, temporal_instability
from ddvideo.motion.flow import backward_warp, consistency, dense_flow, to_grey

__all__ = ["Score", "ScoreError", "score_alphas", "score_sequence"]

TRUTH = "truth"


class ScoreError(Exception):
    """A result cannot be measured: it is not what a user should have got."""


@dataclass
class Score:
    """What was measured of one matte: J and F on each frame that counts, the change from each frame to the next."""

    j: list[float] = field(default_factory=list)
    f: list[float] = field(default_factory=list)
    flicker: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Means, and the spread of J over the frames."""
        return {
            "j": _rounded(fmean(self.j)),
            "f": _rounded(fmean(self.f)),
            "flicker": _rounded(fmean(self.flicker), 6),
            "j_over_frames": {
                "median": _rounded(median(self.j)),
                "min": _rounded(min(self.j)),
                "max": _rounded(max(self.j)),
            },
        }


def score_alphas(alphas: Iterator[FloatArray], masks: Iterator[BoolArray]) -> Score:
    """J and F of ``alpha > 0.5``, at the mask's size, over all frames but the first and the last.

    Args:
        alphas: ``(H, W)`` in [0, 1], one a frame.
        masks: ``(H, W)`` bool, as many.

    Raises:
        ScoreError: they are not as many, or fewer than three.
    """
    score = Score()
    try:
        for alpha, mask in zip(alphas, masks, strict=True):
            predicted = _at_size_of(alpha, mask) > 0.5
            score.j.append(jaccard(predicted, mask))
            score.f.append(boundary_f(predicted, mask))
    except ValueError as error:
        raise ScoreError(f"the matte has another number of frames than the masks ({error})") from error
    if len(score.j) < 3:
        raise ScoreError(f"three frames or more are needed, not {len(score.j)}")
    return Score(score.j[1:-1], score.f[1:-1])


def score_sequence(
    clip: Path, sequence: DavisSequence, alphas: Mapping[str, Path], *, frames: int | None = None
) -> dict[str, Score]:
    """Measure the mattes of one clip. ``truth`` holds the flicker that the masks themselves have.

    Args:
        clip: the video that was decomposed.
        sequence: its masks.
        alphas: files of the mattes, by the name of the variant.
        frames: measure only so many from the start; a matte may have more.

    Raises:
        ScoreError: a matte has another number of frames than the masks.
    """
    masks = sequence.masks[:frames]
    scores = {
        name: score_alphas(islice(read_layer(path), frames), (read_mask(mask) for mask in masks))
        for name, path in alphas.items()
    }
    scores[TRUTH] = Score()
    streams: dict[str, Iterator[FloatArray]] = {name: islice(read_layer(path), frames) for name, path in alphas.items()}
    streams[TRUTH] = (read_mask(mask).astype(np.float32) for mask in masks)
    before: dict[str, FloatArray] = {}
    grey_before = None
    with open_source(clip) as source:
        for frame, *alphas_now in zip(islice(source.frames(), frames), *streams.values(), strict=True):
            grey = to_grey(frame.rgb)
            now = {name: _at_size_of(alpha, grey) for name, alpha in zip(streams, alphas_now, strict=True)}
            if grey_before is not None:
                flow = dense_flow(grey_before, grey)
                confidence = consistency(flow, dense_flow(grey, grey_before))
                for name, alpha in now.items():
                    change = temporal_instability(before[name], backward_warp(alpha, flow), confidence)
                    scores[name].flicker.append(change)
            before, grey_before = now, grey
    return scores


def _at_size_of(alpha: FloatArray, like: AnyArray) -> FloatArray:
    if alpha.shape == like.shape:
        return alpha
    height, width = like.shape
    return np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _rounded(value: float, digits: int = 4) -> float:
    return round(value, digits)
