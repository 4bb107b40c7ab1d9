"""Files that are whole or absent: a temporary name in the same folder, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ddvideo.errors import OutputError

__all__ = [
    "PART",
    "atomic_file",
    "output_errors",
    "publish",
    "sync_folder",
    "temporary_name",
    "write_bytes",
    "write_json",
]

PART = re.compile(r".*\.[0-9a-f]{8}\.part$")
"""Names of temporary files: what a killed run leaves behind, safe to remove under the lock."""

_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a file lies where a folder is needed",
    errno.EEXIST: "a file lies where a folder is needed",
    errno.EISDIR: "a folder lies where a file is needed",
}


@contextlib.contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into an OutputError that names ``path`` and what to do about it."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"cannot write {path}: {reason}") from error


def temporary_name(path: Path) -> Path:
    """A fresh name beside ``path``, so that two writers of one file never share a temporary."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a loss of power, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse fsync on a folder; the rename itself stays atomic there.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, path: Path) -> None:
    """Rename a whole, synced file to the name that readers look for."""
    os.replace(temporary, path)  # noqa: PTH105 (Path.replace says the same, os.replace is the documented atomic call)
    sync_folder(path.parent)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears as ``path`` when the block ends, and not at all when it raises.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary = temporary_name(path)
    with output_errors(path):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    with atomic_file(path) as file:
        file.write(data)


def write_json(path: Path, data: Any) -> None:
    """Write plain data as JSON, atomically; NaN and infinity are refused, for JSON has none."""
    write_bytes(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())
