"""The superpixels of all frames of a window as one list of nodes, and maps to and from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.graph.superpixels import border_labels, mean_per_label

__all__ = ["Regions", "weighted_otsu"]


class Regions:
    """Nodes of a window: the superpixels of its frames, frame after frame.

    Args:
        labels: per frame ``(h, w)``, 0 to n - 1.
    """

    def __init__(self, labels: Sequence[AnyArray]) -> None:
        self.labels = [np.asarray(frame, np.int32) for frame in labels]
        self.counts = [int(frame.max()) + 1 for frame in self.labels]
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        self.sizes = np.concatenate(
            [np.bincount(frame.ravel(), minlength=n) for frame, n in zip(self.labels, self.counts, strict=True)]
        )

    def __len__(self) -> int:
        return int(self.starts[-1])

    def mean(self, maps: Iterable[FloatArray]) -> FloatArray:
        """Mean of a map ``(h, w)`` a frame over each node, ``(N,)``."""
        return np.concatenate(
            [mean_per_label(values, frame, n) for values, frame, n in zip(maps, self.labels, self.counts, strict=True)]
        )

    def border(self) -> BoolArray:
        """Nodes on their frame's edge, ``(N,)``."""
        return np.concatenate([border_labels(frame, n) for frame, n in zip(self.labels, self.counts, strict=True)])

    def paint(self, values: FloatArray) -> FloatArray:
        """Maps ``(T, h, w)`` float32 in which every pixel has its node's value."""
        return np.stack([self.of_frame(values, t)[frame] for t, frame in enumerate(self.labels)]).astype(np.float32)

    def of_frame(self, values: FloatArray, t: int) -> FloatArray:
        """The part of ``values`` ``(N, ...)`` that belongs to frame ``t``."""
        return values[self.starts[t] : self.starts[t + 1]]


def weighted_otsu(values: FloatArray, weights: AnyArray, bins: int = 256) -> float:
    """Otsu's threshold of weighted samples (superpixels count as their pixels); the middle where all are equal.

    Args:
        values: ``(N,)``.
        weights: ``(N,)``, >= 0.
    Source: Otsu, IEEE SMC 1979, eq. 18: the threshold that maximises the variance between the two classes.
    """
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        return (low + high) / 2
    mass, edges = np.histogram(values, bins=bins, range=(low, high), weights=weights)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(mass)
    above = below[-1] - below
    moment = np.cumsum(mass * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (moment / below - (moment[-1] - moment) / above) ** 2
    return float(centres[int(np.nanargmax(between[:-1]))])
