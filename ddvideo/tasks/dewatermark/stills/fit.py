"""A mark over still images: where it is, its alpha and colours, and the images without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.tasks.dewatermark.mark import Mark, inpainted, tidied, unit
from ddvideo.tasks.dewatermark.stills.level_vote import strokes, supported, voted_level
from ddvideo.tasks.dewatermark.stills.peeling import peeled
from ddvideo.tasks.dewatermark.stills.pieces import (
    Pieces,
    coloured_pieces,
    one_piece,
    only,
    relabelled,
    seams,
    without_faint,
)
from ddvideo.tasks.dewatermark.stills.pixel_pairs import Pairs
from ddvideo.tasks.dewatermark.stills.sparse_gradients import (
    Fit,
    alpha_of,
    fit_alpha,
    fit_free_colour,
    fit_strength,
    level_of,
    lowest_log_clear,
)

__all__ = ["find_boxed_mark", "find_shared_mark", "fit_stills"]

_MARGIN_PX = 12
_SURE, _WEAK, _TWO = 1.5, 0.8, 2.0
"""An edge that all images share, in a usual edge there."""
_SURE_STEP, _WEAK_STEP = 0.02, 0.01
_NOISE = 0.012
_TEXTURE_PX, _NEAR_PX, _GROWN_PX, _EDGE_PX = 21, 41, 15, 5
_LEAST_PX, _LEAST_PX_OF_TWO, _LEAST_EDGES, _LEAST_EDGES_OF_TWO = 8, 20, 40, 200
_FAR_FIRST = 0.2
_TURNS, _MORE_TURNS = 3, 3
_CLOSE = 0.015
_HELD_PX, _STROKE_PX = 5, 2
_MORE_COLOURS = 1.25
_SURE_SCORE, _SOME_SCORE, _LEAST_SCORE = 3.5, 1.2, 1.0
_SAME_LEVEL = 0.25
_NEAR_LEVEL = 0.1
_LEAST_SHARE, _SURE_SHARE = 0.15, 0.4
"""Of the outline of a part that steps by the level: the latter where the level itself is less than sure."""
_DENSER, _LEAST_DENSITY = 2.2, 1e-3
_DARKER = 1.5
"""Marks are light as a rule: black ones have to be so much plainer."""
_FIRST_ALPHAS = (0.6,)
_LEAST_ALPHA, _STRONG_ALPHA = 0.02, 0.06
_OPAQUE, _HIDDEN = 0.85, 0.97
_LEAST_GAIN = 0.0


def find_shared_mark(images: Sequence[ByteArray]) -> list[tuple[BoolArray, BoolArray]]:
    """Where different images have the same edges.

    A mark's edge has the same direction in all of them, and the least of their steps is large against what is usual
    around; of a scene's edges, those of other images hardly ever have that.

    Args:
        images: two or more, ``(h, w, 3)`` uint8.

    Returns:
        for each mark, from the largest to the smallest, the edges found and how far it may reach: ``(h, w)``.
    """
    gradients = _gradients(np.stack([unit(image) for image in images]))
    count = len(images)
    order = np.sort(gradients, 0)
    skipped = count // 4
    low, high = order[skipped], order[count - 1 - skipped]
    shared = np.where(low > 0, low, np.where(high < 0, high, 0))
    step = np.sqrt((shared**2).sum((2, 3)))
    sizes = np.minimum(np.sqrt((gradients**2).sum((3, 4))), 0.1)
    usual = np.min([cv2.blur(size, (_TEXTURE_PX, _TEXTURE_PX)) for size in sizes], 0)
    ratio = step / (usual + _NOISE)
    # Two images share some edges by chance; three hardly any.
    ratio = ratio / (_TWO if count == 2 else 1)
    edges = (ratio > _WEAK) & (step > _WEAK_STEP)
    total, labels = cv2.connectedComponents(edges.astype(np.uint8))
    mass = np.bincount(labels[(ratio > _SURE) & (step > _SURE_STEP)], minlength=total)
    mass[0] = 0
    seeds = (mass >= (_LEAST_PX_OF_TWO if count == 2 else _LEAST_PX))[labels]
    total, groups = cv2.connectedComponents(cv2.dilate(seeds.astype(np.uint8), np.ones((_NEAR_PX,) * 2, np.uint8)))
    found = []
    for group in range(1, total):
        own = seeds & (groups == group)
        if np.count_nonzero(own) < (_LEAST_EDGES_OF_TWO if count == 2 else _LEAST_EDGES):
            continue
        hull = np.zeros(own.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(np.argwhere(own)[:, ::-1].astype(np.int32)), 1)
        hull = cv2.dilate(hull, np.ones((_GROWN_PX, _GROWN_PX), np.uint8))
        piece = cv2.dilate(own.astype(np.uint8), np.ones((_EDGE_PX, _EDGE_PX), np.uint8))
        found.append((piece > 0, hull > 0))
    return sorted(found, key=lambda mark: -int(mark[1].sum()))


def find_boxed_mark(image: ByteArray, box: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Narrow lines in a crude box, if there are more of them than around it, and how far the mark may reach.

    A mark without such lines is found by :func:`fit_stills`.

    Args:
        image: ``(h, w, 3)`` uint8.
        box: ``(h, w)``: around the mark.
    """
    hull = cv2.erode(box.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    whole = unit(image)
    inside = [strokes(whole, value, hull) for value in (1.0, 0.0)]
    outside = [strokes(whole, value, ~box) for value in (1.0, 0.0)]
    best = int(inside[1][1] > _DARKER * inside[0][1])
    found, density = inside[best][0] < 0, inside[best][1] / max(int(np.count_nonzero(hull)), 1)
    usual = outside[best][1] / max(int(np.count_nonzero(~box)), 1)
    if density < _DENSER * usual + _LEAST_DENSITY:
        found = np.zeros_like(hull)
    return found, hull


def fit_stills(images: Sequence[ByteArray], piece: BoolArray, hull: BoolArray) -> tuple[Mark, list[FloatArray]]:
    """Alpha and colour of the mark that images share, and the images without it.

    Colours are tried: white, black, and flat pieces of colours that a rough fit shows; the one with which the scenes
    are left with the fewest edges is refined.

    Args:
        images: ``(h, w, 3)`` uint8; one is enough where the mark is of few levels of alpha.
        piece: ``(h, w)``: where some of the mark is sure to be; of one image, its narrow lines if it has any.
        hull: ``(h, w)``: how far it may reach; beyond that alpha is 0.

    Returns:
        the mark, and ``(h, w, 3)`` in [0, 1] for each image: the image itself where alpha is 0.

    Source: see :func:`ddvideo.tasks.dewatermark.stills.sparse_gradients.fit_alpha`.
    """
    whole = np.stack([unit(image) for image in images])
    alpha, colour = np.zeros(hull.shape, np.float32), np.zeros((*hull.shape, 3), np.float32)
    if hull.any():
        window = _window(hull)
        part = np.ascontiguousarray(whole[(slice(None), *window)])
        alpha[window], colour[window] = _fit(part, piece[window], hull[window])
    mark = Mark(alpha=alpha, colour=colour)
    return mark, [_without(image, mark) for image in whole]


def _fit(images: FloatArray, piece: BoolArray, hull: BoolArray) -> tuple[FloatArray, FloatArray]:
    pairs = Pairs(hull)
    if len(images) == 1:
        flat = peeled(images[0], hull)
        if flat is not None:
            return flat
    fit, pieces = _fit_one(images, piece, pairs) if len(images) == 1 else _fit_several(images, pairs)
    if fit.gain < _LEAST_GAIN:
        return np.zeros(hull.shape, np.float32), pieces.colour
    alpha, colour = alpha_of(fit.log_clear), pieces.colour
    if len(pieces.colours) > 1:
        alpha, colour = _mended(images, alpha, pieces)
    sure = hull if len(images) == 1 else piece
    return tidied(alpha, sure, strong=_STRONG_ALPHA, least=_LEAST_ALPHA, grown_px=5), colour


def _fit_several(images: FloatArray, pairs: Pairs) -> tuple[Fit, Pieces]:
    shape = pairs.region.shape
    plain = [one_piece(shape, value) for value in (1.0, 0.0)]
    fits = [fit_alpha(images, pieces.colour, pairs, rounds=6) for pieces in plain]
    best = int(fits[1].gain > fits[0].gain)
    fit, pieces = _trial(images, plain[best], pairs, fits[best])
    coloured = coloured_pieces(images, pairs, None)
    if coloured is not None:
        other = _trial(images, coloured, pairs, fit_alpha(images, coloured.colour, pairs, rounds=6))
        if other[0].gain > _MORE_COLOURS * fit.gain:
            fit, pieces = other
    for _ in range(_MORE_TURNS):
        level = level_of(fit.log_clear, pairs.region)
        fit = fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=4, level=level)
        fit, pieces = _better_colours(images, fit, pieces, pairs)
    level = level_of(fit.log_clear, pairs.region)
    return fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=8, level=level), pieces


