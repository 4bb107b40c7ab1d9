"""Alpha and colours of a mark over stills, and the images without it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.tasks.dewatermark.mark import Mark, inpainted, tidied, unit
from ddvideo.tasks.dewatermark.stills.peeling import peeled
from ddvideo.tasks.dewatermark.stills.pieces import Pieces, better_colours, coloured_pieces, one_piece, seams
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.single_image import TURNS, fit_single_image
from ddvideo.tasks.dewatermark.stills.sparse_gradients import Fit, alpha_of, fit_alpha, fit_free_colour, level_of

__all__ = ["fit_stills"]

_MARGIN_PX = 12
_MORE_TURNS = 3
_CLOSE = 0.015
_MORE_COLOURS = 1.25
_LEAST_ALPHA, _STRONG_ALPHA = 0.02, 0.06
_OPAQUE, _HIDDEN = 0.85, 0.97
_LEAST_GAIN = 0.0


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
    pairs = PixelPairs(hull)
    if len(images) == 1:
        flat = peeled(images[0], hull)
        if flat is not None:
            return flat
    fit, pieces = fit_single_image(images, piece, pairs) if len(images) == 1 else _fit_several(images, pairs)
    if fit.gain < _LEAST_GAIN:
        return np.zeros(hull.shape, np.float32), pieces.colour
    alpha, colour = alpha_of(fit.log_clear), pieces.colour
    if len(pieces.colours) > 1:
        alpha, colour = _mended(images, alpha, pieces)
    sure = hull if len(images) == 1 else piece
    return tidied(alpha, sure, strong=_STRONG_ALPHA, least=_LEAST_ALPHA, grown_px=5), colour


def _fit_several(images: FloatArray, pairs: PixelPairs) -> tuple[Fit, Pieces]:
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
        fit, pieces = better_colours(images, fit, pieces, pairs)
    level = level_of(fit.log_clear, pairs.region)
    return fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=8, level=level), pieces


def _trial(images: FloatArray, pieces: Pieces, pairs: PixelPairs, fit: Fit) -> tuple[Fit, Pieces]:
    for _ in range(TURNS):
        fit, pieces = better_colours(images, fit, pieces, pairs)
        fit = fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=3, first_noise=_CLOSE)
    return fit, pieces


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
    offset = fit_free_colour(images, log_clear, pieces.colour, PixelPairs(seam))
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
