"""The position of superpixels relative to the likely foreground: offset from its centre over its spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ddvideo.arrays import FloatArray
from ddvideo.tasks.segment.regions import Regions

__all__ = ["relative_positions"]

_SMOOTHED_FRAMES = 2.0
_LEAST_SPREAD = 0.03
"""Of a region, in parts of the frame."""
_FAR = 3.0
"""Spreads from which on one place is as far as another."""


def relative_positions(likelihood: FloatArray, places: Sequence[FloatArray], regions: Regions) -> list[FloatArray]:
    """Offsets from the region's centre in units of its spread, and their length, each drawn into (-1, 1).

    Args:
        likelihood: ``(N,)`` of belonging to the region.
        places: per frame ``(n_t, 2)``, x then y, in parts of the frame.
        regions: frames and sizes.

    Returns:
        per frame ``(n_t, 3)``.
    """
    tracks = []
    for t, place in enumerate(places):
        mass = regions.of_frame(likelihood, t) ** 2 * regions.of_frame(regions.sizes, t) + 1e-6
        mass = mass / mass.sum()
        centre = (mass[:, None] * place).sum(0)
        spread = np.sqrt((mass[:, None] * (place - centre) ** 2).sum())
        tracks.append((*centre, max(spread, _LEAST_SPREAD)))
    track = gaussian_filter1d(np.array(tracks), _SMOOTHED_FRAMES, axis=0, mode="nearest", truncate=2)
    found = []
    for place, (x, y, spread) in zip(places, track, strict=True):
        offset = (place - (x, y)) / spread
        length = np.sqrt((offset**2).sum(1, keepdims=True))
        found.append(np.tanh(np.concatenate([offset, length], 1) / _FAR).astype(np.float32))
    return found
