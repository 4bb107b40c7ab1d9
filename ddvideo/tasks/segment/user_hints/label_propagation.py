"""Label propagation: known superpixels of a shot pass their labels on to all that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.graph.neighbours import likeness_graph

__all__ = ["Known", "combine_log_odds", "labels_of", "propagate_labels"]

_ROUNDS = 60
_SURE = 0.6
"""A superpixel of which so much is foreground (background) is known to be that."""
_REACHED = 0.02
"""Reach at which the propagated likelihood has half of its full weight."""
_CLIP = 1e-3


@dataclass(frozen=True, eq=False)
class Known:
    """Superpixels of which something is known; arrays are ``(A,)``."""

    features: FloatArray
    """``(A, D)``."""
    values: FloatArray
    """Of being foreground, in [0, 1]."""
    weights: FloatArray
    """How far it is known, in [0, 1]."""

    def __len__(self) -> int:
        return len(self.features)


def labels_of(share: FloatArray) -> FloatArray:
    """1 for superpixels whose share of foreground is large, 0 where it is small, NaN where it is mixed or NaN."""
    return np.where(share > _SURE, 1, np.where(share < 1 - _SURE, 0, np.nan)).astype(np.float32)


def propagate_labels(
    features: Sequence[FloatArray], labels: FloatArray, elsewhere: Known
) -> tuple[FloatArray, FloatArray]:
    """Propagate labels over the graph of superpixels that look alike, near or far in time.

    ``f <- W f``, again and again, with the known superpixels held; this tends to the harmonic function. Superpixels
    that are known elsewhere are neighbours of every frame directly.

    Args:
        features: per frame ``(n_t, D)``.
        labels: ``(N,)``: 1 foreground, 0 background, NaN not known.
        elsewhere: what is known besides, of frames that may be others.

    Returns:
        How likely each is foreground ``(N,)``, and how much of that comes from known ones ``(N,)``, both in [0, 1].
    Source: Zhu, Ghahramani and Lafferty, ICML 2003, eqs. 2 to 5; the graph is that of Faktor and Irani, BMVC 2014.
    """
    graph = likeness_graph(features, anchors=elsewhere.features if len(elsewhere) else None)
    known = np.concatenate([~np.isnan(labels), np.ones(len(elsewhere), np.bool_)])
    weights = np.concatenate([known[: len(labels)].astype(np.float32), elsewhere.weights])
    masses = np.concatenate([np.nan_to_num(labels), elsewhere.values * elsewhere.weights]).astype(np.float32)
    both = fixed = np.stack([masses, weights], 1)
    for _ in range(_ROUNDS):
        both = np.where(known[:, None], fixed, graph @ both)
    masses, weights = both[: len(labels)].T
    return np.asarray(masses / np.maximum(weights, 1e-9), np.float32), np.asarray(weights, np.float32)


def combine_log_odds(likelihood: FloatArray, propagated: FloatArray, reach: FloatArray, *, trust: float) -> FloatArray:
    """Mean of the log odds of a likelihood found without hints and of the propagated one, as a likelihood ``(N,)``.

    The propagated one has the weight ``trust * reach / (reach + 0.02)``.

    Args:
        likelihood: ``(N,)``.
        propagated: ``(N,)``, as :func:`propagate_labels` gives it.
        reach: ``(N,)``, likewise.
        trust: weight of what is told where hints reach, in [0, 1].
    """
    share = trust * reach / (reach + _REACHED)
    odds = share * _logit(propagated) + (1 - share) * _logit(likelihood)
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def _logit(likelihood: FloatArray) -> FloatArray:
    safe = np.clip(likelihood, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(safe / (1 - safe)), np.float32)
