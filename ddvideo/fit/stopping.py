"""When a phase has come to rest, without looking at any ground truth."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

__all__ = ["Settling"]


class Settling:
    """Watches the smoothed loss and a sample of the layers.

    A phase has settled when, over two windows of steps, the mean loss falls by less than ``tolerance`` of itself and
    the layers, on a fixed sample of points, vary over the window by less than ``variance``.

    Args:
        window: steps a window.
        tolerance: part of the loss.
        variance: of layer values in [0, 1].
    Source: the windowed moving variance is that of Wang et al., TMLR 2023 (early stopping for deep image priors).
    """

    def __init__(self, *, window: int = 40, tolerance: float = 0.01, variance: float = 2e-4) -> None:
        self._window, self._tolerance, self._variance = window, tolerance, variance
        self._losses: deque[float] = deque(maxlen=2 * window)
        self._samples: deque[Tensor] = deque(maxlen=4)

    @property
    def loss(self) -> float:
        """Mean loss of the last window; NaN before the first step."""
        recent = list(self._losses)[-self._window :]
        return sum(recent) / len(recent) if recent else float("nan")

    def step(self, loss: float) -> None:
        """Note a step's loss."""
        self._losses.append(loss)

    def wants_sample(self, step: int) -> bool:
        """Whether the layers should be sampled after this step: four times a window."""
        return (step + 1) % max(self._window // 4, 1) == 0

    def sample(self, values: Tensor) -> None:
        """Note the layers' values at the fixed points."""
        self._samples.append(values.detach().float().flatten())

    def is_settled(self) -> bool:
        """Whether going on would change little."""
        if len(self._losses) < 2 * self._window or len(self._samples) < 4:
            return False
        losses = list(self._losses)
        before = sum(losses[: self._window]) / self._window
        after = sum(losses[self._window :]) / self._window
        variance = float(torch.stack(list(self._samples)).var(0).mean())
        return before - after < self._tolerance * abs(before) and variance < self._variance
