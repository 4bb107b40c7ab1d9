"""The marks of a window, each with the part of the frame around it: found in a video, on stills, or known already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.bounding_box import box_pixels
from ddvideo.config import Settings
from ddvideo.motion.homography import pixel_steps
from ddvideo.tasks.contract import Memory, Window
from ddvideo.tasks.dewatermark.mark import Mark
from ddvideo.tasks.dewatermark.stills.find import find_boxed_mark, find_shared_mark
from ddvideo.tasks.dewatermark.stills.fit import fit_stills
from ddvideo.tasks.dewatermark.video.alpha_regression import fit_mark
from ddvideo.tasks.dewatermark.video.constant_edges import WEAK, Edges, constant_edges, find_marks
from ddvideo.tasks.dewatermark.video.visibility import measured_fade, shown, signature

__all__ = ["Patch", "cut_out", "found_in_stills", "found_in_video", "recalled"]

_MARGIN_PX = 64
"""Of the surroundings that are looked at: the scene comes in from there."""
_MOST_STILLS = 6
"""So many images of a set tell the mark."""
_MOST_COVERED = 0.25
"""Of the picture: what stays over more of it is the scene's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
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


def found_in_video(window: Window, settings: Settings, warnings: list[str]) -> list[Patch]:
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


def found_in_stills(window: Window, settings: Settings, warnings: list[str]) -> list[Patch]:
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


def _boxed(window: Window, image: ByteArray, box: BoolArray) -> Patch | None:
    """The mark in a box on frames that stand still, as one of them tells it."""
    mark, _ = fit_stills([image], *find_boxed_mark(image, box))
    if not mark.alpha.any():
        return None
    patch = _still_patch(window, mark, {})
    corner = patch.top, patch.left
    return replace(patch, steps=pixel_steps(window.camera.matrices, window.indices, window.size, corner))


def _still_patch(window: Window, mark: Mark, clean: Mapping[int, FloatArray]) -> Patch:
    """A mark that was fitted to whole images."""
    top, left, part = _part_around(mark.alpha > 0)
    alpha = np.ascontiguousarray(mark.alpha[part])
    return Patch(
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


def cut_out(image: AnyArray, corner: tuple[int, int], shape: tuple[int, ...]) -> AnyArray:
    """A part of a picture of working size."""
    return np.ascontiguousarray(image[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]])


def _fitted(window: Window, piece: BoolArray, hull: BoolArray, score: FloatArray) -> Patch:
    top, left, part = _part_around(hull)
    frames = [np.ascontiguousarray(frame[part]) for frame in window.frames]
    edges = signature(frames, (score[part] > 0) & piece[part])
    seen = shown(frames, edges)
    steps = pixel_steps(window.camera.matrices, window.indices, window.size, (top, left))
    mark = fit_mark(frames, steps, seen, piece[part], hull[part], score[part] > WEAK)
    seen = measured_fade(frames, steps, mark, seen)
    return Patch(top=top, left=left, mark=mark, edges=edges, seen=seen, steps=steps)


def recalled(window: Window, memory: Memory, is_set: bool) -> list[Patch]:
    """The shot's marks, and when they show in this window."""
    patches = []
    for number in range(len(memory["corners"])):
        top, left = (int(place) for place in memory["corners"][number])
        mark = Mark(alpha=memory[f"alpha{number}"], colour=memory[f"colour{number}"])
        edges = memory[f"edges{number}"].astype(np.float32)
        frames = [cut_out(frame, (top, left), mark.alpha.shape) for frame in window.frames]
        steps: list[FloatArray | None] = [None] * len(frames)
        if not is_set:
            steps = pixel_steps(window.camera.matrices, window.indices, window.size, (top, left))
        seen = measured_fade(frames, steps, mark, shown(frames, edges))
        patches.append(Patch(top=top, left=left, mark=mark, edges=edges, seen=seen, steps=steps))
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
