"""A chunk's layers as its neighbour wants them: exchanged where needed, levels aligned, read frame by frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.merge.levels import Forward, Levels, fit_levels
from ddvideo.merge.symmetry import IDENTITY, Exchange, best_exchange
from ddvideo.store import LayerReader
from ddvideo.types import ChunkRecord

__all__ = ["AlignedChunk"]

SAMPLED_FRAMES = 6
SAMPLED_PX = 160
"""The overlap is compared on so many frames, thinned to about so many pixels a side."""
DISAGREEMENT = 0.2
"""Mean difference of a layer on the overlap, of 1, from which the user is told."""

_log = logging.getLogger(__name__)


class AlignedChunk:
    """The layers of one finished chunk; open files, one frame in memory at a time."""

    def __init__(self, folder: Path, record: ChunkRecord) -> None:
        self.chunk = record.chunk
        self.exchange: Exchange = IDENTITY
        self.levels: dict[str, Levels] = {}
        self._decay_from = record.chunk.start
        self._readers: dict[str, LayerReader] = {}
        try:
            for name, file in record.files.items():
                self._readers[name] = LayerReader(folder / file, record.chunk.frames)
        except BaseException:
            self.close()
            raise

    def layers(self, index: int) -> dict[str, FloatArray]:
        """The aligned layers of frame ``index`` (absolute): ``(H, W, C)`` float32 in [0, 1]."""
        layers = self.exchange.apply(
            {name: reader.frame(index - self.chunk.start) for name, reader in self._readers.items()}
        )
        strength = self._strength(index)
        if strength > 0:
            for name, levels in self.levels.items():
                layers[name] = levels.apply(layers[name], strength)
        return layers

    def is_corrected(self, index: int) -> bool:
        """Whether the frame's levels are changed, so that the layers no longer give the frame back by themselves."""
        return bool(self.levels) and self._strength(index) > 0

    def _strength(self, index: int) -> float:
        """All of the correction on the overlap, fading to none at the chunk's end: seams close and nothing drifts."""
        if index < self._decay_from:
            return 1.0
        return 1.0 - (index - self._decay_from + 1) / (self.chunk.stop - self._decay_from)

    def align_to(self, before: AlignedChunk, choices: Sequence[Exchange], forward: Forward) -> list[str]:
        """Compare with the chunk before on what both hold, and align; returns warnings in plain words."""
        first, stop = self.chunk.start, before.chunk.stop
        if first >= stop:
            return []
        frames = sorted({first + (2 * n + 1) * (stop - first) // (2 * SAMPLED_FRAMES) for n in range(SAMPLED_FRAMES)})
        kept = [_thin(before.layers(index)) for index in frames]
        new = [_thin(self.layers(index)) for index in frames]
        where = f"chunk {self.chunk.index} (frames {self.chunk.start} to {self.chunk.stop - 1})"
        warnings = []
        exchange = best_exchange(list(kept), list(new), tuple(choices))
        if exchange.is_free and exchange != IDENTITY:
            self.exchange = exchange
            new = [exchange.apply(layers) for layers in new]
            _log.info("%s came out with %s; put right", where, exchange)
        elif exchange != IDENTITY:
            warnings.append(f"{where} looks as if it had {exchange} against the chunk before it; it was left as it is")
        self.levels = fit_levels(list(kept), list(new), forward)
        self._decay_from = stop
        for name in kept[0]:
            gap = float(np.mean([np.abs(a[name] - b[name]).mean() for a, b in zip(kept, new, strict=True)]))
            if gap > DISAGREEMENT:
                warnings.append(f"{where}: {name} differs from the chunk before it by {gap:.0%} where both overlap")
        return warnings

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers.values():
            reader.close()

    def __enter__(self) -> AlignedChunk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _thin(layers: dict[str, FloatArray]) -> dict[str, FloatArray]:
    return {
        name: values[:: max(values.shape[0] // SAMPLED_PX, 1), :: max(values.shape[1] // SAMPLED_PX, 1)].copy()
        for name, values in layers.items()
    }
