"""The file under the muxer, and one that forgets what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["Nowhere", "Target"]


class Target:
    """A file that FFmpeg writes through: remembers the system's error, which FFmpeg would tell only as a number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write through; the first error is kept."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the writing position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The writing position."""
        return self._file.tell()

    def reader(self, url: str, flags: int, options: dict[str, Any]) -> BinaryIO:
        """The same file for reading: what FFmpeg opens when it moves the index of an MP4 file to its front."""
        self._file.flush()
        return self._path.open("rb")

    def finish(self) -> None:
        """Bring everything to the disk and close."""
        if self.error is not None:
            raise self.error
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Close without a promise."""
        self._file.close()


class Nowhere:
    """Takes what a trial writes, and keeps nothing."""

    error: OSError | None = None

    def __init__(self) -> None:
        self._at = self._end = 0

    def write(self, data: bytes) -> int:
        """Move on by as much."""
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the writing position."""
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def tell(self) -> int:
        """The writing position."""
        return self._at

    def finish(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
