"""A user's hints in a window: known superpixels, and the labels that propagate from them to all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.config import Settings
from ddvideo.hint_options import HINTS, hinted_frames
from ddvideo.tasks.contract import Memory, Window
from ddvideo.tasks.segment.regions import Painted, Regions
from ddvideo.tasks.segment.user_hints.grabcut import complete_with_grabcut, is_whole
from ddvideo.tasks.segment.user_hints.label_propagation import Known, combine_log_odds, labels_of, propagate_labels
from ddvideo.tasks.segment.user_hints.reading import FrameHint, read_hints
from ddvideo.types import Shot

__all__ = ["WindowHints", "gather_hints", "hint_key_frames"]

_COMPLETED = 3
"""Hints are completed by GrabCut where at most this many frames of a window have any."""
_ANCHOR_FRAMES = 4
_TOLD, _COMPLETED_BY_US = 0.7, 0.5
"""Trust in labels from hints of foreground and background, and from hints of one of them that were completed."""
_VALUES, _WEIGHTS, _TRUST = "hint_values", "hint_weights", "hint_trust"


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowHints:
    """Propagated hints of a window; arrays are ``(N,)``."""

    propagated: FloatArray
    """How likely each superpixel is foreground."""
    reach: FloatArray
    """How much of that comes from hints; 1 where it is known."""
    trust: float
    """Weight of all this against what is found without it."""
    sure: Mapping[int, tuple[BoolArray, BoolArray]]
    """Pixels ``(h, w)`` that are known as foreground and as background, by row of the window."""

    def over(self, likelihood: FloatArray) -> FloatArray:
        """A likelihood of the same superpixels that was found without hints, with what they tell."""
        return combine_log_odds(likelihood, self.propagated, self.reach, trust=self.trust)

    def held(self, alpha: AnyArray) -> None:
        """Set the pixels that are known in ``alpha`` ``(T, h, w)``."""
        for row, (foreground, background) in self.sure.items():
            alpha[row][foreground] = 1
            alpha[row][background] = 0

    def memory(self) -> dict[str, AnyArray]:
        """What the shot's chunks take from its prior, beside ``anchor_frames`` and ``anchor_features``."""
        return {_VALUES: self.propagated, _WEIGHTS: self.reach, _TRUST: np.array(self.trust, np.float32)}


def hint_key_frames(shot: Shot, settings: Settings) -> list[int]:
    """Frames that a shot's prior has to see: those of an image or a box, and a neighbour, which flow needs."""
    options = {**HINTS, **settings.options}
    single = [name for name in ("fg_hint", "bg_hint") if options[name] and options[name].get("frames", 1) == 1]
    frame = max(options["hint_frame"], 0)
    if not (single or options["box"]) or not shot.start <= frame < shot.stop:
        return []
    return [frame] if shot.frames == 1 else [frame, frame + 1] if frame + 1 < shot.stop else [frame - 1, frame]


def gather_hints(
    window: Window,
    regions: Regions,
    features: Sequence[FloatArray],
    guess: FloatArray,
    settings: Settings,
    memory: Memory | None,
) -> WindowHints | None:
    """Read the hints of a window's frames and carry them to the others; None where nothing is told of this shot.

    Args:
        window: the frames.
        regions: their superpixels.
        features: per frame ``(n_t, D)``, by which superpixels are compared.
        guess: ``(N,)``, more than one half where the foreground is likely: what single hints are completed with.
        settings: their options name the hints.
        memory: what the shot's prior has made of them.

    Raises:
        InputError: a hint cannot be read.
        UsageError: the box is none.
    """
    options = {**HINTS, **settings.options}
    marked = read_hints(options, window.indices, window.size, window.full_size) if hinted_frames(options) else {}
    if not marked and (memory is None or _VALUES not in memory):
        return None
    whole = bool(marked) and median(is_whole(window.frames[row], hint) for row, hint in marked.items()) > 0.5
    is_completed = not whole and 0 < len(marked) <= _COMPLETED
    sure = {row: _sure(hint, whole) for row, hint in marked.items()}
    labels = np.full(len(regions), np.nan, np.float32)
    for row, hint in marked.items():
        share = np.full(window.size, np.nan, np.float32)
        if is_completed:
            share[:] = complete_with_grabcut(window.frames[row], hint, Painted(regions, guess)[row])
        else:
            foreground, background = sure[row]
            share[foreground], share[background] = 1, 0
        regions.of_frame(labels, row)[:] = labels_of(_means(regions, row, share))
    propagated, reach = propagate_labels(features, labels, _elsewhere(window, regions, features, labels, memory))
    has_both = all(hint.foreground.any() and hint.background.any() for hint in marked.values())
    trust = _COMPLETED_BY_US if is_completed and not has_both else _TOLD
    if memory is not None and _TRUST in memory:
        trust = float(memory[_TRUST])
    return WindowHints(propagated=propagated, reach=reach, trust=trust, sure=sure)


def _sure(hint: FrameHint, whole: bool) -> tuple[BoolArray, BoolArray]:
    """What is known pixel by pixel: foreground and background."""
    background = hint.background | (whole & ~hint.foreground)
    return hint.foreground, background if hint.box is None else background | ~hint.box


def _means(regions: Regions, row: int, share: FloatArray) -> FloatArray:
    """Mean of a map over a frame's superpixels, of those pixels that have a value; NaN where they are too few."""
    labels, count = regions.labels[row], regions.counts[row]
    has = ~np.isnan(share)
    pixels = np.bincount(labels.ravel(), has.ravel(), minlength=count)
    sums = np.bincount(labels.ravel(), np.where(has, share, 0).ravel(), minlength=count)
    enough = pixels >= 0.25 * np.bincount(labels.ravel(), minlength=count)
    return np.where(enough, sums / np.maximum(pixels, 1), np.nan).astype(np.float32)


def _elsewhere(
    window: Window, regions: Regions, features: Sequence[FloatArray], labels: FloatArray, memory: Memory | None
) -> Known:
    """What every frame asks directly: known superpixels of this window, and of the prior's frames outside of it."""
    known = ~np.isnan(labels)
    rows = [row for row in range(len(features)) if regions.of_frame(known, row).any()]
    parts = [
        Known(features[row][mine], regions.of_frame(labels, row)[mine], np.ones(int(mine.sum()), np.float32))
        for row in _spread(rows)
        if len(mine := regions.of_frame(known, row))
    ]
    if memory is not None and _VALUES in memory:
        frames = memory["anchor_frames"]
        outside = ~np.isin(frames, window.indices)
        with_hint = np.unique(frames[outside & (memory[_WEIGHTS] >= 1)])
        chosen = {*_spread(with_hint.tolist()), *_spread(np.unique(frames[outside]).tolist())}
        there = np.isin(frames, list(chosen))
        parts.append(Known(memory["anchor_features"][there], memory[_VALUES][there], memory[_WEIGHTS][there]))
    nothing = np.zeros(0, np.float32)
    return Known(
        np.concatenate([np.zeros((0, features[0].shape[1]), np.float32), *(part.features for part in parts)]),
        np.concatenate([nothing, *(part.values for part in parts)]),
        np.concatenate([nothing, *(part.weights for part in parts)]),
    )


def _spread(items: Sequence[int]) -> list[int]:
    """Some of many, from the first to the last."""
    if len(items) <= _ANCHOR_FRAMES:
        return list(items)
    return [items[at] for at in np.linspace(0, len(items) - 1, _ANCHOR_FRAMES).round().astype(int)]
