"""The colours that a mark may have: one for all of it, or several flat pieces, which a rough fit shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.mark import inpainted
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.sparse_gradients import Fit, alpha_of, fit_alpha, fit_free_colour, fit_strength

__all__ = ["Pieces", "better_colours", "coloured_pieces", "one_piece", "only", "relabelled", "seams", "without_faint"]

_ROUGH_TURNS, _ROUGH_ROUNDS = 3, 4
_SMOOTH_PX, _VOTE_PX = 3.0, 1.5
_OFFSET_ERROR, _COLOUR_SPREAD = 0.04, 0.1
_MOST, _NEAR, _LEAST_SHARE = 3, 0.25, 0.08
_STARTS = 40
_LEAST_ALPHA = 0.1
_SOLID = 0.7
"""A part of most of a mark's alpha, below which a pixel lies on its outline."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Flat pieces of a mark."""

    labels: AnyArray
    """``(h, w)``: the piece that a pixel belongs to, or would if the mark reached it."""
    colours: AnyArray
    """``(K, 3)`` in [0, 1]."""

    @property
    def colour(self) -> FloatArray:
        """``(h, w, 3)``."""
        return np.asarray(self.colours[self.labels], np.float32)


def one_piece(shape: tuple[int, int], colour: AnyArray | float) -> Pieces:
    """One colour ``(3,)``, or a grey, everywhere."""
    return Pieces(labels=np.zeros(shape, np.intp), colours=np.full((1, 3), colour, np.float64))


def coloured_pieces(
    images: FloatArray, pairs: PixelPairs, start: AnyArray | None, first_alpha: float = 0.6
) -> Pieces | None:
    """Pieces by a rough fit of a colour that is smooth at first; None where it shows no mark.

    Args:
        images: ``(N, h, w, 3)``.
        pairs: of the region that holds the mark.
        start: see :func:`fit_alpha`.
        first_alpha: what the mark is thought to have at first.
    """
    mean = images.mean(0)
    around = np.mean([inpainted(image, pairs.region) for image in images], 0)
    colour = np.asarray(np.clip(around + (mean - around) / first_alpha, 0, 1), np.float32)
    for _ in range(_ROUGH_TURNS):
        start = fit_alpha(images, colour, pairs, start=start, rounds=_ROUGH_ROUNDS).log_clear
        alpha = alpha_of(start)
        colour = _smooth_colour(alpha, fit_free_colour(images, start, colour, pairs))
    weight = np.where(pairs.region & (alpha > _LEAST_ALPHA), alpha, 0)
    if not weight.any():
        return None
    colours = _modes(colour[weight > 0], weight[weight > 0])
    return Pieces(labels=_labels(weight, colour, colours), colours=colours)


def relabelled(images: FloatArray, log_clear: AnyArray, pieces: Pieces, pairs: PixelPairs) -> Pieces:
    """The same colours, each pixel with that which fits best where alpha is known."""
    alpha = alpha_of(log_clear)
    colour = _smooth_colour(alpha, fit_free_colour(images, log_clear, pieces.colour, pairs))
    weight = np.where(pairs.region & (alpha > _LEAST_ALPHA), alpha, 0)
    if not weight.any():
        return pieces
    return Pieces(labels=_labels(weight, colour, pieces.colours), colours=pieces.colours)


def better_colours(images: FloatArray, fit: Fit, pieces: Pieces, pairs: PixelPairs) -> tuple[Fit, Pieces]:
    """The fit with the strengths and colours that suit its alpha best, and each pixel in the piece that fits best."""
    if len(pieces.colours) > 1:
        pieces = relabelled(images, fit.log_clear, pieces, pairs)
    log_clear, colours = fit_strength(images, fit.log_clear, pieces.labels, pieces.colours, pairs)
    return replace(fit, log_clear=log_clear), replace(pieces, colours=colours)


def _smooth_colour(alpha: FloatArray, offset: FloatArray) -> FloatArray:
    """Colour ``(h, w, 3)`` of alpha times colour: that around, or a pixel's own where enough of it is there to tell."""
    total = cv2.GaussianBlur(alpha * alpha, (0, 0), _SMOOTH_PX)
    around = cv2.GaussianBlur(offset * alpha[..., None], (0, 0), _SMOOTH_PX) / np.maximum(total, 1e-6)[..., None]
    around = np.clip(around, 0, 1)
    own = np.clip(offset / np.maximum(alpha, np.float32(0.02))[..., None], -0.2, 1.2)
    known = (alpha / _OFFSET_ERROR) ** 2
    trust = known / (known + 1 / _COLOUR_SPREAD**2)
    return np.asarray(np.clip(around + trust[..., None] * (own - around), 0, 1), np.float32)


