"""Outputs appear under their name only when they are whole, and a failure to write is one clear line."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddvideo.errors import OutputError

__all__ = ["fsync_folder", "output_error", "part_of", "publish_file", "publish_folder", "remove_part", "writing"]

_ADVICE = {
    errno.ENOSPC: "no space left on the disk; free some and start the same command again",
    errno.EDQUOT: "your disk quota is used up; free some space and start the same command again",
    errno.EFBIG: "the file would become larger than the system allows",
    errno.EACCES: "no permission to write there; choose another folder with --out",
    errno.EPERM: "the system does not permit to write there; choose another folder with --out",
    errno.EROFS: "the disk is read-only; choose another folder with --out",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another folder with --out",
    errno.EEXIST: "a file of this name stands where a folder must be; move it away",
    errno.ENAMETOOLONG: "the name is too long for this disk; rename the input",
    errno.EIO: "the disk reports an error",
}
_FRAME_NAME = re.compile(r"[0-9]{6,}\.png")


def output_error(error: OSError, path: Path) -> OutputError:
    """The clear line for what the system said on writing ``path``."""
    why = _ADVICE.get(error.errno or 0, error.strerror or type(error).__name__)
    return OutputError(f"{path}: cannot be written: {why}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a system error inside the block into an :class:`OutputError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise output_error(error, path) from error


def part_of(path: Path) -> Path:
    """The temporary name beside ``path`` under which it is built."""
    return path.with_name(f"{path.name}.part")


def remove_part(part: Path) -> None:
    """Remove what an unfinished or killed run left under a temporary name."""
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish_file(part: Path, path: Path) -> None:
    """Give a whole file its name, replacing an older one; its content must be synced already."""
    part.replace(path)
    fsync_folder(path.parent)


def publish_folder(part: Path, path: Path) -> None:
    """Give a whole folder of frames its name, replacing an older one.

    Raises:
        OutputError: ``path`` holds something else than numbered frames, which is not ours to delete.
    """
    fsync_folder(part)
    old = path.with_name(f"{path.name}.old")
    remove_part(old)
    if path.is_dir() and not path.is_symlink():
        strange = next((item.name for item in path.iterdir() if not _FRAME_NAME.fullmatch(item.name)), None)
        if strange is not None:
            raise OutputError(f"{path}: the folder holds {strange!r}, which ddvideo did not write; move it away")
        path.replace(old)
    elif path.exists() or path.is_symlink():
        path.unlink()
    part.replace(path)
    fsync_folder(path.parent)
    remove_part(old)