def _trial(images: FloatArray, pieces: Pieces, pairs: Pairs, fit: Fit) -> tuple[Fit, Pieces]:
    for _ in range(_TURNS):
        fit, pieces = _better_colours(images, fit, pieces, pairs)
        fit = fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=3, first_noise=_CLOSE)
    return fit, pieces


def _better_colours(images: FloatArray, fit: Fit, pieces: Pieces, pairs: Pairs) -> tuple[Fit, Pieces]:
    if len(pieces.colours) > 1:
        pieces = relabelled(images, fit.log_clear, pieces, pairs)
    log_clear, colours = fit_strength(images, fit.log_clear, pieces.labels, pieces.colours, pairs)
    return replace(fit, log_clear=log_clear), replace(pieces, colours=colours)


def _fit_one(images: FloatArray, piece: BoolArray, pairs: Pairs) -> tuple[Fit, Pieces]:
    shape, image = pairs.region.shape, images[0]
    nothing = np.zeros(shape)
    plain = [one_piece(shape, value) for value in (1.0, 0.0)]
    votes = [voted_level(image, pieces.colour, pairs.region) for pieces in plain]
    best = int(votes[1][1] > votes[0][1])
    pieces, (level, score) = plain[best], votes[best]
    fit = None
    if score < _SURE_SCORE and piece.any():
        return _fit_strokes(images, piece, pairs)
    if score < _SURE_SCORE:
        for first_alpha in _FIRST_ALPHAS:
            rough = coloured_pieces(images, pairs, nothing, first_alpha)
            if rough is None:
                continue
            for coloured in (rough, _voted(image, rough, pairs.region)):
                trial, coloured = _coloured_trial(images, coloured, pairs)
                vote = voted_level(image, coloured.colour, pairs.region)
                common = level_of(trial.log_clear, pairs.region)
                right = common is not None and abs(vote[0] - common) < _SAME_LEVEL * abs(common)
                if right and vote[1] > max(_SOME_SCORE, score if fit else 0):
                    pieces, (level, score), fit = coloured, vote, trial
            if fit is not None:
                break
        if fit is None:
            return Fit(log_clear=nothing, gain=-np.inf), pieces
    if fit is None:
        fit = fit_alpha(images, pieces.colour, pairs, start=nothing, rounds=10, first_noise=_FAR_FIRST)
    share = _LEAST_SHARE if score >= _SURE_SCORE else _SURE_SHARE
    held = supported(image, pieces.colour, pairs.region, fit.log_clear, level, share)
    held &= lowest_log_clear(images, pieces.colour) < level + _NEAR_LEVEL
    if not held.any():
        return replace(fit, gain=-np.inf), pieces
    near = Pairs(_grown(held, _HELD_PX) & pairs.region)
    start = np.where(held, level, 0.0)
    for first_noise in (0.06, 0.03, 0.03):
        fit = fit_alpha(images, pieces.colour, near, start=start, rounds=6, first_noise=first_noise, level=level)
        start = fit.log_clear
    if pieces.colours.shape[0] > 1 or not np.isin(pieces.colours, (0, 1)).all():
        for _ in range(_TURNS):
            fit, pieces = _better_colours(images, fit, pieces, near)
            common = level_of(fit.log_clear, near.region)
            fit = fit_alpha(images, pieces.colour, near, start=fit.log_clear, rounds=6, level=common)
    return fit, pieces


