"""Which files of a folder, a glob or a list are inputs, and why the others are not."""

from __future__ import annotations

import codecs
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from ddvideo.errors import InputError, UsageError
from ddvideo.media.content import has_known_suffix, why_no_picture
from ddvideo.media.image_source import NUMBERED, list_frames
from ddvideo.media.sidecars import Clips

__all__ = ["Found", "LeftOut", "find_inputs", "is_ours"]

_LEAST_FRAMES = 2
_LIST_BYTES = 64 * 2**20
_BATCH_FILES = frozenset({"batch.json", "index.html"})
_RESULT, _OUT, _HIDDEN = "result of an earlier run", "folder of results", "hidden"


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is no input. Many have the same ``kind``; ``of`` is the file that it belongs to, if any."""

    path: Path
    kind: str
    of: str = ""

    @property
    def reason(self) -> str:
        """Why it is none, in a few words."""
        return f"{self.kind} of {self.of}" if self.of else self.kind


@dataclass(frozen=True)
class Found:
    """What a source holds: its inputs in order of their names, each once, and all else that was met on the way."""

    inputs: list[Path]
    left_out: list[LeftOut]


def find_inputs(source: str, *, out: Path) -> Found:
    """The inputs that a source stands for, and what in it is none.

    A folder is walked (links to folders are not followed). In it, and in what a glob finds, a file counts when it holds
    a picture: by its name where that is known for footage, else by its content. A folder whose images all have numbers
    for names (``0001.png``, ``frame_12.jpg``) counts as one video. Hidden files, the results of earlier runs, what lies
    in ``out``, and thumbnails and copies that a camera wrote beside a clip are left out. Whatever cannot be read, and
    is footage by its name or a folder, counts: it will fail, and be named. A text file lists paths, one a line, as they
    are meant (relative to the list; empty lines and those that begin with # do not count).

    Args:
        source: folder, glob, or text file.
        out: where results go.

    Raises:
        UsageError: it is none of these, or holds no input.
        InputError: it cannot be read.
    """
    if not source:
        raise UsageError("the source is empty: a folder, a glob, or a text file of paths is needed")
    path, search = Path(source), _Search(out)
    try:
        if path.is_dir():
            found = list(search.walk(path, is_source=True))
        elif path.is_file():
            found = _listed(path)
        elif has_magic(source):
            found = list(search.match(path))
        else:
            raise UsageError(f"{source}: there is no such folder, glob, or text file of paths")
    except OSError as error:
        raise InputError(f"cannot read {error.filename or source}: {error.strerror or error}") from error
    once: dict[str, Path] = {}
    for item in found:
        if (real := os.path.realpath(item)) not in search.frames:
            once.setdefault(real, item)
    left_out = list(search.left_out.values())
    if not once:
        raise UsageError(f"{source}: no videos or images in there{_told(left_out)}")
    return Found(list(once.values()), left_out)


class _Search:
    """A walk through folders that notes what it leaves out.

    ``frames`` are the files that belong to a folder that counts as one video; ``left_out`` has the rest, each once.
    """

    def __init__(self, out: Path) -> None:
        self.frames: set[str] = set()
        self.left_out: dict[Path, LeftOut] = {}
        self._out = out.resolve()
        self._clips: dict[Path, Clips] = {}
        self._passed: dict[Path, bool] = {}

    def walk(self, folder: Path, *, is_source: bool = False) -> Iterator[Path]:
        """What is in a folder; results may well go into the source itself, whose inputs count all the same."""
        try:
            if is_ours(folder):
                self._leave(folder, _RESULT)
                return
            is_out = folder.resolve() == self._out
            entries = sorted(folder.iterdir())
        except OSError:
            if is_source:
                raise
            yield folder
            return
        frames = _frames_of(folder, entries)
        if frames:  # also in the folder of results, which is refused for it later
            self.frames.update(os.path.realpath(frame) for frame in frames)
            yield folder
        if is_out and not is_source:
            if not frames:
                self._leave(folder, _OUT)
            return
        others = [entry for entry in entries if not (is_out and entry.name in _BATCH_FILES)]
        self._clips[folder] = Clips(entries)
        known = set(frames)
        yield from (entry for entry in others if entry not in known and self._is_input(entry))
        for entry in entries:
            if S_ISDIR(_mode(entry)) and not entry.is_symlink() and not entry.name.startswith("."):
                yield from self.walk(entry)

    def match(self, pattern: Path) -> Iterator[Path]:
        """What a glob finds; a folder is walked. ``**`` follows no links, which may lead in a circle."""
        parts = pattern.parts
        fixed = next(place for place, part in enumerate(parts) if has_magic(part))
        base, rest = Path(*parts[:fixed]), parts[fixed:]
        try:
            matches = sorted(base.glob(str(Path(*rest))))
        except ValueError as error:
            raise UsageError(f"{pattern}: {error}") from error
        takes_hidden = any(part.startswith(".") for part in rest)
        for match in matches:
            inner = match.relative_to(base).parts
            hidden = next((depth for depth, part in enumerate(inner, 1) if part.startswith(".")), 0)
            if hidden and not takes_hidden:
                self._leave(base.joinpath(*inner[:hidden]), _HIDDEN)
                continue
            above = [base.joinpath(*inner[:depth]) for depth in range(1, len(inner))]
            if self._passes(base, is_base=True) or any(self._passes(folder) for folder in above):
                continue
            if S_ISDIR(_mode(match)):
                yield from self.walk(match)
            elif self._is_input(match, takes_hidden=takes_hidden):
                yield match

    def _passes(self, folder: Path, *, is_base: bool = False) -> bool:
        """Whether what lies in a folder does not count; results may go into the folder that a glob begins with."""
        if folder not in self._passed:
            try:
                kind = _RESULT if is_ours(folder) else _OUT if folder.resolve() == self._out and not is_base else ""
            except OSError:  # what is wrong with it shows when it is read
                kind = ""
            self._passed[folder] = bool(kind)
            if kind:
                self._leave(folder, kind)
        return self._passed[folder]

    def _is_input(self, entry: Path, *, takes_hidden: bool = False) -> bool:
        """Whether an entry of a folder is a file that counts; one that is none, and no folder, is noted."""
        mode, of = _mode(entry), ""
        if S_ISDIR(mode) and not entry.is_symlink() and (takes_hidden or not entry.name.startswith(".")):
            return False
        if entry.name.startswith(".") and not takes_hidden:
            kind = _HIDDEN
        elif S_ISDIR(mode):
            kind = "link to a folder"
        elif S_ISREG(mode):
            kind, of = self._owner_of(entry) or (why_no_picture(entry), "")
        elif mode:
            kind = "neither a file nor a folder"
        else:
            gone = "link to nowhere" if entry.is_symlink() else "cannot be read"
            kind = "" if has_known_suffix(entry) else gone
        if kind:
            self._leave(entry, kind, of)
        return not kind

    def _owner_of(self, file: Path) -> tuple[str, str] | None:
        folder = file.parent
        if folder not in self._clips:
            try:
                self._clips[folder] = Clips(folder.iterdir())
            except OSError:
                self._clips[folder] = Clips(())
        return self._clips[folder].owner_of(file)

    def _leave(self, path: Path, kind: str, of: str = "") -> None:
        """Note what is left out, once however often it is met."""
        real = Path(os.path.realpath(path.parent)) / path.name
        self.left_out.setdefault(real, LeftOut(path, kind, of))


def _mode(path: Path) -> int:
    """Kind and rights of a file; 0 where there is none, or none that can be looked at."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def is_ours(folder: Path) -> bool:
    """Whether a folder holds results of ours, whole or in the making.

    Raises:
        OSError: it cannot be looked into.
    """
    if (folder / ".work" / "lock").is_file() or (folder / ".work" / "state.json").is_file():
        return True
    report = folder / "report.json"
    if not report.is_file():
        return False
    with report.open("rb") as file:
        return b'"ddvideo"' in file.read(64)


def _frames_of(folder: Path, entries: Sequence[Path]) -> list[Path]:
    """The frames of a folder that counts as one video; none where it does not."""
    if sum(1 for entry in entries if NUMBERED.fullmatch(entry.stem)) < _LEAST_FRAMES:
        return []
    try:
        frames = list_frames(folder)
    except InputError:
        return []
    are_numbered = all(NUMBERED.fullmatch(frame.stem) for frame in frames)
    return frames if are_numbered and len(frames) >= _LEAST_FRAMES else []


def _listed(path: Path) -> list[Path]:
    if not why_no_picture(path):
        return [path]
    with path.open("rb") as file:
        data = file.read(_LIST_BYTES + 1)
    if b"\0" in data or len(data) > _LIST_BYTES:
        raise InputError(f"{path}: it is neither a video or image, nor a text file of paths")
    lines = [os.fsdecode(line).strip() for line in data.removeprefix(codecs.BOM_UTF8).split(b"\n")]
    return [path.parent / line for line in lines if line and not line.startswith("#")]


def _told(left_out: Sequence[LeftOut]) -> str:
    """How much was left out of each kind, for one line."""
    if not left_out:
        return ""
    counts = Counter(item.kind for item in left_out)
    return "; left out: " + ", ".join(f"{kind} ({count})" for kind, count in counts.most_common())
