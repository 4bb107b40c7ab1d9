"""A lock on a work folder: one run at a time, and a dead one's lock does not stay."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
from pathlib import Path
from types import TracebackType

from ddvideo.errors import LockedError
from ddvideo.store.atomic import output_errors

__all__ = ["FolderLock"]

_TRIES = 100
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

_log = logging.getLogger(__name__)


class FolderLock:
    """An exclusive ``flock`` on a file, held from ``acquire`` to ``release``.

    The kernel drops the lock with the process, however it ends, so that nothing has to be judged stale. The file's
    text (process and machine) only serves the message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, making its folder where needed.

        Raises:
            LockedError: another run holds it.
            OutputError: the file cannot be made.
        """
        tries = 0
        while self._descriptor is None:
            with output_errors(self.path):
                try:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                    descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
                except FileNotFoundError:
                    tries += 1
                    if tries == _TRIES:
                        raise
                    continue  # the former holder removed the folder between these two lines
            try:
                with output_errors(self.path):
                    self._lock(descriptor)
                    if not self._still_there(descriptor):
                        continue  # the former holder removed the file between our open and our lock
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                self._descriptor, descriptor = descriptor, -1
            finally:
                if descriptor >= 0:
                    os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another run"
            raise LockedError(
                f"{self.path.parent} is in use by {holder}: wait for it, or choose another --out folder"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _log.warning("%s: this file system has no locks; start only one run into it", self.path.parent)

    def _still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give the lock back; the file stays unless its holder removed it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def __enter__(self) -> FolderLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.release()
