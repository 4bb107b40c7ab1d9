"""Blends ``gain * C + offset`` that a flat mark over one image may be, from pixel pairs across its edges (RANSAC)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs

__all__ = ["ERROR", "Blend", "blends_of_gain", "likely_blends", "refined"]

ERROR = 0.02
"""Colours behind a mark that differ by less are the same."""
_LEAST_STEP, _FLAT = 0.04, 0.35
"""An edge's step, and what its two ends may change by, as a share of that."""
_FEW = 24
_TRIES, _A_BIN, _VOTERS = 100_000, 200, 2000
_CELL_PX = 24
"""Half of the pairs of edges are taken from one such cell: they are of one outline there more often than not."""
_SPREAD = 0.12
"""Two edges tell a gain where what lies beside them differs by more."""
_BEYOND = 0.03
_LEAST_GAIN, _MOST_GAIN, _BINS, _KEPT = 0.06, 0.84, 6, 5
_APART = 0.08
_LOUD = 0.2
_IN_LINE = 0.9
"""Correlation of colours inside and outside, below which what they differ by is not the scene's."""
_PLAIN_GAINS = np.linspace(0.1, 0.8, 15)


@dataclass(frozen=True, kw_only=True, eq=False)
class Blend:
    """How a flat mark changes the scene's colours ``C``: to ``gain * C + offset``."""

    gain: float
    """``1 - alpha``."""
    offset: AnyArray
    """Alpha times the mark's colour, ``(3,)``."""
    plain: float | None = None
    """The grey that the mark's colour is thought to be: 1 or 0."""

    @property
    def colour(self) -> AnyArray:
        """Of the mark, ``(3,)`` in [0, 1]."""
        return np.clip(self.offset / (1 - self.gain), 0, 1)

    def error(self, inner: AnyArray, outer: AnyArray) -> AnyArray:
        """Largest error ``(n,)`` of a channel of colours ``(n, 3)`` inside, where the scene is like that outside."""
        return np.asarray(np.abs(inner - self.gain * outer - self.offset).max(-1))


def likely_blends(image: FloatArray, pairs: PixelPairs) -> Iterator[Blend]:
    """White and black of every strength, and what two edges have in common that others have too (RANSAC).

    Two edges of one flat piece tell its gain by what they differ by inside and outside, in three channels alike. Blends
    are ranked by how many edges have them, less those that would by chance; the first few of every strength are told.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        pairs: of pixels, over the width of a smooth edge.

    Source: Fischler and Bolles, 1981.
    """
    for value in (1.0, 0.0):
        for gain in _PLAIN_GAINS:
            yield Blend(gain=float(gain), offset=np.full(3, (1 - gain) * value), plain=value)
    inner, outer, cells = _edges(image, pairs)
    if len(inner) < _FEW:
        return
    random = np.random.default_rng(0)
    gains, offsets, bins = _of_two_edges(inner, outer, cells, random)
    voters = random.permutation(len(inner))[:_VOTERS]
    chance = random.permutation(voters)
    seen = inner[voters]
    scores = np.array(
        [
            _votes(seen, outer[voters], gain, offset) - _votes(seen, outer[chance], gain, offset)
            for gain, offset in zip(gains, offsets, strict=True)
        ]
    )
    for number in range(_BINS):
        own = np.flatnonzero(bins == number)
        own = own[np.argsort(-scores[own])]
        for at in _apart(np.column_stack([gains[own], offsets[own]]), _KEPT):
            yield refined(inner, outer, Blend(gain=float(gains[own[at]]), offset=offsets[own[at]]))


def blends_of_gain(image: FloatArray, pairs: PixelPairs, gain: float) -> Iterator[Blend]:
    """Colours that many edges have in common, if the mark's strength is known from another piece of it.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        pairs: of pixels, over the width of a smooth edge.
        gain: of the other piece.
    """
    inner, outer, _ = _edges(image, pairs)
    offsets = inner - np.float32(gain) * outer
    offsets = offsets[_is_colour(offsets / (1 - gain))]
    if len(offsets) < _FEW:
        return
    some = np.random.default_rng(0).permutation(offsets)[:_VOTERS]
    starts = some[:_A_BIN]
    scores = np.array([np.maximum(1 - (np.abs(some - one).max(1) / ERROR) ** 2, 0).sum() for one in starts])
    starts = starts[np.argsort(-scores)]
    for at in _apart(starts, 2 * _KEPT):
        yield Blend(gain=gain, offset=starts[at])