def _coloured_trial(images: FloatArray, pieces: Pieces, pairs: Pairs) -> tuple[Fit, Pieces]:
    start = np.zeros(pairs.region.shape)
    fit = fit_alpha(images, pieces.colour, pairs, start=start, rounds=10, first_noise=_FAR_FIRST)
    for _ in range(_TURNS):
        fit, pieces = _better_colours(images, fit, pieces, pairs)
        pieces = without_faint(pieces, fit.log_clear)
        fit = fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=4, first_noise=_CLOSE)
    return fit, pieces


def _voted(image: FloatArray, pieces: Pieces, region: BoolArray) -> Pieces:
    """Pieces without those whose colour shows no level by itself, if there are others."""
    scores = [voted_level(image, one_piece(region.shape, colour).colour, region)[1] for colour in pieces.colours]
    kept = np.flatnonzero(np.array(scores) > _LEAST_SCORE)
    return only(pieces, kept, np.where(region, 1.0, 0.0)) if len(kept) else pieces


def _fit_strokes(images: FloatArray, piece: BoolArray, pairs: Pairs) -> tuple[Fit, Pieces]:
    found = [strokes(images[0], value, pairs.region & piece) for value in (1.0, 0.0)]
    best = int(found[1][1] > _DARKER * found[0][1])
    start = found[best][0]
    pieces = one_piece(pairs.region.shape, 1.0 - best)
    if not start.any():
        return Fit(log_clear=start, gain=-np.inf), pieces
    near = Pairs(_grown(start < 0, _STROKE_PX) & pairs.region)
    for first_noise in (0.06, 0.03, 0.03):
        fit = fit_alpha(images, pieces.colour, near, start=start, rounds=6, first_noise=first_noise, level=0.0)
        start = fit.log_clear
    return fit, pieces


