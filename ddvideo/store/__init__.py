"""The run's folder on disk: atomic files, lock, state, chunk files; written so that a kill at any point is harmless.

Nothing here is ever unpickled, and no name read from a file can lead out of the folder.
"""

from __future__ import annotations

from ddvideo.store.atomic import atomic_file, output_errors, write_bytes, write_json
from ddvideo.store.folder import RunFolder, RunState
from ddvideo.store.identity import code_sha256, input_sha256, run_identity
from ddvideo.store.layers import ChunkWriter, LayerReader, quantise
from ddvideo.store.lock import FolderLock
from ddvideo.store.names import plain_name, result_names, safe_stem
from ddvideo.store.places import Places
from ddvideo.store.records import file_sha256, load_chunk_record, load_prior_record, save_record

__all__ = [
    "ChunkWriter",
    "FolderLock",
    "LayerReader",
    "Places",
    "RunFolder",
    "RunState",
    "atomic_file",
    "code_sha256",
    "file_sha256",
    "input_sha256",
    "load_chunk_record",
    "load_prior_record",
    "output_errors",
    "plain_name",
    "quantise",
    "result_names",
    "run_identity",
    "safe_stem",
    "save_record",
    "write_bytes",
    "write_json",
]
