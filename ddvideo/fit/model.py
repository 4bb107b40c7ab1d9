"""The generators of a task's layers, over the frames of one window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ddvideo.arrays import FloatArray
from ddvideo.errors import UsageError
from ddvideo.hardware import supports_bf16
from ddvideo.nn import (
    ConstantGenerator,
    GridGenerator,
    HourglassGenerator,
    LayerMotion,
    PyramidGenerator,
    RegionGenerator,
)
from ddvideo.tasks.contract import Layer, Motion, Seeds, Task, Window

__all__ = ["Model", "pixel_centres"]


def pixel_centres(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Centres of all pixels, ``(height, width, 2)``, x then y in [-1, 1] over the frame."""
    y = (torch.arange(height, device=device) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=device) + 0.5) / width * 2 - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


class Model(nn.Module):
    """All layers of a window: draws any of them at any points of any frames.

    Weights are shared by all frames: a layer has one generator, and its motion says where on the canvas a frame lies.

    Args:
        task: which layers.
        window: which frames.
        seeds: motions, and codes for region generators.
        device: where to compute.
    """

    times: Tensor

    def __init__(self, task: Task, window: Window, seeds: Seeds, device: str) -> None:
        super().__init__()
        self.task = task
        self.device_name = device
        self.size = window.size
        length = max(window.shot.frames - 1, 1)
        times = torch.tensor([(index - window.shot.start) / length for index in window.indices])
        self.register_buffer("times", times, persistent=False)
        still = np.broadcast_to(np.eye(3, dtype=np.float32), (len(times), 3, 3)).copy()
        frame = Motion(matrices=still, bounds=np.array([-1, -1, 1, 1], np.float32))
        self._given = {"still": frame, "camera": window.camera, **seeds.motions}
        drawn = [layer for layer in task.layers if layer.generator is not None]
        self._signed = {layer.name for layer in drawn if layer.signed}
        self.motions = nn.ModuleDict({layer.name: self._motion(layer) for layer in drawn})
        self.generators = nn.ModuleDict({layer.name: self._generator(layer, seeds) for layer in drawn})
        self.to(device)
        if device != "cpu" and torch.device(device).type == "cuda":
            torch.backends.cudnn.benchmark = False

    def _motion(self, layer: Layer) -> LayerMotion:
        given = self._given.get(layer.motion)
        if given is None:
            raise UsageError(f"layer {layer.name} moves with {layer.motion!r}, but the seeds have no such motion")
        return LayerMotion(
            torch.from_numpy(given.matrices),
            torch.from_numpy(given.bounds),
            learned=given.learned,
            aspect=self.size[1] / self.size[0],
        )

    def _generator(self, layer: Layer, seeds: Seeds) -> nn.Module:
        if layer.generator == "constant":
            return ConstantGenerator(layer.channels, **layer.options)
        if layer.generator == "region":
            if seeds.codes is None:
                raise UsageError(f"layer {layer.name} is drawn from codes, but the seeds have none")
            return RegionGenerator(seeds.codes.vectors[0].shape[1], layer.channels, **layer.options)
        height, width = self.size
        x0, y0, x1, y1 = self._given[layer.motion].bounds.tolist()
        across, down = layer.canvas_px * (x1 - x0) / 2, layer.canvas_px * height / width * (y1 - y0) / 2
        canvas = (max(round(across), 8), max(round(down), 8))
        if layer.generator == "pyramid":
            return PyramidGenerator(canvas, layer.channels, **layer.options)
        if layer.generator == "grid":
            return GridGenerator(canvas, layer.channels, **layer.options)
        hourglass = HourglassGenerator(canvas, layer.channels, **layer.options)
        return nn.Module.to(hourglass, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def bind(self, seeds: Seeds, *, rescale: bool) -> None:
        """Give region generators the seeds' codes; ``rescale`` unless they go on from weights fitted elsewhere."""
        if seeds.codes is None:
            return
        device = self.times.device
        labels = torch.from_numpy(np.stack(seeds.codes.labels).astype(np.int16)).to(device)
        vectors = [torch.from_numpy(vector).to(device) for vector in seeds.codes.vectors]
        for generator in self.generators.values():
            if isinstance(generator, RegionGenerator):
                generator.bind(self.times, vectors, labels, rescale=rescale)

    def draw(self, names: Sequence[str], position: Tensor, xy: Tensor) -> dict[str, Tensor]:
        """Layers at points of frames.

        Args:
            names: which layers.
            position: ``(B,)`` frames, counted within the window.
            xy: ``(B, h, w, 2)`` in [-1, 1] over the frame.

        Returns:
            name to ``(B, C, h, w)``, float32, in [0, 1] unless the layer is signed.
        """
        drawn = {}
        for name in names:
            generator = self.generators[name]
            points = xy if isinstance(generator, RegionGenerator) else self.motions[name](position, xy)
            # Convolutions gain from bfloat16, and normalise in float32; small decoders lose precision and win nothing.
            half = isinstance(generator, HourglassGenerator) and supports_bf16(self.device_name)
            with torch.autocast(torch.device(self.device_name).type, torch.bfloat16, enabled=half):
                values = generator(self.times[position], points)
            drawn[name] = values.float() if name in self._signed else torch.sigmoid(values.float())
        return drawn

    @torch.no_grad()
    def render(self, names: Sequence[str], size_px: int) -> Iterator[Mapping[str, FloatArray]]:
        """Whole frames, one after the other: name to ``(h, w, C)``, the longer side ``size_px`` at most."""
        height, width = self.size
        scale = min(1.0, size_px / max(height, width))
        rows, columns = max(round(height * scale), 2), max(round(width * scale), 2)
        points = pixel_centres(rows, columns, self.times.device).reshape(1, 1, -1, 2)
        for position in range(len(self.times)):
            at = torch.tensor([position], device=self.times.device)
            frame = {}
            for name in names:
                pieces = [
                    self.draw((name,), at, piece)[name] for piece in torch.split(points, self._points_at_once(name), 2)
                ]
                values = torch.cat(pieces, 3)[0, :, 0].T
                frame[name] = values.reshape(rows, columns, -1).contiguous().cpu().numpy()
            yield frame

    def _points_at_once(self, name: str) -> int:
        """A decoder's memory goes with the points; canvases and regions are drawn as a whole, however few are read."""
        return 2**30 if isinstance(self.generators[name], HourglassGenerator | RegionGenerator) else 2**14
