"""What every scene offers: its layers frame by frame, and the frame they make together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layers", "Scene"]

Layers: TypeAlias = Mapping[str, NDArray[np.float32]]


class Scene(ABC):
    """A clip whose layers are known; every frame can be rendered by itself, and the seed decides all of it."""

    def __init__(self, name: str, *, frames: int, width: int, height: int) -> None:
        self.name, self.frames, self.width, self.height = name, frames, width, height

    @abstractmethod
    def layers(self, index: int) -> Layers:
        """The layers of frame ``index``, each ``(H, W, C)`` float32 in [0, 1]."""

    @abstractmethod
    def compose(self, layers: Layers) -> NDArray[np.float32]:
        """The forward model: layers to the frame ``(H, W, 3)``."""

    def frame(self, index: int) -> NDArray[np.float32]:
        """Frame ``index``, ``(H, W, 3)`` float32 RGB in [0, 1]."""
        return self.compose(self.layers(index))
