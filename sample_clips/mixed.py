"""Two shots of an odd size with a cut between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sample_clips.garden import Garden
from sample_clips.pond import Pond
from sample_clips.scene import Layers, Scene

__all__ = ["Mixed"]


class Mixed(Scene):
    """The pond, then from frame ``cut`` on the garden; the frame is its only layer."""

    def __init__(self, name: str, *, seed: int, frames: int = 44, width: int = 321, height: int = 179) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        self.cut = frames // 2
        self.shots: tuple[Scene, Scene] = (
            Pond(name, seed=seed, frames=self.cut, width=width, height=height),
            Garden(name, seed=seed, frames=frames - self.cut, width=width, height=height, marked=False),
        )

    def layers(self, index: int) -> Layers:
        """``frame`` ``(H, W, 3)``."""
        first, second = self.shots
        return {"frame": first.frame(index) if index < self.cut else second.frame(index - self.cut)}

    def compose(self, layers: Layers) -> NDArray[np.float32]:
        """The frame itself."""
        return layers["frame"]
