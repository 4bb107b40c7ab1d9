"""The superpixels of all frames of a window as one list of nodes, and maps to and from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.graph.superpixels import border_labels, mean_per_label

__all__ = ["Painted", "Regions"]


class Regions:
    """Nodes of a window: the superpixels of its frames, frame after frame.

    Args:
        labels: per frame ``(h, w)``, 0 to n - 1.
    """

    def __init__(self, labels: Sequence[AnyArray]) -> None:
        self.labels = list(labels)
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
        return np.stack(list(Painted(self, values)))

    def of_frame(self, values: FloatArray, t: int) -> FloatArray:
        """The part of ``values`` ``(N, ...)`` that belongs to frame ``t``."""
        return values[self.starts[t] : self.starts[t + 1]]


class Painted:
    """Maps of a node score, one a frame, ``(h, w)`` float32, painted when they are looked at: no memory of pixels."""

    def __init__(self, regions: Regions, values: FloatArray) -> None:
        self._regions, self._values = regions, values

    def __len__(self) -> int:
        return len(self._regions.labels)

    def __getitem__(self, t: int) -> FloatArray:
        return np.asarray(self._regions.of_frame(self._values, t)[self._regions.labels[t]], np.float32)

    def __iter__(self) -> Iterator[FloatArray]:
        return (self[t] for t in range(len(self)))
