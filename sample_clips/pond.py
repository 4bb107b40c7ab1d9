"""The pond: a koi swims over a bed of pebbles, its soft shadow below it, the camera panning along."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sample_clips.camera import SUPERSAMPLE, Camera, down
from sample_clips.creature import Koi, Pose
from sample_clips.scene import Layers, Scene
from sample_clips.textures import mix, pebbles

__all__ = ["Pond"]

Array = NDArray[np.float32]


class Pond(Scene):
    """Layers: ``foreground``, ``background`` (with the shadow) and ``alpha``; the frame is their alpha composite.

    With ``endless`` the camera and the fish go round instead of along, so that any number of frames can be asked for.
    """

    def __init__(
        self, name: str, *, seed: int, frames: int = 48, width: int = 320, height: int = 180, endless: bool = False
    ) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        rng = np.random.default_rng(seed)
        self.bed = pebbles(rng, SUPERSAMPLE * (height + 200), SUPERSAMPLE * (width + 280))
        self.koi = Koi(rng, 0.47 * width)
        self.endless = endless
        centre = ((width + 280) / 2, (height + 200) / 2)
        if endless:
            self.camera = Camera(
                width=width,
                height=height,
                start=centre,
                sway_px=(0.28 * width, 0.14 * width),
                period_frames=190,
                turn_degrees=4,
                zoom=0.08,
            )
        else:
            start = (centre[0] - 0.9 * frames, centre[1] + 8)
            self.camera = Camera(
                width=width,
                height=height,
                start=start,
                speed_px=(1.8, -0.35),
                sway_px=(4, 6),
                period_frames=70,
                turn_degrees=2.5,
                zoom=0.06,
            )

    def pose(self, time_frames: float) -> Pose:
        """The fish at a time: it follows a winding path and bends into its turns."""

        def path(t: float) -> Array:
            if self.endless:
                a = 2 * np.pi * t / 190
                return np.array(
                    [
                        self._middle[0] + 0.45 * self.width * np.sin(a + 0.35),
                        self._middle[1] + 0.23 * self.width * np.sin(0.73 * a + 1.3),
                    ]
                )
            x = self._middle[0] + 3.0 * (t - 0.5 * self.frames)
            return np.array([x, self._middle[1] + 15 * np.sin(2 * np.pi * t / 64 - 0.4)])

        step = 4.0
        before, here, after = path(time_frames - step), path(time_frames), path(time_frames + step)
        heading = float(np.arctan2(*(after - before)[::-1]))
        turn = np.arctan2(*(after - here)[::-1]) - np.arctan2(*(here - before)[::-1])
        turn = float((turn + np.pi) % (2 * np.pi) - np.pi)
        return Pose(
            x=float(here[0]),
            y=float(here[1]),
            heading=heading,
            bend=float(np.clip(3.0 * turn, -0.45, 0.45)),
            phase=2 * np.pi * time_frames / 17,
        )

    @property
    def _middle(self) -> tuple[float, float]:
        return self.bed.shape[1] / (2 * SUPERSAMPLE), self.bed.shape[0] / (2 * SUPERSAMPLE)

    def layers(self, index: int) -> Layers:
        """``foreground`` and ``background`` ``(H, W, 3)``, ``alpha`` ``(H, W, 1)``."""
        x, y = self.camera.world(index)
        pose = self.pose(index)
        bed = self.camera.view(self.bed, index)
        _, below = self.koi.draw(x - 10, y - 13, pose)
        shade = 0.8 * cv2.GaussianBlur(below, (0, 0), 4.0 * SUPERSAMPLE)
        bed = mix(bed, bed * np.array((0.3, 0.36, 0.42), np.float32), shade)
        # Water takes the red away, more at the far end of the view.
        depth = np.linspace(0.2, 0.05, bed.shape[0], dtype=np.float32)[:, None].repeat(bed.shape[1], 1)
        bed = mix(
            bed, bed * np.array((0.62, 0.95, 1.0), np.float32) + np.array((0.0, 0.02, 0.04), np.float32), depth * 3
        )
        rgb, alpha = self.koi.draw(x, y, pose)
        alpha = alpha[..., None]
        covered = down(alpha)[..., None]
        seen = down(rgb * alpha)
        foreground = seen / np.maximum(covered, 1e-4)
        return {"foreground": np.clip(foreground, 0, 1), "background": down(bed), "alpha": covered}

    def compose(self, layers: Layers) -> Array:
        """The alpha composite."""
        a = layers["alpha"]
        return np.asarray(a * layers["foreground"] + (1 - a) * layers["background"], np.float32)
