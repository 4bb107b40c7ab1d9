"""Dewatermark: clean picture, mark and alpha, where alpha and the mark's colour are constant over a shot.

A mark is found by its edges, which stay while the scene moves across them. Alpha and colour are what frames differ by
from the scene that is carried in from frames that saw it better; the clean picture is what shows through and what
other frames say, weighed by their errors. Behind opaque parts that no frame has seen, a generator draws the scene: one
for the shot, on the camera's canvas, fitted to all that is uncovered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.bounding_box import box_pixels
from ddvideo.compositing import mark_over, settle_mark
from ddvideo.config import Settings
from ddvideo.motion.homography import pixel_steps
from ddvideo.tasks.contract import (
    Conclusion,
    Footage,
    Layer,
    Memory,
    Neighbourhood,
    Observation,
    Phase,
    Render,
    Seeds,
    Task,
    Term,
    Window,
)
from ddvideo.tasks.dewatermark.mark import Mark
from ddvideo.tasks.dewatermark.stills.fit import find_boxed_mark, find_shared_mark, fit_stills
from ddvideo.tasks.dewatermark.video.alpha_regression import fit_mark, least_alpha
from ddvideo.tasks.dewatermark.video.constant_edges import WEAK, Edges, constant_edges, find_marks
from ddvideo.tasks.dewatermark.video.scene import HIDDEN, scene_behind
from ddvideo.tasks.dewatermark.video.visibility import measured_fade, shown, signature

__all__ = ["DEWATERMARK"]

_MARGIN_PX = 64
"""Of the surroundings that are looked at: the scene comes in from there."""
_MOST_STILLS = 6
"""So many images of a set tell the mark."""
_MOST_COVERED = 0.25
"""Of the picture: what stays over more of it is the scene's."""
_WHOLE = 0.9
_LEAST_SEEN = 0.02
_GROWN_PX = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class _Patch:
    """One mark, and the part of the frame that is looked at for it."""

    top: int
    left: int
    mark: Mark
    edges: FloatArray
    """``(h, w, 6)``: see ``signature`` in ``video/visibility.py``; 0 for a mark that shows in all frames."""
    seen: FloatArray
    """``(T,)``: how much of it each frame of the window shows."""
    steps: list[FloatArray | None]
    """The camera's, see :func:`ddvideo.motion.homography.pixel_steps`."""
    scenes: Mapping[int, FloatArray] = field(default_factory=dict)
    """``(h, w, 3)``: frames without the mark, as far as they are known."""


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    """Nothing: what single frames tell of a mark is too little."""
    return {}


def _seed(window: Window, memory: Memory | None, settings: Settings) -> Seeds:
    warnings: list[str] = []
    is_set = settings.together or len(window.frames) == 1
    if memory is not None:
        patches = _recalled(window, memory, is_set)
    elif is_set:
        patches = _found_in_stills(window, settings, warnings)
    else:
        patches = _found(window, settings, warnings)
    return Seeds(
        targets={"uncovered": _Uncovered(window.size, patches)},
        state=patches,
        is_enough=is_set or not any((patch.mark.alpha > HIDDEN).any() for patch in patches),
        warnings=tuple(warnings),
    )


