"""The work folder of one run: its lock, its state, and which chunks are done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ddvideo.errors import OutputError, UsageError
from ddvideo.store.atomic import PART, output_errors, sync_folder, write_json
from ddvideo.store.lock import FolderLock
from ddvideo.store.records import load_chunk_record, load_prior_record, save_record
from ddvideo.types import Chunk, ChunkRecord, PriorRecord, Shot

__all__ = ["RunFolder", "RunState"]

_LOCK, _STATE = "lock", "state.json"


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What the driver remembers between two starts of one run; ``state.json``."""

    identity: str
    shots: tuple[Shot, ...] | None = None
    """The shots, once found: a second start does not look for the cuts again."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Jobs that failed for good in the last run, and why; they are tried again."""
    cleaning: bool = False
    """The results are whole and the work folder is being removed."""


class RunFolder:
    """``DIR/<input stem>/`` with ``.work/`` inside, held under a lock while the context is open.

    Only the driver writes the state. A prior or a chunk is done when its record and its files say so, whatever the
    state tells: a process that dies at any point leaves finished chunks, temporary files, and nothing in between.

    Raises:
        LockedError: another run works here.
        OutputError: the folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / ".work"
        self._lock = FolderLock(self.work / _LOCK)
        self._trusted: dict[int, ChunkRecord] = {}

    def open(self) -> None:
        """Take the lock; see the class for the errors."""
        if self.work.is_symlink():
            raise OutputError(f"{self.work} is a link: remove it, it may lead anywhere")
        self._lock.acquire()

    def close(self) -> None:
        """Give the lock back, if it is held."""
        self._lock.release()

    def __enter__(self) -> RunFolder:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self, identity: str, *, fresh: bool = False) -> RunState:
        """The state of the unfinished run with this identity, or a new one after everything else is removed."""
        state = self._load_state()
        if state is None or fresh or state.identity != identity:
            self._empty()
            state = RunState(identity=identity)
            self.save_state(state)
        else:
            self._remove_leftovers()
        return state

    def save_state(self, state: RunState) -> None:
        """Write ``state.json`` atomically."""
        write_json(self.work / _STATE, asdict(state))

    def prior_record(self, shot_index: int) -> PriorRecord | None:
        """The record of a shot's prior if it is done and undamaged."""
        return load_prior_record(self.work, shot_index)

    def chunk_record(self, chunk: Chunk) -> ChunkRecord | None:
        """The record of a chunk if it is done and undamaged; its files are read through once by each process."""
        known = self._trusted.get(chunk.index)
        if known is not None and known.chunk == chunk:
            return known
        record = load_chunk_record(self.work, chunk)
        if record is not None:
            self._trusted[chunk.index] = record
        return record

    def keep(self, record: PriorRecord | ChunkRecord) -> None:
        """Take over the record of a job that has ended, as the driver knows it (with its attempts)."""
        save_record(self.work, record)

    def clean_up(self, state: RunState) -> None:
        """Remove the work folder after the results are whole; a start after a kill in here finishes it."""
        self.save_state(RunState(identity=state.identity, shots=state.shots, cleaning=True))
        self._empty(keep=(_LOCK, _STATE))
        with output_errors(self.work):
            (self.work / _STATE).unlink(missing_ok=True)
            (self.work / _LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another run may already have come in
                self.work.rmdir()
            sync_folder(self.root)

    def _load_state(self) -> RunState | None:
        try:
            data: Any = json.loads((self.work / _STATE).read_text(encoding="utf-8"))
            shots = None if data["shots"] is None else tuple(Shot(**shot) for shot in data["shots"])
            return RunState(**{**data, "shots": shots})
        except (OSError, ValueError, KeyError, TypeError, UsageError):
            return None  # no state, or not one of ours: start anew

    def _empty(self, keep: Sequence[str] = (_LOCK,)) -> None:
        """Remove what is in the work folder: the state first, so that a kill in here leaves nothing half believed."""
        self._trusted.clear()
        with output_errors(self.work):
            if _STATE not in keep:
                (self.work / _STATE).unlink(missing_ok=True)
            for entry in sorted(os.scandir(self.work), key=lambda entry: entry.name):
                if entry.name in keep:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    Path(entry.path).unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove temporary files of killed writers, and layer files that no record names."""
        named = {_LOCK, _STATE}
        with output_errors(self.work):
            for entry in self.work.glob("*.json"):
                named.add(entry.name)
                named.update(_files_of(entry))
            for entry in self.work.iterdir():
                if entry.is_file() and (PART.match(entry.name) or (entry.suffix == ".npy" and entry.name not in named)):
                    entry.unlink(missing_ok=True)


def _files_of(record: Path) -> set[str]:
    try:
        data = json.loads(record.read_text(encoding="utf-8"))
        return set(data.get("files", {}).values()) if isinstance(data, dict) else set()
    except (OSError, ValueError, AttributeError, TypeError):
        return set()
