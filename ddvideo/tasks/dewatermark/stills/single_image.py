"""A mark on a single image, fitted from the level of alpha that its edges vote for, or from its narrow strokes."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.level_vote import DARKER, strokes, supported, voted_level
from ddvideo.tasks.dewatermark.stills.pieces import (
    Pieces,
    better_colours,
    coloured_pieces,
    one_piece,
    only,
    without_faint,
)
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.sparse_gradients import Fit, fit_alpha, level_of, lowest_log_clear

__all__ = ["TURNS", "fit_single_image"]

_FAR_FIRST = 0.2
TURNS = 3
"""Times that colours and alpha are fitted in turn."""
_CLOSE = 0.015
_HELD_PX, _STROKE_PX = 5, 2
_SURE_SCORE, _SOME_SCORE, _LEAST_SCORE = 3.5, 1.2, 1.0
_SAME_LEVEL = 0.25
_NEAR_LEVEL = 0.1
_LEAST_SHARE, _SURE_SHARE = 0.15, 0.4
"""Of the outline of a part that steps by the level: the latter where the level itself is less than sure."""
_FIRST_ALPHAS = (0.6,)


def fit_single_image(images: FloatArray, piece: BoolArray, pairs: PixelPairs) -> tuple[Fit, Pieces]:
    """Alpha and colours of a mark on one image; a gain of minus infinity where there is none.

    Args:
        images: ``(1, h, w, 3)`` in [0, 1].
        piece: ``(h, w)``: its narrow lines, if it has any.
        pairs: of the region that may hold the mark.
    """
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
    near = PixelPairs(_grown(held, _HELD_PX) & pairs.region)
    start = np.where(held, level, 0.0)
    for first_noise in (0.06, 0.03, 0.03):
        fit = fit_alpha(images, pieces.colour, near, start=start, rounds=6, first_noise=first_noise, level=level)
        start = fit.log_clear
    if pieces.colours.shape[0] > 1 or not np.isin(pieces.colours, (0, 1)).all():
        for _ in range(TURNS):
            fit, pieces = better_colours(images, fit, pieces, near)
            common = level_of(fit.log_clear, near.region)
            fit = fit_alpha(images, pieces.colour, near, start=fit.log_clear, rounds=6, level=common)
    return fit, pieces


def _coloured_trial(images: FloatArray, pieces: Pieces, pairs: PixelPairs) -> tuple[Fit, Pieces]:
    start = np.zeros(pairs.region.shape)
    fit = fit_alpha(images, pieces.colour, pairs, start=start, rounds=10, first_noise=_FAR_FIRST)
    for _ in range(TURNS):
        fit, pieces = better_colours(images, fit, pieces, pairs)
        pieces = without_faint(pieces, fit.log_clear)
        fit = fit_alpha(images, pieces.colour, pairs, start=fit.log_clear, rounds=4, first_noise=_CLOSE)
    return fit, pieces


def _voted(image: FloatArray, pieces: Pieces, region: BoolArray) -> Pieces:
    """Pieces without those whose colour shows no level by itself, if there are others."""
    scores = [voted_level(image, one_piece(region.shape, colour).colour, region)[1] for colour in pieces.colours]
    kept = np.flatnonzero(np.array(scores) > _LEAST_SCORE)
    return only(pieces, kept, np.where(region, 1.0, 0.0)) if len(kept) else pieces


def _fit_strokes(images: FloatArray, piece: BoolArray, pairs: PixelPairs) -> tuple[Fit, Pieces]:
    found = [strokes(images[0], value, pairs.region & piece) for value in (1.0, 0.0)]
    best = int(found[1][1] > DARKER * found[0][1])
    start = found[best][0]
    pieces = one_piece(pairs.region.shape, 1.0 - best)
    if not start.any():
        return Fit(log_clear=start, gain=-np.inf), pieces
    near = PixelPairs(_grown(start < 0, _STROKE_PX) & pairs.region)
    for first_noise in (0.06, 0.03, 0.03):
        fit = fit_alpha(images, pieces.colour, near, start=start, rounds=6, first_noise=first_noise, level=0.0)
        start = fit.log_clear
    return fit, pieces


def _grown(mask: BoolArray, by_px: int) -> BoolArray:
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, np.bool_)
