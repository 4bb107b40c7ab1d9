"""Records of finished priors and chunks: small JSON files, checked before they are believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ddvideo.errors import DDVideoError
from ddvideo.store.atomic import write_json
from ddvideo.store.names import plain_name
from ddvideo.types import Chunk, ChunkRecord, PriorRecord

__all__ = [
    "file_sha256",
    "load_chunk_record",
    "load_prior_record",
    "save_record",
]


def save_record(folder: Path, record: ChunkRecord | PriorRecord) -> None:
    """Write a record atomically: from here on, what it describes counts as finished.

    Raises:
        OutputError: the file cannot be written.
    """
    name = _chunk_name(record.chunk.index) if isinstance(record, ChunkRecord) else _prior_name(record.shot_index)
    write_json(folder / name, asdict(record))


def load_chunk_record(folder: Path, chunk: Chunk) -> ChunkRecord | None:
    """The record of ``chunk``, if it is there, describes these very frames, and its files have the hashes it tells."""
    data = _read(folder / _chunk_name(chunk.index))
    try:
        record = ChunkRecord(**{**data, "chunk": Chunk(**data["chunk"]), "warnings": tuple(data["warnings"])})
        whole = record.chunk == chunk and record.files and record.files.keys() == record.sha256.keys()
        if whole and all(_matches(folder, record.files[name], record.sha256[name]) for name in record.files):
            return record
    except (KeyError, TypeError, AttributeError, DDVideoError):
        pass  # not one of our records: the chunk is absent
    return None


def load_prior_record(folder: Path, shot_index: int) -> PriorRecord | None:
    """The record of a shot's prior, if it is there and its file has the hash it tells."""
    data = _read(folder / _prior_name(shot_index))
    try:
        record = PriorRecord(**{**data, "warnings": tuple(data["warnings"])})
        if record.shot_index == shot_index and _matches(folder, record.file, record.sha256):
            return record
    except (KeyError, TypeError, AttributeError, DDVideoError):
        pass  # not one of our records: the prior is absent
    return None


def file_sha256(path: Path) -> str:
    """Content hash of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunk_name(index: int) -> str:
    return f"chunk-{index:04d}.json"


def _prior_name(shot_index: int) -> str:
    return f"prior-{shot_index:04d}.json"


def _matches(folder: Path, name: str, sha256: str) -> bool:
    path = folder / plain_name(name)
    return path.is_file() and not path.is_symlink() and file_sha256(path) == sha256


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