def _found(window: Window, settings: Settings, warnings: list[str]) -> list[_Patch]:
    """The marks of a video."""
    where = f"frames {window.shot.start} to {window.shot.stop - 1}"
    box = _box(window, settings)
    edges = constant_edges(window.frames, window.indices)
    patches = []
    if box is None or not edges.stands_still:
        for piece, hull in _candidates(edges, box):
            patch = _fitted(window, piece, hull, edges.score)
            if 0 < np.count_nonzero(patch.mark.alpha) < _MOST_COVERED * hull.size:
                patches.append(patch)
    if not patches and box is not None:
        middle = window.frames[len(window.frames) // 2]
        found = _boxed(window, middle, box)
        if found is None:
            warnings.append(f"{where}: no mark was found in the box: left as it was")
        else:
            patches.append(found)
            warnings.append(
                f"{where}: the scene does not tell the mark in the box, so that only the look of a single frame does: "
                "look at the result before you use it"
            )
    elif not patches and edges.stands_still:
        warnings.append(
            f"{where}: the picture stands still, so that a mark cannot be told from the scene: left as it was; "
            "--box X,Y,W,H tells where it is"
        )
    elif not patches:
        warnings.append(f"{where}: no mark was found: left as it was; --box X,Y,W,H tells where one is")
    return patches


def _candidates(edges: Edges, box: BoolArray | None) -> list[tuple[BoolArray, BoolArray]]:
    """Marks that can be told from the scene; in a box, those that reach into it, or what stays there at all."""
    found = find_marks(edges)
    if box is None:
        return found
    return [mark for mark in found if (mark[1] & box).any()] or find_marks(edges, inside=box)


def _found_in_stills(window: Window, settings: Settings, warnings: list[str]) -> list[_Patch]:
    """The marks that images share, or the one in a box on an image."""
    box = _box(window, settings)
    count = len(window.frames)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _MOST_STILLS)).round().astype(int)).tolist()
    images = [window.frames[t] for t in chosen]
    if count == 1 and box is None:
        warnings.append("a single image does not tell its mark: left as it was; --box X,Y,W,H tells where it is")
        return []
    found = [find_boxed_mark(images[0], box)] if box is not None and count == 1 else find_shared_mark(images)
    patches = []
    for piece, hull in found:
        if box is not None and not (hull & box).any():
            continue
        mark, clean = fit_stills(images, piece, hull)
        if mark.alpha.any():
            patches.append(_still_patch(window, mark, dict(zip(chosen, clean, strict=True))))
    if not patches:
        what = "no mark was found in the box" if count == 1 else "the images share no mark"
        warnings.append(f"{what}: left as it was")
    return patches


def _boxed(window: Window, image: ByteArray, box: BoolArray) -> _Patch | None:
    """The mark in a box on frames that stand still, as one of them tells it."""
    mark, _ = fit_stills([image], *find_boxed_mark(image, box))
    if not mark.alpha.any():
        return None
    patch = _still_patch(window, mark, {})
    corner = patch.top, patch.left
    return replace(patch, steps=pixel_steps(window.camera.matrices, window.indices, window.size, corner))


def _still_patch(window: Window, mark: Mark, clean: Mapping[int, FloatArray]) -> _Patch:
    """A mark that was fitted to whole images."""
    top, left, part = _part_around(mark.alpha > 0)
    alpha = np.ascontiguousarray(mark.alpha[part])
    return _Patch(
        top=top,
        left=left,
        mark=Mark(alpha=alpha, colour=np.ascontiguousarray(mark.colour[part])),
        edges=np.zeros((*alpha.shape, 6), np.float32),
        seen=np.ones(len(window.frames), np.float32),
        steps=[None] * len(window.frames),
        scenes={t: np.ascontiguousarray(scene[part]) for t, scene in clean.items()},
    )


def _part_around(covered: BoolArray) -> tuple[int, int, tuple[slice, slice]]:
    """Top and left of what is looked at around a mark, and its slices."""
    rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    top, left = max(int(rows[0]) - _MARGIN_PX, 0), max(int(columns[0]) - _MARGIN_PX, 0)
    return top, left, (slice(top, int(rows[-1]) + 1 + _MARGIN_PX), slice(left, int(columns[-1]) + 1 + _MARGIN_PX))


def _cut(image: AnyArray, corner: tuple[int, int], shape: tuple[int, ...]) -> AnyArray:
    """A part of a picture of working size."""
    return np.ascontiguousarray(image[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]])


def _fitted(window: Window, piece: BoolArray, hull: BoolArray, score: FloatArray) -> _Patch:
    top, left, part = _part_around(hull)
    frames = [np.ascontiguousarray(frame[part]) for frame in window.frames]
    edges = signature(frames, (score[part] > 0) & piece[part])
    seen = shown(frames, edges)
    steps = pixel_steps(window.camera.matrices, window.indices, window.size, (top, left))
    mark = fit_mark(frames, steps, seen, piece[part], hull[part], score[part] > WEAK)
    seen = measured_fade(frames, steps, mark, seen)
    return _Patch(top=top, left=left, mark=mark, edges=edges, seen=seen, steps=steps)


