"""A flat piece of a mark over one image: of many blends, the one that explains its own outline best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.graph_cut import cut_mask
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.ransac import ERROR, Blend, refined

__all__ = ["APART", "Flat", "best_flat"]

APART = ((0, 3), (3, 0))
"""Pairs over the width of a smooth edge."""
_LEAST_STEP = 0.04
_FEW = 24
_AGAINST = -2.0
_SEEN = 0.25
_STRONG_GAIN = 0.3
_LIGHT = 0.1
"""Marks are white as a rule."""
_REFINED, _TURNS = 3, 2
"""The likeliest blends are refined, in so many turns."""
_PART_SHARE, _CUT_SHARE = 0.3, 0.1
"""Of a part's outline: what a blend has to save of its cost, and what may end at the region's border only."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat:
    """A piece of one strength and colour."""

    mask: BoolArray
    """``(h, w)``."""
    blend: Blend
    quality: float
    """How well it explains its outline, and that what lies outside is seen through it: 1 is as good as it gets."""
    exact: float
    """Share of the outline at which the scene is the same on both sides."""


def best_flat(image: FloatArray, pairs: PixelPairs, blends: Iterable[Blend]) -> Flat | None:
    """The piece that explains its own outline best; None where none has an outline.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        pairs: of the region that holds the mark, of ``APART``.
        blends: to try.
    """
    tried = [_judged(image, pairs, blend) for blend in blends]
    found = [flat for flat in tried if flat is not None]
    if not found:
        return None
    likely = sorted(found, key=_likely, reverse=True)[:_REFINED]
    best = max((_refined(image, pairs, flat) for flat in likely), key=_likely)
    return replace(best, mask=_spoken_for(image, pairs, best))


def _likely(flat: Flat) -> float:
    return flat.quality + _LIGHT * (flat.blend.plain == 1)


def _refined(image: FloatArray, pairs: PixelPairs, flat: Flat) -> Flat:
    """With the blend that most of its outline agrees with, and the best quality on the way there."""
    best = flat
    for _ in range(_TURNS):
        again = _judged(image, pairs, refined(*_outline(image, pairs, best.mask), best.blend))
        if again is None or again.exact <= best.exact:
            break
        best = replace(again, quality=max(best.quality, again.quality))
    return best


def _judged(image: FloatArray, pairs: PixelPairs, blend: Blend) -> Flat | None:
    mask = cut_mask(image, pairs.region, blend.gain, blend.offset)
    inner, outer = _outline(image, pairs, mask)
    if len(inner) < _FEW:
        return None
    steps, told = _told(inner, outer, blend)
    right = np.count_nonzero(_agreed(inner, outer, blend))
    if right < _FEW:
        return None
    # What would agree with a scene's colours from elsewhere does not show that anything is seen through the mark.
    elsewhere = np.random.default_rng(0).permutation(outer)
    seen = max(1 - np.count_nonzero(_agreed(inner, elsewhere, blend)) / right, 0.0)
    hidden = max(1 - blend.gain / _STRONG_GAIN, 0.0)
    quality = float(told.sum() / steps.sum()) + _SEEN * (seen - hidden)
    return Flat(mask=mask, blend=blend, quality=quality, exact=right / len(inner))


def _told(inner: AnyArray, outer: AnyArray, blend: Blend) -> tuple[AnyArray, AnyArray]:
    """Cost of the steps across an outline, and how much of it a blend saves, ``(n,)`` each."""
    steps = np.log1p((np.abs(inner - outer).max(1) / ERROR) ** 2)
    left = np.log1p((blend.error(inner, outer) / ERROR) ** 2)
    return steps, np.maximum(steps - left, _AGAINST)


def _agreed(inner: AnyArray, outer: AnyArray, blend: Blend) -> AnyArray:
    return np.asarray((blend.error(inner, outer) < ERROR) & (np.abs(inner - outer).max(1) > _LEAST_STEP))


def _outline(image: FloatArray, pairs: PixelPairs, mask: BoolArray) -> tuple[AnyArray, AnyArray]:
    """Colours ``(n, 3)`` inside and outside of a mask's edge."""
    one, other = pairs.ends(mask)
    leaves, enters = one & ~other, other & ~one
    first, second = pairs.ends(image)
    return np.concatenate([first[leaves], second[enters]]), np.concatenate([second[leaves], first[enters]])


def _spoken_for(image: FloatArray, pairs: PixelPairs, flat: Flat) -> BoolArray:
    """The mask without parts whose outline does not speak for them, or that go on beyond the region."""
    count, labels = cv2.connectedComponents(flat.mask.astype(np.uint8), connectivity=4)
    steps, told, length, cut = np.zeros((4, count))
    ends, colours, inside = pairs.ends(labels), pairs.ends(image), pairs.ends(pairs.region)
    for one, other in ((0, 1), (1, 0)):
        across = (ends[one] > 0) & (ends[other] == 0)
        part = ends[one][across]
        own_steps, own_told = _told(colours[one][across], colours[other][across], flat.blend)
        steps += np.bincount(part, own_steps, count)
        told += np.bincount(part, own_told, count)
        length += np.bincount(part, minlength=count)
        cut += np.bincount(part[~inside[other][across] & (own_told < 0)], minlength=count)
    kept = (told > _PART_SHARE * steps) & (cut <= _CUT_SHARE * length)
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)
