"""Region generator: one small network that decodes what superpixels look like."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ddvideo.errors import ShapeError
from ddvideo.nn.time_code import TIME_CODES, time_code

__all__ = ["RegionGenerator"]


class RegionGenerator(nn.Module):
    """An untrained generator whose code is the content of the frames: one vector a superpixel.

    Superpixels that look alike get alike values wherever and whenever they lie, for all frames share the network; that
    is the prior. The codes are an input, not weights: :meth:`bind` names those of the frames at hand.

    Args:
        code_length: entries of a superpixel's code.
        channels: of the layer.
        hidden: width of the network.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, code_length: int, channels: int, *, hidden: int = 64) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(code_length))
        self.register_buffer("spread", torch.ones(code_length))
        self.decoder = nn.Sequential(
            nn.Linear(code_length + TIME_CODES, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, channels),
        )
        self._codes: Tensor | None = None

    def bind(self, times: Tensor, codes: Sequence[Tensor], labels: Tensor, *, rescale: bool) -> None:
        """Name the frames that can be drawn.

        Args:
            times: ``(T,)`` ascending, as they will be asked for.
            codes: per frame ``(n_t, code_length)``.
            labels: ``(T, H, W)`` integers, 0 to ``n_t - 1``.
            rescale: measure the scale of the codes on these; False keeps the one that the weights were fitted with.

        Raises:
            ShapeError: the three do not belong together.
        """
        if not len(times) == len(codes) == len(labels) > 0:
            raise ShapeError(f"{len(times)} times, {len(codes)} codes and {len(labels)} label maps are not of one clip")
        joined = torch.cat(list(codes))
        if joined.shape[1] != len(self.mean):
            raise ShapeError(f"codes of {joined.shape[1]} entries were given, {len(self.mean)} are decoded")
        if rescale:
            self.mean.copy_(joined.mean(0))
            spread = joined.std(0, correction=0)
            self.spread.copy_(torch.where(spread > 1e-4, spread, torch.ones_like(spread)))
        self._codes = (joined - self.mean) / self.spread
        counts = torch.tensor([0] + [len(code) for code in codes], device=labels.device)
        self._first = counts.cumsum(0)
        self._times, self._labels = times, labels

    def regions(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Values of all superpixels of some frames.

        Args:
            time: ``(B,)``, each one of the bound times.

        Returns:
            values ``(N, channels)`` of the frames' superpixels one after the other, and ``(B + 1,)`` where each begins.
        """
        if self._codes is None:
            raise ShapeError("no codes are bound to the region generator")
        positions = torch.searchsorted(self._times, time).clamp_max(len(self._times) - 1)
        counts = self._first[positions + 1] - self._first[positions]
        starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        frame = torch.repeat_interleave(torch.arange(len(time), device=time.device), counts)
        rows = torch.arange(int(starts[-1]), device=time.device) - starts[frame] + self._first[positions[frame]]
        return self.decoder(torch.cat([self._codes[rows], time_code(time)[frame]], 1)), starts

    def forward(self, time: Tensor, xy: Tensor) -> Tensor:
        """Draw points of frames.

        Args:
            time: ``(B,)``, each one of the bound times.
            xy: ``(B, h, w, 2)`` in [-1, 1] over the frame, x then y; the nearest pixel's superpixel is taken.

        Returns:
            ``(B, channels, h, w)``, unbounded.
        """
        values, starts = self.regions(time)
        positions = torch.searchsorted(self._times, time).clamp_max(len(self._times) - 1)
        height, width = self._labels.shape[1:]
        x = ((xy[..., 0] + 1) * (width / 2)).long().clamp(0, width - 1)
        y = ((xy[..., 1] + 1) * (height / 2)).long().clamp(0, height - 1)
        label = self._labels[positions[:, None, None], y, x].long()
        return values[label + starts[:-1, None, None]].permute(0, 3, 1, 2)
