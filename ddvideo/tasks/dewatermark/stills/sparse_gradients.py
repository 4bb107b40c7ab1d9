"""Alpha and colours of a mark, chosen so that the images without it have the fewest edges.

The functions are the steps of an alternation: alpha for known colours, colours for known alpha.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs

__all__ = [
    "Fit",
    "alpha_of",
    "fit_alpha",
    "fit_flat_colours",
    "fit_free_colour",
    "fit_strength",
    "level_of",
    "lowest_log_clear",
]

NOISE = 0.008
"""Standard deviation of the noise: smaller differences of neighbours are no edges."""
_HALF_STEP = 1.5 / 255
_CONTRAST = 0.3
"""Usual contrast of a mark and its scene: a change of ``log(1 - alpha)`` times this is a change of colour."""
_LEAST_LOG = -4.0
_BEYOND = 0.02
"""A scene's colours may seem to leave [0, 1] by so much of the image's."""
_SAME_COLOUR = 0.03
_FACTORS = (0.65, 0.8, 0.93, 1.0, 1.07, 1.22, 1.5)
_LEVEL_REACH = 0.25
_LEVEL_BIN, _LEVEL_NEAR, _LEVEL_SHARE = 0.02, 0.08, 0.3
_LEAST_LEVEL = 0.06


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """``log(1 - alpha)``, ``(h, w)``, and the log likelihood ratio of the edges with and without the mark."""

    log_clear: AnyArray
    gain: float


def fit_alpha(
    images: FloatArray,
    colour: FloatArray,
    pairs: PixelPairs,
    *,
    start: AnyArray | None = None,
    rounds: int = 8,
    first_noise: float = 0.03,
    level: float | None = None,
    level_weight: float = 3.0,
) -> Fit:
    """Alpha of a mark whose colour is known.

    Since ``W - I = (1 - a) (W - C)``, differences of ``log |W - I|`` of neighbours are those of ``log (1 - a)`` where
    the scene is flat, in all images and channels alike. The scene's differences and the mark's follow a distribution
    with a peak at 0 and heavy tails (``log(d^2 + noise^2)``, scale free), fitted by reweighted least squares while the
    noise shrinks (graduated non-convexity).

    Args:
        images: ``(N, h, w, 3)`` in [0, 1].
        colour: of the mark, ``(h, w, 3)`` in [0, 1]; pairs that it differs in tell nothing.
        pairs: of the region beyond which alpha is 0.
        start: ``log(1 - alpha)`` to begin at; None: what most channels tell.
        rounds: of reweighting.
        first_noise: noise of the first round; each halves it down to ``NOISE``.
        level: ``log(1 - alpha)`` that many pixels of the mark are thought to have.
        level_weight: of that, in pairs.

    Source: sparse gradients: Levin and Weiss, 2007; median gradients: Dekel et al., CVPR 2017; reweighting: Daubechies
    et al., 2010.
    """
    apart = colour - images
    size = np.maximum(np.abs(apart), np.float32(_HALF_STEP))
    wanted = np.stack([pairs.differences(one) for one in np.log(size)])
    same = np.abs(pairs.differences(colour)).max(1) < _SAME_COLOUR
    weight = np.stack([_reach(pairs, one, sign) for one, sign in zip(size, apart > 0, strict=True)]) * same[:, None]
    if start is None:
        steps, unknown = np.median(wanted.transpose(0, 2, 1).reshape(-1, wanted.shape[1]), 0), None
    else:
        steps, unknown = pairs.differences(start), start.ravel()[pairs.where]
    lowest = lowest_log_clear(images, colour).ravel()[pairs.where]
    for turn in range(rounds):
        noise = max(NOISE, first_noise * 0.5**turn)
        error = weight * (wanted - steps[None, :, None])
        trust = weight**2 / ((error**2).mean(2, keepdims=True) + noise**2)
        total = trust.sum((0, 2)) + _CONTRAST**2 / ((_CONTRAST * steps) ** 2 + (2 * noise) ** 2)
        pull: AnyArray | float = 0.0
        values: AnyArray | float = 0.0
        if level is not None and unknown is not None:
            for value in (0.0, level):
                off = np.abs(unknown - value)
                near = (off < _LEVEL_REACH) * level_weight * _CONTRAST**2
                near = near / ((_CONTRAST * off) ** 2 + (2 * noise) ** 2)
                pull, values = pull + near, values + near * value
        unknown = np.clip(pairs.solver(total, pull)((trust * wanted).sum((0, 2)), values), lowest, 0)
        steps = pairs.steps_of(unknown)
    assert unknown is not None
    bare = np.stack([pairs.differences(image) for image in images])
    left = np.where(weight > 0, weight * (wanted - steps[None, :, None]), bare)
    gain = np.log(((bare**2).mean(2) + NOISE**2) / ((left**2).mean(2) + NOISE**2)).sum()
    gain -= np.log(((_CONTRAST * steps) ** 2 + (2 * NOISE) ** 2) / (2 * NOISE) ** 2).sum()
    return Fit(log_clear=pairs.spread(unknown), gain=float(gain / 2))


def lowest_log_clear(images: FloatArray, colour: FloatArray) -> AnyArray:
    """``log(1 - alpha)``, ``(h, w)``, below which what lies behind would be darker than black or lighter than white.

    Args:
        images: ``(N, h, w, 3)`` in [0, 1].
        colour: of the mark, ``(h, w, 3)``.
    """
    apart = images - colour
    room = np.where(apart > 0, 1 - colour, colour) + np.float32(_BEYOND)
    clear = np.maximum(np.abs(apart) - np.float32(_BEYOND), 0) / room
    return np.asarray(np.clip(np.log(np.maximum(clear.max((0, 3)), 1e-3)), _LEAST_LOG, 0))


def _reach(pairs: PixelPairs, size: FloatArray, sign: BoolArray) -> AnyArray:
    """Factor from differences of ``log |W - I|`` to ones of colours; 0 where the mark's colour lies in between."""
    first, second = pairs.ends(size)
    one, other = pairs.ends(sign)
    return np.asarray(np.minimum(first, second) * (one == other))


