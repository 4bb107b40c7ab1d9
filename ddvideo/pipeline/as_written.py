"""What a user gets: the layers as they were written, decoded again and put together by the forward model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.merge import MergedFrame, Recomposition, to_float

if TYPE_CHECKING:
    from ddvideo.pipeline.plan import Plan
    from ddvideo.tasks.contract import Task

__all__ = ["SAMPLE_FRAMES", "AsWritten"]

SAMPLE_FRAMES = 5
"""So many frames, spread evenly over the clip, are looked at again."""


class AsWritten:
    """The input's frames that are looked at again, kept while the layers are written.

    Args:
        plan: which frames there are.
        task: layers and forward model.
    """

    def __init__(self, plan: Plan, task: Task) -> None:
        count = min(SAMPLE_FRAMES, plan.frames)
        last = plan.frames - 1
        places = {round(last * number / max(count - 1, 1)) for number in range(count)}
        self._plan, self._task = plan, task
        self._places = frozenset(plan.start + place for place in places)
        self._frames: dict[int, AnyArray] = {}
        self._constants: dict[int, dict[str, FloatArray]] = {}

    def offer(self, merged: MergedFrame) -> None:
        """Keep a frame if it is one of them."""
        if merged.index in self._places:
            self._frames[merged.index] = merged.rgb
            self._constants[merged.index] = {
                layer.name: merged.layers[layer.name] for layer in self._task.layers if not layer.spatial
            }

    def measure(self, files: Mapping[str, Path]) -> Recomposition:
        """How well the written layers give the kept frames back.

        Args:
            files: where each layer with an extent lies.

        Raises:
            InputError: one of them cannot be read again.
        """
        from ddvideo.media.layer_samples import sample_layer

        wanted = sorted(self._frames)
        info = self._plan.info
        streams = {
            layer.name: sample_layer(
                files[layer.name],
                [index - self._plan.start for index in wanted],
                width=info.width,
                height=info.height,
                channels=layer.channels,
            )
            for layer in self._task.layers
            if layer.spatial
        }
        result = Recomposition()
        for index in wanted:
            layers = {name: next(stream) for name, stream in streams.items()} | self._constants[index]
            result.add(to_float(self._frames[index]), self._task.forward(layers))
        return result