def _modes(points: FloatArray, weight: AnyArray) -> AnyArray:
    """The most frequent colours ``(K, 3)`` of points ``(n, 3)``, apart from each other (mean shift)."""
    total, left = weight.sum(), weight.copy()
    found: list[AnyArray] = []
    while len(found) < _MOST and left.sum() > _LEAST_SHARE * total:
        chosen = points[np.flatnonzero(left)]
        mass = left[left > 0]
        starts = chosen[np.linspace(0, len(chosen) - 1, _STARTS).astype(int)]
        densities = [(mass * np.exp(-((chosen - at) ** 2).sum(1) / (2 * _OFFSET_ERROR))).sum() for at in starts]
        centre = starts[int(np.argmax(densities))]
        for _ in range(8):
            near = mass * (((chosen - centre) ** 2).sum(1) < _NEAR**2)
            centre = (near[:, None] * chosen).sum(0) / max(near.sum(), 1e-6)
        found.append(centre)
        left = np.where(((points - centre) ** 2).sum(1) < (1.3 * _NEAR) ** 2, 0, left)
    return np.asarray(found, np.float64)


def _labels(weight: AnyArray, colour: FloatArray, colours: AnyArray) -> AnyArray:
    """``(h, w)``: by vote of the pixels around in the mark, of the nearest piece elsewhere."""
    nearest = ((colour[:, :, None] - colours) ** 2).sum(3).argmin(2)
    count = len(colours)
    votes = [cv2.GaussianBlur(((nearest == k) * weight).astype(np.float32), (0, 0), _VOTE_PX) for k in range(count)]
    voted = np.stack(votes, -1).argmax(2)
    nothing = np.full(weight.shape, np.inf)
    held = [(voted == k) & (weight > 0) for k in range(count)]
    far = np.stack([distance_transform_edt(~one) if one.any() else nothing for one in held], -1)
    return np.asarray(np.where(weight > 0, voted, far.argmin(2)))


def seams(pieces: Pieces, alpha: FloatArray) -> BoolArray:
    """``(h, w)``: where a mark's pieces of different colours meet."""
    if not (alpha > _LEAST_ALPHA).any():
        return np.zeros(alpha.shape, np.bool_)
    strong = alpha > max(_SOLID * float(np.percentile(alpha[alpha > _LEAST_ALPHA], 90)), _LEAST_ALPHA)
    kernel = np.ones((3, 3), np.uint8)
    # A seam's own pixels may have lost their alpha.
    solid = cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    labels = pieces.labels.astype(np.uint8)
    largest = cv2.dilate(np.where(solid, labels, np.uint8(0)), kernel)
    smallest = cv2.erode(np.where(solid, labels, np.uint8(255)), kernel)
    border = (largest > smallest) & solid
    return np.asarray((cv2.dilate(border.astype(np.uint8), kernel) > 0) & solid, np.bool_)


def without_faint(pieces: Pieces, log_clear: AnyArray) -> Pieces:
    """Pieces without those in which there is hardly anything of the mark."""
    alpha = alpha_of(log_clear)
    mass = np.bincount(pieces.labels.ravel(), weights=alpha.ravel(), minlength=len(pieces.colours))
    kept = np.flatnonzero(mass >= _LEAST_SHARE * max(mass.sum(), 1e-6))
    if len(kept) in (0, len(mass)):
        return pieces
    return only(pieces, kept, np.where(alpha > _LEAST_ALPHA, alpha, 0))


def only(pieces: Pieces, kept: AnyArray, weight: AnyArray) -> Pieces:
    """The pieces of some numbers; each pixel of another belongs to the nearest of them.

    Args:
        pieces: all.
        kept: numbers of those kept, ``(k,)``.
        weight: ``(h, w)``: 0 where a pixel's own piece does not count.
    """
    weight = np.where(np.isin(pieces.labels, kept), weight, 0)
    return Pieces(labels=_labels(weight, pieces.colour, pieces.colours[kept]), colours=pieces.colours[kept])
