"""Dewatermark as data: clean picture, mark and alpha, where alpha and the mark's colour stay the same over a shot.

A mark is found by its edges, which stay while the scene moves across them (``video/``), or on single images by how few
edges are left without it (``stills/``). In a video, the scene behind the mark is carried in from frames that saw it
better; alpha and colour follow from what the frames differ by from that scene. Behind opaque parts that no frame has
seen, a generator draws the scene: one for the shot, on the camera's canvas, fitted to all that is uncovered.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.compositing import mark_over, settle_mark
from ddvideo.config import Settings
from ddvideo.tasks.contract import (
    Conclusion,
    Layer,
    Memory,
    Neighbourhood,
    Observation,
    PhaseOf,
    Render,
    SeedsOf,
    TaskOf,
    Term,
    Window,
)
from ddvideo.tasks.dewatermark.full_size import finish
from ddvideo.tasks.dewatermark.patch import Patch, cut_out, found_in_stills, found_in_video, recalled
from ddvideo.tasks.dewatermark.video.alpha_regression import least_alpha
from ddvideo.tasks.dewatermark.video.scene import HIDDEN, scene_behind

__all__ = ["DEWATERMARK"]

_WHOLE = 0.9
_COVERING = 0.02
"""An alpha above this hides some of the scene from the generator."""
_GROWN_PX = 3


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    """Nothing: what single frames tell of a mark is too little."""
    return {}


def _seed(window: Window, memory: Memory | None, settings: Settings) -> SeedsOf[list[Patch]]:
    warnings: list[str] = []
    is_set = settings.together or len(window.frames) == 1
    if memory is not None:
        patches = recalled(window, memory, is_set)
    elif is_set:
        patches = found_in_stills(window, settings, warnings)
    else:
        patches = found_in_video(window, settings, warnings)
    return SeedsOf(
        targets={"uncovered": _Uncovered(window.size, patches)},
        state=patches,
        is_enough=is_set or not any((patch.mark.alpha > HIDDEN).any() for patch in patches),
        warnings=tuple(warnings),
    )


class _Uncovered:
    """How much of a frame's picture is the scene's, computed when it is looked at."""

    def __init__(self, size: tuple[int, int], patches: list[Patch]) -> None:
        self._size, self._patches = size, patches

    def __iter__(self) -> Iterator[FloatArray]:
        count = len(self._patches[0].seen) if self._patches else 0
        for t in range(count):
            uncovered = np.ones(self._size, np.float32)
            for patch in self._patches:
                alpha = patch.mark.alpha * patch.seen[t]
                grown = cv2.dilate((alpha > _COVERING).astype(np.uint8), np.ones((_GROWN_PX, _GROWN_PX), np.uint8))
                part = uncovered[patch.top : patch.top + alpha.shape[0], patch.left : patch.left + alpha.shape[1]]
                part[grown > 0] = 0
            yield uncovered


def _conclude(window: Window, seeds: SeedsOf[list[Patch]], render: Render | None, memory: Memory | None) -> Conclusion:
    """The scene behind each mark, and the marks."""
    patches = seeds.state
    drawn: list[ByteArray] = []
    if render is not None:
        drawn = [np.asarray(frame["clean"] * 255, np.uint8) for frame in render(("clean",), max(window.size))]
    maps: dict[str, AnyArray] = {}
    kept: dict[str, AnyArray] = {"corners": np.array([(patch.top, patch.left) for patch in patches], np.int64)}
    kept["corners"] = kept["corners"].reshape(-1, 2)
    kept["size"] = np.array(window.size, np.int64)
    for number, patch in enumerate(patches):
        corner, shape = (patch.top, patch.left), patch.mark.alpha.shape
        frames, behind = ([cut_out(image, corner, shape) for image in images] for images in (window.frames, drawn))
        scene = scene_behind(frames, patch.steps, patch.mark, patch.seen, drawn=behind)
        found = [patch.scenes.get(t, colours).astype(np.float16) for t, colours in enumerate(scene)]
        maps[f"scene{number}"] = np.stack(found)
        maps[f"seen{number}"] = patch.seen.astype(np.float16)
        kept[f"alpha{number}"] = patch.mark.alpha
        kept[f"cover{number}"] = _cover(patch, frames, found)
        kept[f"colour{number}"] = patch.mark.colour
        kept[f"edges{number}"] = patch.edges.astype(np.float16)
    return Conclusion(maps=maps, memory=kept, warnings=seeds.warnings)


def _cover(patch: Patch, frames: list[AnyArray], scene: list[AnyArray]) -> FloatArray:
    """Alpha as it is handed out: no less than a colour in [0, 1] needs to make these frames of the scene."""
    whole = np.flatnonzero(patch.seen > _WHOLE).tolist()
    if not whole:
        return patch.mark.alpha
    picture = np.mean([frames[t] for t in whole], 0, dtype=np.float32) / np.float32(255)
    behind = np.mean([scene[t] for t in whole], 0, dtype=np.float32)
    least = least_alpha(np.asarray(picture, np.float32), np.asarray(behind, np.float32))
    return np.where(patch.mark.alpha > 0, np.maximum(patch.mark.alpha, least), 0)


DEWATERMARK = TaskOf[list[Patch]](
    name="dewatermark",
    layers=(
        Layer(name="clean", channels=3, motion="camera", canvas_px=216),
        Layer(name="mark", channels=3, generator=None),
        Layer(name="alpha", channels=1, generator=None),
    ),
    main="clean",
    forward=mark_over,
    settle=settle_mark,
    observe=_observe,
    seed=_seed,
    phases=(
        PhaseOf[list[Patch]](
            name="scene",
            steps=150,
            terms=(Term(name="reconstruction", weight=1.0, layers=("clean",), target="uncovered"),),
            layers=("clean",),
            size_px=432,
        ),
    ),
    conclude=_conclude,
    finish=finish,
    offsets=(),
    key_run=24,
    options={"box": []},
)
