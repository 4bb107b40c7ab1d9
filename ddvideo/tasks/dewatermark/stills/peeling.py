"""A mark of flat pieces over one image, taken off piece by piece: without one piece, the outline of the next shows."""

from __future__ import annotations

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.flat_piece import APART, Flat, best_flat
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.ransac import blends_of_gain, likely_blends
from ddvideo.tasks.dewatermark.stills.sparse_gradients import alpha_of, fit_alpha

__all__ = ["peeled"]

_LEAST, _LEAST_WHITE, _WHITE = 0.74, 0.72, 0.9
"""Quality of a piece, which scenes without a mark hardly reach, and of a white one, as marks are as a rule."""
_LEAST_SHARE = 0.015
"""Of a box, that a mark covers."""
_MOST, _SAME_GAIN, _LEAST_SIZE = 4, 0.12, 0.03
"""So many pieces at most, that differ by less in gain, and none smaller than this share of the first."""
_EDGE_PX = 3
_LEAST_ALPHA = 0.02
_HIDDEN_GAIN = 0.08
"""Below this, what shows through a piece does not tell its edge."""


def peeled(image: FloatArray, hull: BoolArray) -> tuple[FloatArray, FloatArray] | None:
    """Alpha ``(h, w)`` and colour ``(h, w, 3)`` of a mark; None where no piece of one is found.

    Where pieces meet, and along the edge of opaque ones, alpha is 1: nothing tells there what lies behind.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        hull: ``(h, w)``: how far the mark may reach.
    """
    alpha, laid, left = np.zeros(hull.shape, np.float32), np.zeros((*hull.shape, 3), np.float32), image
    pairs = PixelPairs(hull, APART)
    found: list[Flat] = []
    unknown = np.zeros(hull.shape, np.bool_)
    while len(found) < _MOST:
        blends = blends_of_gain(left, pairs, found[0].blend.gain) if found else likely_blends(left, pairs)
        flat = best_flat(left, pairs, blends)
        if flat is None or not _is_one(flat, found, hull):
            break
        own = _alpha(left, hull, flat)
        colour = np.asarray(flat.blend.colour, np.float32)
        laid += (1 - alpha[..., None]) * own[..., None] * colour
        alpha += (1 - alpha) * own
        behind = (left - own[..., None] * colour) / np.maximum(1 - own, np.float32(0.02))[..., None]
        left = np.where(own[..., None] > 0, np.clip(behind, 0, 1), left).astype(np.float32)
        unknown |= _seam(flat, found)
        found.append(flat)
    if not alpha.any():
        return None
    alpha[unknown & hull] = 1
    colours = laid / np.maximum(alpha, np.float32(1e-6))[..., None]
    return alpha, np.where(unknown[..., None], image, colours).astype(np.float32)


def _is_one(flat: Flat, found: list[Flat], hull: BoolArray) -> bool:
    """Whether a piece is one of the mark, and not of the scene."""
    least = _LEAST_WHITE if flat.blend.colour.min() > _WHITE else _LEAST
    size, least_size = np.count_nonzero(flat.mask), _LEAST_SHARE * np.count_nonzero(hull)
    if found:
        least_size = _LEAST_SIZE * np.count_nonzero(found[0].mask)
        if abs(flat.blend.gain - found[0].blend.gain) > _SAME_GAIN:
            return False
    return bool(size >= least_size and flat.quality >= least)


def _alpha(image: FloatArray, hull: BoolArray, flat: Flat) -> FloatArray:
    """Alpha ``(h, w)`` of a piece, with its smooth edges."""
    near = PixelPairs(_changed(flat.mask, cv2.MORPH_DILATE, _EDGE_PX) & hull)
    level = float(np.log(flat.blend.gain))
    log_clear = np.where(flat.mask, level, 0.0)
    colour = np.broadcast_to(np.asarray(flat.blend.colour, np.float32), image.shape)
    for first_noise in (0.06, 0.03, 0.03):
        fit = fit_alpha(image[None], colour, near, start=log_clear, rounds=6, first_noise=first_noise, level=level)
        log_clear = fit.log_clear
    alpha = alpha_of(log_clear)
    return np.where(alpha > _LEAST_ALPHA, alpha, 0).astype(np.float32)


def _seam(flat: Flat, found: list[Flat]) -> BoolArray:
    """``(h, w)``: where a piece meets others, or ends and hides what it lies on."""
    wide, narrow = _changed(flat.mask, cv2.MORPH_DILATE, 1), _changed(flat.mask, cv2.MORPH_ERODE, 1)
    seam = wide & ~narrow if flat.blend.gain < _HIDDEN_GAIN else np.zeros_like(wide)
    for other in found:
        within = narrow | _changed(other.mask, cv2.MORPH_ERODE, 1)
        seam = seam | (wide & _changed(other.mask, cv2.MORPH_DILATE, 1) & ~within)
    return np.asarray(seam, np.bool_)


def _changed(mask: BoolArray, operation: int, by_px: int) -> BoolArray:
    kernel = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), operation, kernel) > 0, np.bool_)
