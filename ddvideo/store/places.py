"""Which folders may take results: none in which footage would be touched."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ddvideo.errors import UsageError

__all__ = ["Places"]

_Key = tuple[int, int]
"""What a file or folder is on this machine, however it is called: its device and number."""


class Places:
    """The folders in ``out`` that results may go to.

    A folder is no place for results where it is an input, lies in one, or holds one: results would become part of the
    footage, or take its place. Nor is it where it holds files that are not ours. Links and the case of names make no
    difference, since folders are compared by what they are, not by what they are called.

    Args:
        out: the folder of the result folders; it need not be there.
        inputs: all inputs of the call, whether they are there or not.

    Raises:
        UsageError: ``out`` is an input, or lies in one.
    """

    def __init__(self, out: Path, inputs: Sequence[Path]) -> None:
        self._out = out
        self._inputs = {key: path for path in inputs if (key := _key(path)) is not None}
        holders = {Path(os.path.realpath(path)).parent for path in inputs}
        self._holders = {key for folder in _with_parents(holders) if (key := _key(folder)) is not None}
        if (within := self._input_around(out)) is not None:
            raise UsageError(
                f"{out}: results would be written into the input {within}; choose a folder outside of it with --out"
            )

    def is_footage(self, name: str) -> bool:
        """Whether results in the folder ``name`` would touch an input."""
        place = self._out / name
        return _key(place) in self._holders or self._input_around(place) is not None

    def is_free(self, name: str) -> bool:
        """Whether the folder ``name`` can take results: it is new, holds no file yet, or holds results of ours."""
        return not self.is_footage(name) and not _holds_other_files(self._out / name)

    def _input_around(self, place: Path) -> Path | None:
        """The input that a place is or lies in, by the parts of its path that are there."""
        real = Path(os.path.realpath(place))
        return next((self._inputs[key] for at in (real, *real.parents) if (key := _key(at)) in self._inputs), None)


def _key(path: Path) -> _Key | None:
    """What a path is; None where nothing is there, or the way to it is closed."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _with_parents(folders: set[Path]) -> set[Path]:
    """Folders and all that they lie in; each is walked up once, however many inputs lie in it."""
    found: set[Path] = set()
    for folder in folders:
        for at in (folder, *folder.parents):
            if at in found:
                break
            found.add(at)
    return found


def _holds_other_files(place: Path) -> bool:
    """Whether there are files that we have not written; what cannot be looked into is told when it is written to."""
    from ddvideo.media.inputs import is_ours

    try:
        if not place.is_dir():
            return False
        others = (entry for entry in place.iterdir() if not entry.name.startswith(".") and entry.is_file())
        return not is_ours(place) and any(others)
    except OSError:
        return False
