"""What one step looks at where the seeds name the pairs of frames: points of both, between pixels as well."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ddvideo.fit.batch import Batch
from ddvideo.tasks.contract import FramePair, Phase, Window

__all__ = ["PairSampler"]


class PairSampler:
    """Draws batches of points from pairs of frames along their flow, at the size in which that is told.

    The second frame is read by cubics, so that a layer that is compared with it loses nothing to rounding. Metal has no
    such reading: there it is done by the processor.

    Args:
        window: frames.
        frame_pairs: pairs of them; drawn at random, all alike.
        phase: pairs and points.
        device: where batches are wanted.
        generator: of the random numbers.
    """

    def __init__(
        self, window: Window, frame_pairs: Sequence[FramePair], phase: Phase, device: str, generator: torch.Generator
    ) -> None:
        self._phase, self._device, self._generator = phase, device, generator
        reader = "cpu" if torch.device(device).type == "mps" else device
        self.height, self.width = frame_pairs[0].flow.shape[:2]
        size = (self.width, self.height)
        small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in window.frames]
        frames = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)
        self._frames = (frames.float() / 255).to(reader)
        self._rows = torch.tensor([[pair.first, pair.second] for pair in frame_pairs])
        self._flow = torch.from_numpy(np.stack([pair.flow.astype(np.float16, copy=False) for pair in frame_pairs])).to(
            reader
        )
        self._weight = torch.from_numpy(
            np.stack([pair.weight.astype(np.float16, copy=False) for pair in frame_pairs])
        ).to(reader)

    def draw(self) -> Batch:
        """The next batch."""
        pairs, points = self._phase.pairs, self._phase.points or self.height * self.width
        reader = self._frames.device
        chosen = torch.randint(len(self._rows), (pairs,), generator=self._generator)
        pixel = torch.randint(self.height * self.width, (pairs, points), generator=self._generator).to(reader)
        first, second = (rows.to(reader) for rows in self._rows[chosen].T)
        row, column = pixel // self.width, pixel % self.width
        at = chosen.to(reader)[:, None], row, column
        here = torch.stack([column, row], -1) + 0.5
        there = here + self._flow[at].float()
        half = torch.tensor([self.width / 2, self.height / 2], device=reader)
        xy = torch.cat([here, there])[:, None] / half - 1
        seen = self._frames[first[:, None], :, row, column].permute(0, 2, 1)[:, :, None]
        found = functional.grid_sample(
            self._frames[second], xy[pairs:], mode="bicubic", padding_mode="border", align_corners=False
        )
        weight: Tensor = self._weight[at].float()
        return Batch(
            position=torch.cat([first, second]).to(self._device),
            xy=xy.to(self._device),
            frame=torch.cat([seen, found]).to(self._device),
            confidence=weight[:, None, None].to(self._device),
            targets={},
        )
