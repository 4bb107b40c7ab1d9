"""Names of files and folders that cannot leave the folder they are meant for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from ddvideo.errors import OutputError

__all__ = ["plain_name", "result_names", "safe_stem"]

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_MAX_BYTES = 120


def plain_name(name: object) -> str:
    """Return ``name`` if it is a plain file name, as the ones in our own records are.

    Raises:
        OutputError: it holds a path separator, starts with a dot, or is not text: the record was not written by us.
    """
    if not isinstance(name, str) or not _PLAIN.fullmatch(name) or ".." in name:
        raise OutputError(f"not a plain file name in the work folder: {name!r}; start again with --fresh")
    return name


def safe_stem(path: Path) -> str:
    """The name of an input's result folder: its stem, without what could lead elsewhere or hide it.

    Control characters and separators become ``_``, leading dots go, long names are cut, and an input without a name
    (``..``, ``/``) takes that of the folder it resolves to.
    """
    stem = path.name if path.is_dir() else path.stem
    if stem.strip(". ") == "":
        stem = path.resolve().name
    stem = _UNSAFE.sub("_", stem).lstrip(". ").rstrip(" ")
    return stem.encode(errors="surrogateescape")[:_MAX_BYTES].decode(errors="ignore") or "input"


def result_names(inputs: Sequence[Path], is_free: Callable[[str], bool] = lambda name: True) -> list[str]:
    """One result folder name an input; equal stems (also but for their case) get ``-2``, ``-3``, ... in order.

    Args:
        inputs: in their order.
        is_free: whether results may go to a folder of this name: see :class:`ddvideo.store.places.Places`.
    """
    wanted = [safe_stem(path) for path in inputs]
    every = {stem.casefold() for stem in wanted}
    taken: set[str] = set()
    names: list[str] = []
    for stem in wanted:
        name, number = stem, 1
        while name.casefold() in taken or (number > 1 and name.casefold() in every) or not is_free(name):
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names