def fit_flat_colours(
    images: FloatArray, log_clear: AnyArray, labels: AnyArray, colours: AnyArray, pairs: PixelPairs
) -> AnyArray:
    """Colours ``(K, 3)`` of a mark's flat pieces, where alpha is known: those that leave the fewest edges behind them.

    Args:
        images: ``(N, h, w, 3)``.
        log_clear: ``log(1 - alpha)``, ``(h, w)``.
        labels: ``(h, w)``: the piece a pixel belongs to.
        colours: ``(K, 3)`` as known so far.
        pairs: of the mark's region.
    """
    gained = np.exp(-log_clear)
    first, second = pairs.ends(labels)
    ones, others = pairs.ends(gained)
    largest, rise = np.maximum(ones, others), others - ones
    scenes = np.stack([pairs.differences(gained[..., None] * image) for image in images])
    found = np.array(colours, np.float64)
    for _ in range(2):
        error = (scenes - rise[None, :, None] * found[first][None]) / largest[None, :, None]
        trust = (first == second) / ((error**2).mean(2) + NOISE**2) / largest**2
        for piece in range(len(found)):
            along = trust * (first == piece) * rise
            total = (along * rise).sum() + 1e-6
            found[piece] = np.clip((np.einsum("np,npc->c", along, scenes) + 1e-6 * found[piece]) / total, 0, 1)
    return found


def fit_strength(
    images: FloatArray, log_clear: AnyArray, labels: AnyArray, colours: AnyArray, pairs: PixelPairs
) -> tuple[AnyArray, AnyArray]:
    """``log(1 - alpha)`` times one factor, and the colours ``(K, 3)`` that go with it: those that leave fewest edges.

    A stronger mark of a milder colour looks nearly the same, so that steps of one at a time get there slowly.

    Args:
        images: ``(N, h, w, 3)``.
        log_clear: ``log(1 - alpha)`` so far, ``(h, w)``.
        labels: ``(h, w)``: the piece a pixel belongs to.
        colours: ``(K, 3)`` as known so far.
        pairs: of the mark's region.
    """
    best, least = (log_clear, colours), np.inf
    first, second = pairs.ends(labels)
    same = first == second
    for factor in _FACTORS:
        scaled = np.maximum(log_clear * factor, _LEAST_LOG)
        found = fit_flat_colours(images, scaled, labels, colours, pairs)
        gained = np.exp(-scaled)
        ones, others = pairs.ends(gained)
        scenes = np.stack([pairs.differences(gained[..., None] * image) for image in images])
        error = (scenes - (others - ones)[None, :, None] * found[first][None]) / np.maximum(ones, others)[None, :, None]
        left = float((np.log((error**2).mean(2) + NOISE**2) * same).sum())
        if left < least:
            best, least = (scaled, found), left
    return best


def fit_free_colour(images: FloatArray, log_clear: AnyArray, colour: AnyArray, pairs: PixelPairs) -> FloatArray:
    """Alpha times colour ``(h, w, 3)`` in the pairs' region, where alpha is known; outside it is as given.

    Args:
        images: ``(N, h, w, 3)``.
        log_clear: ``log(1 - alpha)``, ``(h, w)``.
        colour: ``(h, w, 3)`` as known so far.
        pairs: of the region that is solved for.
    """
    gained = np.exp(-log_clear)
    laid = (gained - 1)[..., None] * colour
    largest = np.maximum(*pairs.ends(gained))
    scenes = np.stack([pairs.differences(gained[..., None] * image) for image in images])
    for _ in range(2):
        error = (scenes - pairs.differences(laid)) / largest[:, None]
        trust = 1 / ((error**2).mean(2) + NOISE**2) / largest**2
        solve = pairs.solver(trust.sum(0))
        lacking = (trust[..., None] * (scenes - pairs.differences(laid))).sum(0)
        laid = laid + np.stack([pairs.spread(solve(lacking[:, c], 0.0)) for c in range(3)], -1)
    return np.asarray(laid / gained[..., None], np.float32)


def level_of(log_clear: AnyArray, region: BoolArray) -> float | None:
    """The value of ``log(1 - alpha)`` that most pixels of a mark have; None where there is no such level."""
    values = log_clear[region & (log_clear < -_LEAST_LEVEL)]
    if len(values) < 20:
        return None
    values = values[values < 0.3 * np.percentile(values, 5)]
    counts, edges = np.histogram(values, bins=np.arange(_LEAST_LOG - _LEVEL_BIN, 2 * _LEVEL_BIN, _LEVEL_BIN))
    smooth = cv2.GaussianBlur(counts.astype(np.float32)[None], (0, 0), 1.5)[0]
    level = float(edges[int(smooth.argmax())]) + _LEVEL_BIN / 2
    for _ in range(5):
        near = values[np.abs(values - level) < _LEVEL_NEAR]
        level = float(np.median(near)) if len(near) else level
    return level if (np.abs(values - level) < 1.5 * _LEVEL_NEAR).mean() > _LEVEL_SHARE else None


def alpha_of(log_clear: AnyArray) -> FloatArray:
    """Alpha ``(h, w)`` in [0, 1]."""
    return np.asarray(1 - np.exp(log_clear), np.float32)
