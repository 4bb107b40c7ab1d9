"""What a decomposition gives back: the layers' files, and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddvideo.arrays import FloatArray
from ddvideo.errors import DDVideoError
from ddvideo.pipeline.plan import Plan

__all__ = ["LayerResult", "Result"]


@dataclass(frozen=True)
class LayerResult:
    """One layer as it was written."""

    name: str
    path: Path
    channels: int
    size: tuple[int, int] | None = None
    """Width and height of the input; the file may have one more of each, to be even. None: that of the file."""

    def frames(self) -> Iterator[FloatArray]:
        """Read the layer back, frame by frame: float32 in [0, 1].

        Yields:
            ``(H, W)`` for a layer of one channel (alpha), ``(H, W, 3)`` for a colour layer, also where its PNG files
            carry alpha as well; of the input's size.

        Raises:
            InputError: the file is gone or cannot be read.
        """
        from ddvideo.media import read_layer

        for values in read_layer(self.path, size=self.size):
            yield values if values.ndim == 2 else values[..., :3]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One input's outcome.

    ``layers`` and ``report`` are empty after a dry run, which has a ``plan``, and after a failure among several inputs,
    which has an ``error``. ``input`` is the first one of images that were taken together; the report has all.
    """

    input: Path
    folder: Path
    layers: Mapping[str, LayerResult] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan | None = None
    error: DDVideoError | None = None
