"""Which files of a folder, a glob or a list are inputs."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from glob import has_magic
from pathlib import Path

from ddvideo.errors import InputError, UsageError
from ddvideo.media.image_header import IMAGE_SUFFIXES

__all__ = ["VIDEO_SUFFIXES", "find_inputs", "is_ours"]

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".dv", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m"}
)
_NUMBERED = re.compile(r"(?:frame|f)?[ _.-]?[0-9]+", re.IGNORECASE)
_LEAST_FRAMES = 2
_LIST_BYTES = 64 * 2**20


def find_inputs(source: str, *, out: Path) -> list[Path]:
    """The inputs that a source stands for, in order of their names, each once.

    A folder is walked (links to folders are not followed); in it, and in what a glob finds, videos and images count by
    their suffix, and a folder whose images all have numbers for names (``0001.png``, ``frame_12.jpg``) counts as one
    video. Hidden files, the results of earlier runs and what lies in ``out`` are left alone. A folder in there that
    cannot be read counts as an input, which will fail and be named. A text file lists paths, one a line, as they are
    meant (relative to the list; empty lines and those that begin with # do not count).

    Args:
        source: folder, glob, or text file.
        out: where results go.

    Raises:
        UsageError: it is none of these, or holds no input.
        InputError: it cannot be read.
    """
    if not source:
        raise UsageError("the source is empty: a folder, a glob, or a text file of paths is needed")
    path = Path(source)
    try:
        if path.is_dir():
            found = list(_walk(path, out.resolve(), is_source=True))
        elif path.is_file():
            found = _listed(path)
        elif has_magic(source):
            found = _without_frames(_matched(path, out.resolve()))
        else:
            raise UsageError(f"{source}: there is no such folder, glob, or text file of paths")
    except OSError as error:
        raise InputError(f"cannot read {error.filename or source}: {error.strerror or error}") from error
    once: dict[str, Path] = {}
    for item in found:
        once.setdefault(os.path.realpath(item), item)
    if not once:
        raise UsageError(f"{source}: no videos or images in there (hidden files and results of ddvideo do not count)")
    return list(once.values())


def _walk(folder: Path, out: Path, *, is_source: bool = False) -> Iterator[Path]:
    """What is in a folder; results may well go into the source itself, whose inputs count all the same."""
    try:
        if is_ours(folder) or (folder.resolve() == out and not is_source):
            return
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        files = [entry for entry in entries if _is_input(entry) and _may_be_file(entry)]
        folders = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    except PermissionError:
        if is_source:
            raise
        yield folder
        return
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    is_frames = len(images) >= _LEAST_FRAMES and all(_NUMBERED.fullmatch(image.stem) for image in images)
    if is_frames:
        yield folder
    yield from (file for file in files if not (is_frames and file in images))
    for entry in folders:
        yield from _walk(entry, out)


def _matched(pattern: Path, out: Path) -> Iterator[Path]:
    """What a glob finds; a folder is walked. ``**`` follows no links, which may lead in a circle."""
    parts = pattern.parts
    fixed = next(place for place, part in enumerate(parts) if has_magic(part))
    base, rest = Path(*parts[:fixed]), parts[fixed:]
    try:
        matches = sorted(base.glob(str(Path(*rest))))
    except ValueError as error:
        raise UsageError(f"{pattern}: {error}") from error
    takes_hidden = any(part.startswith(".") for part in rest)
    left_out = {base: is_ours(base)}
    for match in matches:
        inner = match.relative_to(base).parts
        if not takes_hidden and any(part.startswith(".") for part in inner):
            continue
        folders = [base, *(base.joinpath(*inner[:depth]) for depth in range(1, len(inner)))]
        for folder in folders:
            if folder not in left_out:
                left_out[folder] = folder.resolve() == out or is_ours(folder)
        if any(left_out[folder] for folder in folders):
            continue
        if match.is_dir():
            yield from _walk(match, out)
        elif _is_input(match) and _may_be_file(match):
            yield match


def _without_frames(matches: Iterable[Path]) -> list[Path]:
    """Matches without the pictures of a folder that was matched as well, and counts as one video."""
    found = list(matches)
    folders = {os.path.realpath(item) for item in found if item.is_dir()}
    return [
        item
        for item in found
        if item.suffix.lower() not in IMAGE_SUFFIXES or os.path.realpath(item.parent) not in folders
    ]


def _is_input(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def _may_be_file(entry: Path) -> bool:
    """Whether it is a file, or a link to nowhere: which fails and is named, instead of being missed in silence."""
    return entry.is_file() or (entry.is_symlink() and not entry.exists())


def is_ours(folder: Path) -> bool:
    """Whether a folder holds results of ours, whole or in the making."""
    if (folder / ".work" / "lock").is_file() or (folder / ".work" / "state.json").is_file():
        return True
    report = folder / "report.json"
    if not report.is_file():
        return False
    with report.open("rb") as file:
        return b'"ddvideo"' in file.read(64)


def _listed(path: Path) -> list[Path]:
    if _is_input(path):
        return [path]
    with path.open("rb") as file:
        data = file.read(_LIST_BYTES + 1)
    if b"\0" in data or len(data) > _LIST_BYTES:
        raise InputError(f"{path}: it is neither a video or image by its name, nor a text file of paths")
    lines = [os.fsdecode(line).strip() for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    return [path.parent / line for line in lines if line and not line.startswith("#")]