def _grown(mask: BoolArray, by_px: int) -> BoolArray:
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)


def _mended(images: FloatArray, alpha: FloatArray, pieces: Pieces) -> tuple[FloatArray, FloatArray]:
    """Alpha and colour where pieces meet, whose colours are mixed there: alpha is that around, the colour is free."""
    seam = seams(pieces, alpha)
    if not seam.any():
        return alpha, pieces.colour
    known = np.where(seam, 0, alpha > _STRONG_ALPHA).astype(np.float32)
    weight = cv2.GaussianBlur(known, (0, 0), 1.5)
    around = cv2.GaussianBlur(known * alpha, (0, 0), 1.5) / np.maximum(weight, 1e-6)
    alpha = np.where(seam & (weight > 1e-3), np.maximum(around, alpha), alpha).astype(np.float32)
    log_clear = np.log(np.maximum(1 - alpha, np.float32(0.02)))
    offset = fit_free_colour(images, log_clear, pieces.colour, Pairs(seam))
    own = np.clip(offset / np.maximum(alpha, np.float32(0.02))[..., None], 0, 1)
    return alpha, np.where(seam[..., None], own, pieces.colour).astype(np.float32)


def _without(image: FloatArray, mark: Mark) -> FloatArray:
    """An image behind the mark: what shows through, and from around where hardly anything does."""
    alpha = mark.alpha[..., None]
    behind = np.clip((image - alpha * mark.colour) / np.maximum(1 - alpha, np.float32(0.02)), 0, 1)
    clean = np.where(alpha > 0, behind, image).astype(np.float32)
    hidden = mark.alpha > _OPAQUE
    if hidden.any():
        trust = np.clip((_HIDDEN - alpha) / (_HIDDEN - _OPAQUE), 0, 1)
        clean = np.where(hidden[..., None], trust * clean + (1 - trust) * inpainted(clean, hidden), clean)
    return np.asarray(clean, np.float32)


def _window(hull: BoolArray) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(hull.any(1)), np.flatnonzero(hull.any(0))
    first, last = (slice(max(int(at[0]) - _MARGIN_PX, 0), int(at[-1]) + 1 + _MARGIN_PX) for at in (rows, columns))
    return first, last


def _gradients(images: FloatArray) -> FloatArray:
    """Central differences across and down, ``(N, h, w, 3, 2)``; 0 along the border."""
    out = np.zeros((*images.shape, 2), np.float32)
    out[:, :, 1:-1, :, 0] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    out[:, 1:-1, :, :, 1] = (images[:, 2:] - images[:, :-2]) / 2
    return out