def refined(inner: AnyArray, outer: AnyArray, blend: Blend) -> Blend:
    """A blend fitted to those of the colours ``(n, 3)`` inside and outside of an outline that agree with it.

    Source: reduced major axis (both sides have errors): Ricker, J. Fish. Res. Board Can. 1973.
    """
    for _ in range(4):
        weight = np.maximum(1 - (blend.error(inner, outer) / (1.5 * ERROR)) ** 2, 0)[:, None]
        total = weight.sum()
        if total < 5:
            break
        if blend.plain is None:
            mean, beside = (weight * inner).sum(0) / total, (weight * outer).sum(0) / total
        else:
            mean = beside = np.full(3, blend.plain)
        spread = max((weight * (outer - beside) ** 2).sum(), 1e-6)
        common, own = (weight * (inner - mean) * (outer - beside)).sum(), (weight * (inner - mean) ** 2).sum()
        gain = float(common / spread)
        # The scene differs a little from one side to the other, so that a slope by least squares is too flat.
        if common > _IN_LINE * np.sqrt(spread * own):
            gain = float(np.sqrt(own / spread))
        if not _LEAST_GAIN / 2 < gain < _MOST_GAIN:
            break
        blend = Blend(gain=gain, offset=mean - gain * beside, plain=blend.plain)
    return blend


def _edges(image: FloatArray, pairs: PixelPairs) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Colours on both sides of sharp edges, ``(n, 3)``, either way round, and the cells ``(n,)`` that they lie in."""
    height, width = pairs.region.shape
    slope = np.zeros((height, width, 2), np.float32)
    slope[:, 1:-1, 0] = np.abs(image[:, 2:] - image[:, :-2]).max(2) / 2
    slope[1:-1, :, 1] = np.abs(image[2:] - image[:-2]).max(2) / 2
    one, other = pairs.ends(image)
    step = np.abs(one - other).max(1)
    along = (pairs.second - pairs.first >= width).astype(int)[:, None]
    steepest = np.maximum(*(np.take_along_axis(end, along, 1)[:, 0] for end in pairs.ends(slope)))
    used = np.flatnonzero((steepest < _FLAT * step) & (step > _LEAST_STEP))
    inner, outer = (np.concatenate(ends) for ends in ((one[used], other[used]), (other[used], one[used])))
    inside = pairs.region.ravel()[np.concatenate([pairs.first[used], pairs.second[used]])]
    row, column = np.divmod(np.tile(pairs.first[used], 2), width)
    cells = row // _CELL_PX * (width // _CELL_PX + 1) + column // _CELL_PX
    return inner[inside], outer[inside], cells[inside]


def _of_two_edges(
    inner: AnyArray, outer: AnyArray, cells: AnyArray, random: np.random.Generator
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Gains ``(m,)``, offsets ``(m, 3)`` and bins of strength ``(m,)`` that two edges agree in."""
    one, other = random.integers(0, len(inner), (2, _TRIES))
    order = np.argsort(cells, kind="stable")
    near = cells[one[::2]]
    first, last = (np.searchsorted(cells[order], near, side) for side in ("left", "right"))
    other[::2] = order[first + (random.random(len(near)) * (last - first)).astype(int)]
    inside, outside = inner[one] - inner[other], outer[one] - outer[other]
    size = (outside**2).sum(1)
    gain = (inside * outside).sum(1) / np.maximum(size, 1e-6)
    error = np.abs(inside - gain[:, None] * outside).max(1)
    offset = (inner[one] + inner[other] - gain[:, None] * (outer[one] + outer[other])) / 2
    right = (size > _SPREAD**2) & (gain > _LEAST_GAIN) & (gain < _MOST_GAIN) & (error < ERROR)
    right &= _is_colour(offset / np.maximum(1 - gain, 1e-3)[:, None])
    bins = ((gain - _LEAST_GAIN) / (_MOST_GAIN - _LEAST_GAIN) * _BINS).astype(int)
    kept = np.concatenate([np.flatnonzero(right & (bins == number))[:_A_BIN] for number in range(_BINS)])
    return gain[kept], offset[kept], bins[kept]


def _is_colour(values: AnyArray) -> BoolArray:
    return np.asarray((values.min(1) > -_BEYOND) & (values.max(1) < 1 + _BEYOND), np.bool_)


def _votes(inner: AnyArray, outer: AnyArray, gain: float, offset: AnyArray) -> float:
    """How many edges ``(n, 3)`` have a blend, larger steps for more."""
    error = np.abs(inner - gain * outer - offset).max(1)
    step = np.minimum(np.abs(inner - outer).max(1), _LOUD)
    return float((step * np.maximum(1 - (error / ERROR) ** 2, 0)).sum())


def _apart(points: AnyArray, most: int) -> list[int]:
    """The first of ``(n, d)`` points that differ from all before them in some coordinate."""
    found: list[int] = []
    for at in range(len(points)):
        if len(found) == most:
            break
        if all(np.abs(points[at] - points[other]).max() > _APART for other in found):
            found.append(at)
    return found