def _recalled(window: Window, memory: Memory, is_set: bool) -> list[_Patch]:
    """The shot's marks, and when they show in this window."""
    patches = []
    for number in range(len(memory["corners"])):
        top, left = (int(place) for place in memory["corners"][number])
        mark = Mark(alpha=memory[f"alpha{number}"], colour=memory[f"colour{number}"])
        edges = memory[f"edges{number}"].astype(np.float32)
        frames = [_cut(frame, (top, left), mark.alpha.shape) for frame in window.frames]
        steps: list[FloatArray | None] = [None] * len(frames)
        if not is_set:
            steps = pixel_steps(window.camera.matrices, window.indices, window.size, (top, left))
        seen = measured_fade(frames, steps, mark, shown(frames, edges))
        patches.append(_Patch(top=top, left=left, mark=mark, edges=edges, seen=seen, steps=steps))
    return patches


def _box(window: Window, settings: Settings) -> BoolArray | None:
    """The option ``box``, checked, at working size.

    Raises:
        UsageError: it is not four numbers, or lies outside the picture.
    """
    given = settings.options.get("box")
    if not given:
        return None
    return box_pixels(given, window.size, window.full_size)


class _Uncovered:
    """How much of a frame's picture is the scene's, computed when it is looked at."""

    def __init__(self, size: tuple[int, int], patches: list[_Patch]) -> None:
        self._size, self._patches = size, patches

    def __iter__(self) -> Iterator[FloatArray]:
        count = len(self._patches[0].seen) if self._patches else 0
        for t in range(count):
            uncovered = np.ones(self._size, np.float32)
            for patch in self._patches:
                alpha = patch.mark.alpha * patch.seen[t]
                grown = cv2.dilate((alpha > _LEAST_SEEN).astype(np.uint8), np.ones((_GROWN_PX, _GROWN_PX), np.uint8))
                part = uncovered[patch.top : patch.top + alpha.shape[0], patch.left : patch.left + alpha.shape[1]]
                part[grown > 0] = 0
            yield uncovered


def _conclude(window: Window, seeds: Seeds, render: Render | None, memory: Memory | None) -> Conclusion:
    """The scene behind each mark, and the marks."""
    patches: list[_Patch] = seeds.state
    drawn: list[ByteArray] = []
    if render is not None:
        drawn = [np.asarray(frame["clean"] * 255, np.uint8) for frame in render(("clean",), max(window.size))]
    maps: dict[str, AnyArray] = {}
    kept: dict[str, AnyArray] = {"corners": np.array([(patch.top, patch.left) for patch in patches], np.int64)}
    kept["corners"] = kept["corners"].reshape(-1, 2)
    kept["size"] = np.array(window.size, np.int64)
    for number, patch in enumerate(patches):
        corner, shape = (patch.top, patch.left), patch.mark.alpha.shape
        frames, behind = ([_cut(image, corner, shape) for image in images] for images in (window.frames, drawn))
        scene = scene_behind(frames, patch.steps, patch.mark, patch.seen, drawn=behind)
        found = [patch.scenes.get(t, colours).astype(np.float16) for t, colours in enumerate(scene)]
        maps[f"scene{number}"] = np.stack(found)
        maps[f"seen{number}"] = patch.seen.astype(np.float16)
        kept[f"alpha{number}"] = patch.mark.alpha
        kept[f"cover{number}"] = _cover(patch, frames, found)
        kept[f"colour{number}"] = patch.mark.colour
        kept[f"edges{number}"] = patch.edges.astype(np.float16)
    return Conclusion(maps=maps, memory=kept, warnings=seeds.warnings)


def _cover(patch: _Patch, frames: list[AnyArray], scene: list[AnyArray]) -> FloatArray:
    """Alpha as it is handed out: no less than a colour in [0, 1] needs to make these frames of the scene."""
    whole = np.flatnonzero(patch.seen > _WHOLE).tolist()
    if not whole:
        return patch.mark.alpha
    picture = np.mean([frames[t] for t in whole], 0, dtype=np.float32) / np.float32(255)
    behind = np.mean([scene[t] for t in whole], 0, dtype=np.float32)
    least = least_alpha(np.asarray(picture, np.float32), np.asarray(behind, np.float32))
    return np.where(patch.mark.alpha > 0, np.maximum(patch.mark.alpha, least), 0)


