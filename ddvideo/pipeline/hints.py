"""A user's hints, checked against the input they are of, and known by their content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.store import input_sha256
from ddvideo.types import InputInfo, Shot

if TYPE_CHECKING:
    from ddvideo.pipeline.request import Request

__all__ = ["FILES", "by_content", "hint_options", "is_hinted", "settle_hints", "unhinted_shots", "without_hints"]

FILES: Mapping[str, str] = {"fg_hint": "--fg-hint", "bg_hint": "--bg-hint"}
"""Options that name files, and how a user calls them."""


def hint_options(
    fg_hint: str | os.PathLike[str] | None,
    bg_hint: str | os.PathLike[str] | None,
    box: Sequence[int] | None,
    hint_frame: int | None,
) -> dict[str, Any]:
    """Hints as options of a task; only what is given."""
    files = {"fg_hint": fg_hint, "bg_hint": bg_hint}
    options: dict[str, Any] = {name: {"path": os.fspath(path)} for name, path in files.items() if path is not None}
    if box:
        options["box"] = list(box)
    if hint_frame is not None:
        options["hint_frame"] = hint_frame
    return options


def is_hinted(request: Request) -> bool:
    """Whether a request has hints, which are of a single input."""
    options = request.settings.options
    return "fg_hint" in request.task.options and any(options.get(name) for name in (*FILES, "box"))


def without_hints(request: Request) -> Request:
    """The same without them."""
    if not is_hinted(request):
        return request
    kept = {name: value for name, value in request.settings.options.items() if name not in _hints()}
    return replace(request, settings=replace(request.settings, options=kept))


def settle_hints(settings: Settings, request: Request, info: InputInfo, span: tuple[int, int]) -> Settings:
    """The settings with every hint file found and brought together with the input.

    Args:
        settings: of the run.
        request: what is asked for.
        info: the input.
        span: the frames that are done.

    Raises:
        InputError: a hint cannot be read.
        UsageError: it does not go with the input, marks nothing, or belongs to a frame that is not done.
    """
    options = {**_hints(), **settings.options}
    frame = options["hint_frame"]
    if not is_hinted(request):
        if "fg_hint" in request.task.options and frame != -1:
            raise UsageError("a hint frame (--hint-frame) needs a hint: --fg-hint, --bg-hint or --box")
        return settings
    at = span[0] if frame == -1 else frame
    if not span[0] <= at < span[1]:
        raise UsageError(f"the hint frame {at} (--hint-frame) is not among frames {span[0]} to {span[1] - 1}")
    changed: dict[str, Any] = {"hint_frame": at}
    for name in FILES:
        if options[name]:
            if not isinstance(options[name].get("path"), str):
                raise UsageError(f"option {name} needs the path of its file, and has {options[name]}")
            changed[name] = _settled(name, Path(options[name]["path"]), info, span, at)
    if options["box"]:
        from ddvideo.bounding_box import check_box

        check_box(options["box"], (info.height, info.width))
        changed["box"] = list(options["box"])
    elif frame != -1 and all(changed[name]["frames"] > 1 for name in FILES if name in changed):
        raise UsageError("a hint frame (--hint-frame) is that of an image or a box; a hint of all frames has none")
    return replace(settings, options={**settings.options, **changed})


def by_content(settings: Settings) -> Settings:
    """The settings as part of a run's identity: a hint is what is in it, wherever it lies."""
    options = dict(settings.options)
    for name in FILES:
        if options.get(name):
            options[name] = {key: value for key, value in options[name].items() if key != "path"}
    return replace(settings, options=options)


def unhinted_shots(request: Request, settings: Settings, shots: Sequence[Shot]) -> list[str]:
    """One warning where there are shots that no hint is of; nothing goes across a cut."""
    from ddvideo.hint_options import hinted_frames

    if not is_hinted(request):
        return []
    marked = hinted_frames({**_hints(), **settings.options})
    without = [shot for shot in shots if shot.stop <= marked.start or marked.stop <= shot.start]
    if not without:
        return []
    first = f"frames {without[0].start} to {without[0].stop - 1}"
    more = f" and {len(without) - 1} more" if len(without) > 1 else ""
    return [f"{first}{more}: no hint is of this shot, and none goes across a cut; it was done without"]


def _hints() -> Mapping[str, Any]:
    from ddvideo.hint_options import HINTS

    return HINTS


def _settled(name: str, path: Path, info: InputInfo, span: tuple[int, int], at: int) -> dict[str, Any]:
    """A file with its place in the input."""
    from ddvideo.media import open_source
    from ddvideo.media.masks import read_mask, read_masks

    with open_source(path) as source:
        hint = source.info
    if hint.frames == 1:
        first = at
    elif hint.frames == info.frames:
        first = 0
    elif hint.frames == span[1] - span[0]:
        first = span[0]
    else:
        part = f" (or {span[1] - span[0]}, as are asked for)" if span[1] - span[0] < info.frames else ""
        raise UsageError(
            f"{path}: it has {hint.frames} frames; a hint has one, or as many as the input, {info.frames}{part}"
        )
    if hint.frames == 1:
        mask = read_mask(path) if hint.kind == "image" else next(read_masks(path, [0]))
        if not (mask > 0.5).any():
            raise UsageError(f"{path}: nothing is marked in {FILES[name]}: paint white what it is to tell of")
    # What is drawn on a picture as players show it is brought to the frames as they are coded.
    turns = (hint.rotation_degrees - info.rotation_degrees) // 90 % 4
    return {
        "path": str(path.absolute()),
        "sha256": input_sha256(path),
        "first": first,
        "frames": hint.frames,
        "turns": turns,
    }
