"""What one step looks at: points of pairs of neighbouring frames, and where the flow leads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from ddvideo.fit.model import pixel_centres
from ddvideo.tasks.contract import Phase, Seeds, Window

__all__ = ["Batch", "Sampler"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Points of ``P`` pairs.

    The first ``P`` entries of an axis ``B = 2 P`` lie in the earlier frames; the rest are the same scene points in the
    later ones.
    """

    position: Tensor
    """``(B,)`` frames, counted within the window."""
    xy: Tensor
    """``(B, h, w, 2)`` in [-1, 1]."""
    frame: Tensor
    """``(B, 3, h, w)`` RGB in [0, 1]."""
    confidence: Tensor
    """``(P, 1, h, w)``: how far to believe that the two points of a pair are one; 0 where there is no next frame,
    or the point leaves it."""
    targets: Mapping[str, Tensor]
    """``(B, 1, h, w)``."""


class Sampler:
    """Draws batches from the frames of a window at a phase's size.

    Args:
        window: frames and, in their observations, flow and its confidence.
        seeds: targets.
        phase: size, pairs and points.
        device: where batches are wanted.
        generator: of the random numbers.
    """

    def __init__(self, window: Window, seeds: Seeds, phase: Phase, device: str, generator: torch.Generator) -> None:
        self._phase, self._device, self._generator = phase, device, generator
        height, width = window.size
        scale = min(1.0, phase.size_px / max(height, width))
        self.height, self.width = max(round(height * scale), 2), max(round(width * scale), 2)
        size = (self.width, self.height)
        frames = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in window.frames])
        self._frames = torch.from_numpy(frames).to(device)
        self._targets = {
            name: torch.from_numpy(
                np.stack([cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in maps])
            ).to(device)
            for name, maps in seeds.targets.items()
        }
        count = len(window.indices)
        self._has_next = torch.tensor(
            [t + 1 < count and window.indices[t + 1] == window.indices[t] + 1 for t in range(count)], device=device
        )
        self._flow, self._confidence = self._read_flow(window, size)
        self._centres = pixel_centres(self.height, self.width, device).reshape(-1, 2)
        self._order: list[int] = []

    def _read_flow(self, window: Window, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Flow in pixels of the phase's size ``(T, h, w, 2)``, confidence ``(T, h, w)``; zero where there is none."""
        height, width = window.size
        factor = np.array([size[0] / width, size[1] / height], np.float32)
        flows = np.zeros((len(window.indices), size[1], size[0], 2), np.float16)
        confidences = np.zeros(flows.shape[:3], np.float16)
        for t, observation in enumerate(window.observations):
            if "flow" in observation:
                flow = observation["flow"].astype(np.float32)
                flows[t] = cv2.resize(flow, size, interpolation=cv2.INTER_AREA) * factor
                confidences[t] = 1
                if "confidence" in observation:
                    confidence = observation["confidence"].astype(np.float32)
                    confidences[t] = cv2.resize(confidence, size, interpolation=cv2.INTER_AREA)
        return torch.from_numpy(flows).to(self._device), torch.from_numpy(confidences).to(self._device)

    def draw(self) -> Batch:
        """The next batch; every frame comes up once before any does a second time."""
        earlier = torch.tensor(self._next_frames(), device=self._device)
        has_next = self._has_next[earlier]
        later = torch.where(has_next, earlier + 1, earlier)
        pixel, shape = self._pixels(len(earlier))
        row, column = pixel // self.width, pixel % self.width
        moved = self._flow[earlier[:, None], row, column].float().round().long()
        moved_column, moved_row = column + moved[..., 0] * has_next[:, None], row + moved[..., 1] * has_next[:, None]
        stays = (moved_column >= 0) & (moved_column < self.width) & (moved_row >= 0) & (moved_row < self.height)
        moved_column, moved_row = moved_column.clamp(0, self.width - 1), moved_row.clamp(0, self.height - 1)
        position = torch.cat([earlier, later])
        pixels = torch.cat([pixel, moved_row * self.width + moved_column])
        confidence = self._confidence[earlier[:, None], row, column].float() * (has_next[:, None] & stays)

        def pick(values: Tensor) -> Tensor:
            return values.reshape(len(values), -1)[position[:, None], pixels]

        frame = self._frames.reshape(len(self._frames), -1, 3)[position[:, None], pixels].float() / 255
        return Batch(
            position=position,
            xy=self._centres[pixels].reshape(len(position), *shape, 2),
            frame=frame.reshape(len(position), *shape, 3).permute(0, 3, 1, 2),
            confidence=confidence.reshape(len(earlier), 1, *shape),
            targets={
                name: pick(values).reshape(len(position), 1, *shape).float() for name, values in self._targets.items()
            },
        )

    def _next_frames(self) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < self._phase.pairs:
            if not self._order:
                self._order = torch.randperm(len(self._frames), generator=self._generator).tolist()
            chosen.append(self._order.pop())
        return chosen

    def _pixels(self, pairs: int) -> tuple[Tensor, tuple[int, int]]:
        """Indices of the points in the earlier frames ``(P, h * w)``, and ``(h, w)``."""
        if self._phase.points:
            shape = (pairs, self._phase.points)
            pixel = torch.randint(self.height * self.width, shape, generator=self._generator)
            return pixel.to(self._device), (1, self._phase.points)
        whole = torch.arange(self.height * self.width, device=self._device)
        return whole.expand(pairs, -1), (self.height, self.width)