def _finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """The marks at the input's size, and the picture without them; what is outside of them stays as it is."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    height, width = footage.frames[0].shape[:2]
    corners = footage.memory["corners"]
    small = footage.memory["size"]
    for t, full in enumerate(footage.frames):
        picture = full.astype(np.float32) * scale
        clean, mark = picture.copy(), np.zeros_like(picture)
        alpha = np.zeros((height, width, 1), np.float32)
        for number, corner in enumerate(corners):
            part, size = _place(corner, footage.memory[f"cover{number}"].shape, small, (height, width))
            seen = footage.maps[f"seen{number}"][t].astype(np.float32)
            through = _sized(footage.memory[f"cover{number}"], size) * seen
            if through.shape != footage.memory[f"cover{number}"].shape:
                through = np.maximum(through, _opaque(footage.memory[f"cover{number}"], size) * seen)
            colour = _sized(footage.memory[f"colour{number}"], size)
            scene = footage.maps[f"scene{number}"][t].astype(np.float32)
            if scene.shape[:2] != through.shape:
                scene = _sharpened(_sized(scene, size), picture[part], through, small[1] / width)
            over = (through > 0) & (alpha[part][..., 0] == 0)
            alpha[part][over, 0] = through[over]
            clean[part][over] = np.clip(scene[over], 0, 1)
            mark[part][over] = colour[over]
        yield _settled(picture, clean, mark, alpha)


def _place(
    corner: AnyArray, shape: tuple[int, ...], small: AnyArray, full: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """Where a part of the working size lies at full size, and its height and width there."""
    ends = [round(int(corner[n] + shape[n]) * full[n] / int(small[n])) for n in range(2)]
    starts = [round(int(corner[n]) * full[n] / int(small[n])) for n in range(2)]
    return (slice(starts[0], ends[0]), slice(starts[1], ends[1])), (ends[0] - starts[0], ends[1] - starts[1])


def _sized(image: AnyArray, size: tuple[int, int]) -> FloatArray:
    if image.shape[:2] == size:
        return np.asarray(image, np.float32)
    resized = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def _opaque(alpha: FloatArray, size: tuple[int, int]) -> FloatArray:
    """1 where a mark of working size lets nothing through, and a working pixel further, since its edge is not exact."""
    grown = cv2.dilate((alpha == 1).astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.resize(grown, size[::-1], interpolation=cv2.INTER_NEAREST), np.float32)


def _sharpened(scene: FloatArray, picture: FloatArray, alpha: FloatArray, scale: float) -> FloatArray:
    """A scene of working size with the fine detail that shows through the mark at full size."""
    clear = np.where(alpha < HIDDEN, 1 / (1 - np.minimum(alpha, np.float32(HIDDEN))), 0)[..., None]
    flat = (alpha - cv2.blur(alpha, (3, 3)) < _LEAST_SEEN)[..., None]
    return np.asarray(scene + (picture - cv2.GaussianBlur(picture, (0, 0), 0.5 / scale)) * clear * flat, np.float32)


def _settled(picture: FloatArray, clean: FloatArray, mark: FloatArray, alpha: FloatArray) -> Mapping[str, FloatArray]:
    """Let the mark take what clean picture and mark do not explain, and the clean picture what the mark cannot."""
    rest = picture - (1 - alpha) * clean
    taken = np.clip(rest / np.maximum(alpha, np.float32(1e-3)), 0, 1)
    return settle_mark(picture, {"clean": clean, "mark": np.where(alpha > 0, taken, mark), "alpha": alpha})


DEWATERMARK = Task(
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
        Phase(
            name="scene",
            steps=150,
            terms=(Term(name="reconstruction", weight=1.0, layers=("clean",), target="uncovered"),),
            layers=("clean",),
            size_px=432,
        ),
    ),
    conclude=_conclude,
    finish=_finish,
    offsets=(),
    key_run=24,
    options={"box": []},
)
