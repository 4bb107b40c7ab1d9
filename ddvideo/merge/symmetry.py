"""Which exchanges of layers a forward model does not notice, and whether a chunk came out exchanged.

``m F + (1 - m) B`` is the same picture after F and B are swapped and m is turned into 1 - m. A fit may fall on either
side, so that a chunk can come out exchanged against its neighbour. Which exchanges are free is not written down a
task: it is tried out on the forward model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ddvideo.arrays import FloatArray

if TYPE_CHECKING:
    from ddvideo.tasks.contract import Task

__all__ = ["IDENTITY", "Exchange", "best_exchange", "exchanges"]

Layers = Mapping[str, FloatArray]

CLEARLY_BETTER = 0.5
"""An exchange is believed when it leaves less than this part of the difference to the neighbour."""
WORTH_ASKING = 0.05
"""Below this mean difference (of 1) the layers agree and nothing is asked."""


@dataclass(frozen=True)
class Exchange:
    """Two layers swapped (or none), and some one-channel layers turned into one minus themselves."""

    swap: tuple[str, str] | None = None
    negate: tuple[str, ...] = ()
    is_free: bool = True
    """Whether the forward model gives the same picture after it."""

    def apply(self, layers: Layers) -> dict[str, FloatArray]:
        """The layers after the exchange."""
        changed = {name: layers[self._partner.get(name, name)] for name in layers}
        for name in self.negate:
            changed[name] = np.float32(1) - changed[name]
        return changed

    @cached_property
    def _partner(self) -> dict[str, str]:
        return {} if self.swap is None else {self.swap[0]: self.swap[1], self.swap[1]: self.swap[0]}

    def __str__(self) -> str:
        words = [f"{self.swap[0]} and {self.swap[1]} exchanged"] if self.swap else []
        return " and ".join(words + [f"{name} inverted" for name in self.negate])


IDENTITY = Exchange()


def exchanges(task: Task) -> tuple[Exchange, ...]:
    """All exchanges of a task's layers, each with whether its forward model notices it."""
    rng = np.random.default_rng(0)
    layers = {
        layer.name: rng.random((8, 8, layer.channels) if layer.spatial else (1, 1, layer.channels), np.float32)
        for layer in task.layers
    }
    picture = task.forward(layers)
    found = []
    for candidate in _candidates(task):
        same = np.allclose(picture, task.forward(candidate.apply(layers)), atol=1e-4)
        found.append(Exchange(candidate.swap, candidate.negate, is_free=bool(same)))
    return tuple(found)


def _candidates(task: Task) -> Iterator[Exchange]:
    spatial = [layer for layer in task.layers if layer.spatial]
    maps = [layer.name for layer in spatial if layer.channels == 1]
    swaps = [(a.name, b.name) for a, b in combinations(spatial, 2) if a.channels == b.channels]
    for swap in (None, *swaps):
        for count in range(len(maps) + 1):
            for negate in combinations(maps, count):
                if swap or negate:
                    yield Exchange(swap, negate)


def best_exchange(kept: list[Layers], new: list[Layers], choices: tuple[Exchange, ...]) -> Exchange:
    """What has to be done to ``new`` so that its layers are those of ``kept``.

    Args:
        kept: frames of the overlap as the earlier chunk tells them; layers ``(H, W, C)`` float32 in [0, 1].
        new: the same frames as the later chunk tells them.
        choices: from ``exchanges``.

    Returns:
        ``IDENTITY`` unless the layers differ clearly and an exchange explains it; of those that explain it about
        equally well, a free one.
    """
    as_is = _difference(kept, new)
    if as_is < WORTH_ASKING or not choices:
        return IDENTITY
    scored = [(_difference(kept, [choice.apply(layers) for layers in new]), choice) for choice in choices]
    free = min((entry for entry in scored if entry[1].is_free), key=lambda entry: entry[0], default=None)
    best = min(scored, key=lambda entry: entry[0])
    for difference, choice in (free, best) if free else (best,):
        if difference < CLEARLY_BETTER * as_is:
            return choice
    return IDENTITY


def _difference(kept: list[Layers], new: list[Layers]) -> float:
    """Mean absolute difference over all layers, each layer counting the same."""
    gaps = [float(np.abs(a[name] - b[name]).mean()) for a, b in zip(kept, new, strict=True) for name in a]
    return sum(gaps) / max(len(gaps), 1)
