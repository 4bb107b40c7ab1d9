"""What makes two runs the same: the input's content, the settings, the frames asked for, and the version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ddvideo.config import Settings
from ddvideo.errors import InputError
from ddvideo.store.records import file_sha256
from ddvideo.types import InputPath
from ddvideo.version import __version__

__all__ = ["STORE_VERSION", "code_sha256", "input_sha256", "run_identity"]

STORE_VERSION = 1
"""Raised when the files in the work folder, or what a chunk holds, change their meaning."""

_FITTING = (
    "media",
    "motion",
    "nn",
    "losses",
    "graph",
    "hint_options",
    "bounding_box",
    "detail",
    "compositing",
    "chunks",
    "shots",
    "tasks",
    "fit",
)
"""The parts of the package that decide what a chunk holds."""


def input_sha256(source: InputPath) -> str:
    """Content hash of a file, of the names and contents of a folder's files, or of the contents of several in order.

    Raises:
        InputError: a file cannot be read.
    """
    try:
        if isinstance(source, tuple):
            return hashlib.sha256("".join(f"{file_sha256(file)}\n" for file in source).encode()).hexdigest()
        if not source.is_dir():
            return file_sha256(source)
        total = hashlib.sha256()
        for file in sorted(source.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                total.update(f"{file_sha256(file)}  ".encode() + file.name.encode(errors="surrogateescape") + b"\n")
        return total.hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {error.filename or source}: {error.strerror or error}") from error


@cache
def code_sha256() -> str:
    """Hash of the package's own source, so that chunks of changed code are not taken for those of the present one."""
    package = Path(__file__).resolve().parent.parent
    total = hashlib.sha256()
    for room in _FITTING:
        for file in sorted([*package.glob(f"{room}.py"), *package.glob(f"{room}/**/*.py")]):
            total.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def run_identity(
    *, sha256: str, settings: Settings, frames: tuple[int, int], layers: Sequence[tuple[str, int]], dtype: str
) -> str:
    """A hash that is equal only for runs whose chunks can stand in for each other.

    The number of threads is left out: it moves results in the eighth digit, and a machine that lends another core
    should not cost hours of finished chunks. How the results are encoded does not touch the chunks either.
    """
    facts: dict[str, Any] = {
        "ddvideo": __version__,
        "store": STORE_VERSION,
        "code": code_sha256(),
        "input": sha256,
        "frames": frames,
        "settings": settings.as_dict() | {"threads": None},
        "layers": list(layers),
        "dtype": dtype,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
