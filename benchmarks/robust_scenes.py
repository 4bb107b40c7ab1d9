"""Rendered scenes with exact masks, each hard for segmentation in a way of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from benchmarks.robust_backdrops import View, enlarged, lake, stream, trunks
from benchmarks.robust_movers import Mover, Path, Picture, Swimmer, paint_balloon, paint_boat, paint_tortoise
from ddvideo.arrays import BoolArray, FloatArray
from sample_clips.camera import SUPERSAMPLE, Camera, down
from sample_clips.creature import Koi
from sample_clips.scene import Layers, Scene
from sample_clips.textures import foliage, meadow, mix, pebbles
from sample_clips.valley import Valley

__all__ = ["FRAMES", "HEIGHT_PX", "SCENES", "WIDTH_PX", "Stage", "make_scene", "mask_of"]

FRAMES, WIDTH_PX, HEIGHT_PX = 32, 432, 240
_AIR = 0.5
"""Share of the frame's width by which canvases are larger than a frame."""


class Stage(Scene):
    """Movers before a backdrop, perhaps behind something nearer: layers ``foreground``, ``background``, ``alpha``.

    Args:
        name, frames, width, height: as every scene has them.
        camera: the movers are seen through it.
        backdrop: what lies behind the movers.
        movers: the foreground; the first is the furthest away.
        front: RGBA of what hides them, which counts as background; colour not multiplied.
        shade: how much darker the movers' shadows are; their light falls from the upper left.
        shutter: share of a frame's time over which light is gathered.
    """

    def __init__(
        self,
        name: str,
        *,
        frames: int,
        width: int,
        height: int,
        camera: Camera,
        backdrop: View,
        movers: Sequence[Mover],
        front: View | None = None,
        shade: float = 0.5,
        shutter: float = 0.0,
    ) -> None:
        super().__init__(name, frames=frames, width=width, height=height)
        self.camera, self.backdrop, self.movers, self.front = camera, backdrop, movers, front
        self.shade, self.shutter = shade, shutter

    def layers(self, index: int) -> Layers:
        """``foreground`` and ``background`` ``(H, W, 3)``, ``alpha`` ``(H, W, 1)``."""
        samples = 9 if self.shutter else 1
        times = index + self.shutter * (np.arange(samples) - (samples - 1) / 2) / samples
        ours, rest, alpha = (
            sum(parts) / samples for parts in zip(*(self._light(float(time)) for time in times), strict=True)
        )
        alpha = np.asarray(alpha, np.float32)[..., None]
        foreground = np.clip(ours / np.maximum(alpha, 1e-4), 0, 1)
        background = np.clip(rest / np.maximum(1 - alpha, 1e-4), 0, 1)
        return {
            "foreground": np.asarray(foreground, np.float32),
            "background": np.asarray(background, np.float32),
            "alpha": alpha,
        }

    def compose(self, layers: Layers) -> FloatArray:
        """The alpha composite."""
        a = layers["alpha"]
        return np.asarray(a * layers["foreground"] + (1 - a) * layers["background"], np.float32)

    def _light(self, time: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """At one moment: the movers' light, that of all else, and the movers' share, at the clip's size."""
        x, y = self.camera.world(time)
        rest = self.backdrop(time)
        ours = np.zeros_like(rest)
        alpha = np.zeros(rest.shape[:2], np.float32)
        for mover in self.movers:
            if self.shade:
                reach = 0.025 * self.width
                _, below = mover.draw(x - 0.8 * reach, y - reach, time)
                rest = mix(rest, 0.25 * rest, self.shade * cv2.GaussianBlur(below, (0, 0), reach))
            rgb, cover = mover.draw(x, y, time)
            ours = mix(ours, rgb, cover)
            rest = rest * (1 - cover)[..., None]
            alpha = alpha + cover * (1 - alpha)
        if self.front is not None:
            near = self.front(time)
            cover = near[..., 3]
            ours, alpha = ours * (1 - cover)[..., None], alpha * (1 - cover)
            rest = mix(rest, near[..., :3], cover)
        return down(ours), down(rest), down(alpha)


def mask_of(layers: Layers) -> BoolArray:
    """The true mask of a frame, ``(H, W)``: where the movers make up more than half of a pixel's light."""
    return np.asarray(layers["alpha"][..., 0] > 0.5, np.bool_)


class _Set:
    """What the scenes are put together from, all of it in proportion to the frame's width."""

    def __init__(self, name: str, frames: int, width: int, height: int) -> None:
        self.name, self.frames, self.width, self.height = name, frames, width, height
        self.rng = np.random.default_rng(sorted(SCENES).index(name) + 11)
        self.centre = (width * (1 + _AIR) / 2, (height + width * _AIR) / 2)

    def size(self) -> tuple[int, int]:
        """Height and width of an enlarged canvas."""
        return int(SUPERSAMPLE * (self.height + _AIR * self.width)), int(SUPERSAMPLE * self.width * (1 + _AIR))

    def camera(
        self,
        *,
        pan: tuple[float, float] = (0.0, 0.0),
        sway: float = 0.0,
        period: float = 60.0,
        turn: float = 0.0,
        zoom: float = 0.0,
    ) -> Camera:
        """Pans by so many widths over the clip, its middle at half time; ``sway`` in widths, ``period`` in frames."""
        speed = (pan[0] * self.width / self.frames, pan[1] * self.width / self.frames)
        start = (self.centre[0] - speed[0] * self.frames / 2, self.centre[1] - speed[1] * self.frames / 2)
        return Camera(
            width=self.width,
            height=self.height,
            start=start,
            speed_px=speed,
            sway_px=(sway * self.width, 0.8 * sway * self.width),
            period_frames=period,
            turn_degrees=turn,
            zoom=zoom,
        )

    def path(self, start: tuple[float, float], stop: tuple[float, float], *, wave: float = 0.0) -> Path:
        """From the clip's start to its stop, in widths from the middle of the canvas, on a wave of such height."""

        def at(time: float) -> tuple[float, float]:
            share = time / (self.frames - 1)
            x = start[0] + share * (stop[0] - start[0])
            y = start[1] + share * (stop[1] - start[1]) + wave * np.sin(2 * np.pi * share)
            return self.centre[0] + self.width * x, self.centre[1] + self.width * float(y)

        return at

    def koi(self, path: Path, length: float = 0.4, bend: float = 0.1) -> Mover:
        return Swimmer(koi=Koi(self.rng, length * self.width), path=path, bend=bend)

    def tortoise(self, path: Path, size: float = 0.3) -> Mover:
        return Picture(rgba=paint_tortoise(self.rng), path=path, size_px=size * self.width, waddle_degrees=4)

    def stage(
        self,
        camera: Camera,
        ground: FloatArray | View,
        *movers: Mover,
        front: View | None = None,
        shade: float = 0.5,
        shutter: float = 0.0,
    ) -> Stage:
        """``ground`` is a canvas that the camera sees, or the view itself."""
        backdrop: View = ground if callable(ground) else lambda time: camera.view(ground, time)
        return Stage(
            self.name,
            frames=self.frames,
            width=self.width,
            height=self.height,
            camera=camera,
            backdrop=backdrop,
            movers=movers,
            front=front,
            shade=shade,
            shutter=shutter,
        )


def _two_movers(at: _Set) -> Stage:
    first = at.koi(at.path((-0.28, -0.12), (0.2, -0.05), wave=0.03), 0.34)
    second = at.koi(at.path((0.3, 0.14), (-0.16, 0.1), wave=0.02), 0.3)
    return at.stage(at.camera(pan=(0.1, 0.02), turn=1), pebbles(at.rng, *at.size()), first, second)


def _stops(at: _Set) -> Stage:
    whole = at.path((-0.3, 0.06), (0.36, -0.06))
    half = 0.5 * (at.frames - 1)

    def path(time: float) -> tuple[float, float]:
        return whole(min(time, half))

    return at.stage(at.camera(pan=(0.08, 0.0), sway=0.01), meadow(at.rng, *at.size()), at.tortoise(path))


def _late(at: _Set) -> Stage:
    return at.stage(
        at.camera(pan=(0.06, 0.03)), pebbles(at.rng, *at.size()), at.koi(at.path((-1.25, 0.12), (1.25, -0.1)), 0.36)
    )


def _shake(at: _Set) -> Stage:
    camera = at.camera(sway=0.012, period=5.3, turn=1)
    return at.stage(camera, foliage(at.rng, *at.size(), dry=0.6), at.tortoise(at.path((-0.2, -0.08), (0.2, 0.08))))


def _zoom(at: _Set) -> Stage:
    camera = at.camera(zoom=0.5, period=0.83 * 2 * at.frames)
    return at.stage(camera, pebbles(at.rng, *at.size()), at.koi(at.path((-0.18, 0.08), (0.18, -0.06), wave=0.03), 0.3))


def _parallax(at: _Set) -> Stage:
    valley = Valley(at.name, seed=23, frames=at.frames, width=at.width, height=at.height)
    sway = (0.03 * at.width, 0.015 * at.width)
    valley.camera = replace(valley.camera, sway_px=sway, period_frames=17, turn_degrees=1.5)
    path = at.path((0.14, -0.1), (-0.2, -0.04), wave=0.015)
    balloon = Picture(rgba=paint_balloon(at.rng), path=path, size_px=0.26 * at.width, is_turned=False)
    return at.stage(at.camera(), enlarged(valley), balloon, shade=0)


def _static(at: _Set) -> Stage:
    path = at.path((-0.22, 0.02), (0.22, 0.05), wave=0.05)
    return at.stage(at.camera(), pebbles(at.rng, *at.size()), at.koi(path, 0.36), shade=0)


def _slow(at: _Set) -> Stage:
    path = at.path((-0.012, 0.0), (0.012, 0.006))
    return at.stage(at.camera(pan=(-0.02, 0.0)), foliage(at.rng, *at.size(), dry=0.3), at.tortoise(path, 0.34))


def _large(at: _Set) -> Stage:
    path = at.path((-0.06, 0.01), (0.08, -0.01))
    return at.stage(at.camera(pan=(-0.05, 0.02)), meadow(at.rng, *at.size()), at.tortoise(path, 0.82))


def _blur(at: _Set) -> Stage:
    path = at.path((-0.34, 0.08), (0.3, -0.08))
    ground = foliage(at.rng, *at.size(), dry=0.9)
    return at.stage(at.camera(pan=(-0.2, 0.0)), ground, at.tortoise(path, 0.26), shutter=0.8)


def _trees(at: _Set) -> Stage:
    path = at.path((-0.3, 0.05), (0.32, -0.02), wave=0.02)
    camera = at.camera(pan=(0.1, 0.0), sway=0.006)
    bark = trunks(at.rng, at.size())
    return at.stage(
        camera,
        meadow(at.rng, *at.size()),
        at.tortoise(path, 0.3),
        front=lambda time: camera.view(bark, time, scale=1.6),
    )


def _water(at: _Set) -> Stage:
    camera = at.camera(pan=(0.04, 0.0))
    return at.stage(
        camera, stream(at.rng, at.size(), camera), at.koi(at.path((0.24, 0.03), (-0.2, -0.05), wave=0.03), 0.4)
    )


def _mirror(at: _Set) -> Stage:
    valley = Valley(at.name, seed=31, frames=at.frames, width=at.width, height=at.height)
    shore, size = 0.1, 0.3
    path = at.path((-0.26, shore - size / 2), (0.24, shore - size / 2))
    boat = Picture(rgba=paint_boat(at.rng), path=path, size_px=size * at.width, is_turned=False)
    camera = at.camera()
    return at.stage(
        camera, lake(at.rng, at.size(), camera, valley, boat, at.centre[1] + shore * at.width), boat, shade=0
    )


SCENES: Mapping[str, Callable[[_Set], Stage]] = {
    "two-movers": _two_movers,
    "stops-half-way": _stops,
    "enters-late-and-leaves": _late,
    "camera-shake": _shake,
    "zoom": _zoom,
    "parallax": _parallax,
    "static-camera": _static,
    "very-slow": _slow,
    "half-the-frame": _large,
    "fast-motion-blur": _blur,
    "behind-trees": _trees,
    "running-water": _water,
    "mirrored-in-water": _mirror,
}
"""By name, what each is hard for."""


def make_scene(name: str, *, frames: int = FRAMES, width: int = WIDTH_PX, height: int = HEIGHT_PX) -> Stage:
    """One of ``SCENES``; everything in it goes in proportion to the width, whatever its frames are called.

    Raises:
        KeyError: there is no such scene.
    """
    return SCENES[name](_Set(name, frames, width, height))
