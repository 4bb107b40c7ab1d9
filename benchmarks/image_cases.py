"""Single images with a known object, from the frames of DAVIS; and what anyone can make of them by simple means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from benchmarks.davis import DavisSequence, read_frame, read_mask
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.detail.guided import guided_upsample
from ddvideo.graph.features import appearance
from ddvideo.graph.neighbours import likeness_graph
from ddvideo.graph.superpixels import superpixels, to_lab
from ddvideo.graph.voting import vote
from ddvideo.media.working import working_frame
from ddvideo.tasks.segment.regions import Regions
from ddvideo.tasks.segment.saliency import centre_prior
from ddvideo.tasks.segment.threshold import stable_threshold, weighted_otsu

__all__ = ["BASELINES", "SECTIONS", "Case", "baselines", "cases_of"]

STEP = 8
_AROUND, _LEAST_PX = 2, 160
_WORKING_PX = 432
_SUPERPIXELS, _SUPERPIXEL_PX = 1200, 85
_VOTES = 60
_ABOVE_OTSU = (1.0, 1.8)
_SOFTNESS = 0.25

BASELINES = ("centre", "otsu", "walk")
"""The middle of the frame, cut by Otsu; what a walk from the border over likes does not reach, cut by Otsu; and the
product of both, voted on in 60 rounds and cut where it is steadiest, which is what single frames had before."""


@dataclass(frozen=True)
class Case:
    """One image: ``(H, W, 3)`` uint8 RGB and ``(H, W)`` bool."""

    name: str
    picture: ByteArray
    mask: BoolArray


def _whole(picture: ByteArray, mask: BoolArray) -> tuple[ByteArray, BoolArray] | None:
    return picture, mask


def _close(picture: ByteArray, mask: BoolArray) -> tuple[ByteArray, BoolArray] | None:
    """The part around the object, twice as wide and high as it is where the frame has room; None without an object."""
    if not mask.any():
        return None
    spans = []
    for axis, length in zip((1, 0), mask.shape, strict=True):
        inside = np.flatnonzero(mask.any(axis=axis))
        size = int(min(max(_AROUND * (inside[-1] + 1 - inside[0]), _LEAST_PX), length))
        start = int(np.clip((inside[0] + inside[-1] + 1) // 2 - size // 2, 0, length - size))
        spans.append(slice(start, start + size))
    part = tuple(spans)
    return np.ascontiguousarray(picture[part]), np.ascontiguousarray(mask[part])


SECTIONS: Mapping[str, Callable[[ByteArray, BoolArray], tuple[ByteArray, BoolArray] | None]] = {
    "whole": _whole,
    "close": _close,
}


def cases_of(sequence: DavisSequence, section: str, step: int = STEP) -> Iterator[Case]:
    """Every so many-th frame but the first and the last, as an image; a mask is only used to cut and to score."""
    for index in range(step, len(sequence.frames) - 1, step):
        cut = SECTIONS[section](read_frame(sequence.frames[index]), read_mask(sequence.masks[index]))
        if cut is not None:
            yield Case(f"{sequence.name}-{Path(sequence.frames[index]).stem}", *cut)


def _border_walk(graph: csr_array, border: BoolArray) -> FloatArray:
    """How hard it is to reach the frame's edge over the graph, ``(N,)`` over its 99th percentile."""
    scores = np.ones(len(border), np.float32)
    for _ in range(_VOTES):
        scores = (graph @ scores) * ~border
    return np.asarray(np.clip(scores / max(float(np.quantile(scores, 0.99)), 1e-9), 0, 1), np.float32)


def baselines(picture: ByteArray) -> dict[str, FloatArray]:
    """Mattes ``(H, W)`` by the name of the baseline."""
    small = working_frame(picture, _WORKING_PX)
    lab = to_lab(small)
    labels = superpixels(lab, min(_SUPERPIXELS, max(small.shape[0] * small.shape[1] // _SUPERPIXEL_PX, 4)))
    count = int(labels.max()) + 1
    regions = Regions([labels])
    graph = likeness_graph([appearance(lab, labels, count)], offsets=(0,))
    centre = centre_prior(labels, count)
    walk = _border_walk(graph, regions.border())
    voted = vote(graph, walk * centre, steps=_VOTES)
    cuts = {
        "centre": (centre, weighted_otsu(centre, regions.sizes)),
        "otsu": (walk, weighted_otsu(walk, regions.sizes)),
        "walk": (voted, stable_threshold(voted, regions.sizes, around=_ABOVE_OTSU)),
    }
    full = picture.astype(np.float32) / np.float32(255)
    mattes = {}
    for name, (scores, threshold) in cuts.items():
        width = _SOFTNESS * max(threshold, 1e-6)
        likely = 1 / (1 + np.exp(-np.clip((scores - threshold) / width, -30, 30)))
        mattes[name] = guided_upsample(np.asarray(likely[labels], np.float32), small, full)
    return mattes
