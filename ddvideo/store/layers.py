"""Layers of one chunk on disk: a ``.npy`` a layer, written frame by frame, hashed on the way, read frame by frame.

A chunk's record (a small JSON, written last) names its files and their hashes; file names carry the hash too, so that
two writers of one chunk (a retry beside a worker believed dead) never mix. Without a valid record a chunk is absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.errors import DecompositionError, ShapeError
from ddvideo.store.atomic import output_errors, publish, temporary_name
from ddvideo.store.names import plain_name
from ddvideo.store.records import save_record
from ddvideo.types import Chunk, ChunkRecord

__all__ = ["ChunkWriter", "LayerReader", "quantise"]


def quantise(values: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    """Float values in [0, 1] as whole steps of ``dtype`` (uint8 or uint16); whole numbers pass as they are.

    Raises:
        DecompositionError: a value is NaN or infinite.
        ShapeError: whole numbers of another type.
    """
    if values.dtype == dtype:
        return values
    if values.dtype.kind != "f":
        raise ShapeError(f"a layer must be float or {dtype}, not {values.dtype}")
    top = float(np.iinfo(dtype).max)
    if not np.isfinite(values).all():
        raise DecompositionError("a layer holds NaN or infinite values")
    return np.rint(np.clip(values, 0.0, 1.0) * top).astype(dtype)


class _LayerFile:
    """One layer's file while it is written."""

    def __init__(self, target: Path, frames: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.temporary = temporary_name(target)
        self.file: IO[bytes] = self.temporary.open("xb")
        self.hash = hashlib.sha256()
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (frames, *shape)}
        )
        self._write(header.getbuffer())

    def append(self, values: AnyArray) -> None:
        self._write(np.ascontiguousarray(values).data)

    def _write(self, data: memoryview) -> None:
        self.file.write(data)
        self.hash.update(data)

    def close(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()


class ChunkWriter:
    """Writes the layers of one chunk, frame after frame, into a run's work folder.

    ::

        with ChunkWriter(job.folder, job.chunk) as writer:
            for layers in fitted:                      # {"alpha": (H, W, 1), "foreground": (H, W, 3), ...}
                writer.append(layers)
            record = writer.finish(steps=steps, seconds=seconds, loss=loss)

    Nothing shows under its name before ``finish``; without it, or when the block raises, nothing stays.

    Args:
        folder: the run's work folder; it must exist.
        chunk: which frames; exactly ``chunk.frames`` have to be appended.
        dtype: ``"uint8"``, or ``"uint16"`` for inputs of more than 8 bits.
    """

    def __init__(self, folder: Path, chunk: Chunk, *, dtype: Literal["uint8", "uint16"] = "uint8") -> None:
        self._folder = folder
        self._chunk = chunk
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._files: dict[str, _LayerFile] = {}
        self._written = 0

    def append(self, layers: Mapping[str, AnyArray]) -> None:
        """Add one frame: float in [0, 1] or whole numbers of the writer's type, each ``(H, W, C)`` or ``(H, W)``.

        Raises:
            ShapeError: the layers or their shapes differ from the first frame's, or there are too many frames.
            DecompositionError: a layer holds NaN.
            OutputError: the disk is full, or the like.
        """
        if self._written == self._chunk.frames:
            raise ShapeError(f"chunk {self._chunk.index} has {self._chunk.frames} frames, not more")
        frame = {name: values if values.ndim == 3 else values[..., None] for name, values in layers.items()}
        with output_errors(self._folder):
            if not self._files:
                for name, values in frame.items():
                    target = self._folder / plain_name(f"chunk-{self._chunk.index:04d}-{name}.npy")
                    self._files[name] = _LayerFile(target, self._chunk.frames, values.shape, self._dtype)
            expected = {name: file.shape for name, file in self._files.items()}
            actual = {name: values.shape for name, values in frame.items()}
            if actual != expected:
                raise ShapeError(f"chunk {self._chunk.index}: a frame's layers are {actual}, expected {expected}")
            for name, values in frame.items():
                self._files[name].append(quantise(values, self._dtype))
        self._written += 1

    def finish(
        self,
        *,
        steps: int,
        seconds: float,
        loss: float,
        timings_seconds: Mapping[str, float] | None = None,
        warnings: Sequence[str] = (),
    ) -> ChunkRecord:
        """Put the files under their names and write the record last.

        Raises:
            ShapeError: frames are missing.
            DecompositionError: the loss is NaN.
            OutputError: the disk is full, or the like.
        """
        if self._written != self._chunk.frames:
            raise ShapeError(f"chunk {self._chunk.index} has {self._chunk.frames} frames, but {self._written} came")
        if not math.isfinite(loss):
            raise DecompositionError(f"chunk {self._chunk.index} ended with a loss of {loss}")
        files, hashes = {}, {}
        with output_errors(self._folder):
            for name, file in self._files.items():
                file.close()
                hashes[name] = file.hash.hexdigest()
                files[name] = f"chunk-{self._chunk.index:04d}-{name}-{hashes[name][:12]}.npy"
                publish(file.temporary, self._folder / files[name])
        record = ChunkRecord(
            chunk=self._chunk,
            steps=int(steps),
            seconds=float(seconds),
            loss=float(loss),
            attempts=1,
            files=files,
            sha256=hashes,
            timings_seconds={name: float(value) for name, value in (timings_seconds or {}).items()},
            warnings=tuple(warnings),
        )
        save_record(self._folder, record)
        return record

    def __enter__(self) -> ChunkWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.file.close()
            with contextlib.suppress(OSError):
                file.temporary.unlink(missing_ok=True)


class LayerReader:
    """Reads single frames of one layer's file: one frame of memory, whatever the file's length.

    Args:
        path: the ``.npy`` file.
        frames: how many frames it has to hold.

    Raises:
        DecompositionError: the header or the size is not what ``ChunkWriter`` writes. Never unpickles.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self._file = path.open("rb", buffering=0)
        try:
            if np.lib.format.read_magic(self._file) != (1, 0):
                raise ValueError("unknown version")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(self._file)
            self._offset = self._file.tell()
            size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            kind_is_right = dtype in (np.dtype("u1"), np.dtype("<u2")) and not fortran and len(shape) == 4
            if not kind_is_right or shape[0] != frames or self._offset + size != path.stat().st_size:
                raise ValueError(f"{shape} {dtype}")
        except (ValueError, EOFError) as error:
            self._file.close()
            raise DecompositionError(f"{path} is damaged ({error}): start again to fit it anew") from error
        self.shape: tuple[int, ...] = shape[1:]
        self.dtype = dtype

    def frame(self, index: int) -> FloatArray:
        """Frame ``index`` of the chunk (0 is its first): float32 in [0, 1], ``(H, W, C)``."""
        count = int(np.prod(self.shape))
        self._file.seek(self._offset + index * count * self.dtype.itemsize)
        values = np.empty(count, self.dtype)
        view = values.data.cast("B")
        while view:
            got = self._file.readinto(view)
            if not got:
                raise DecompositionError(f"{self._file.name} ends early: start again to fit it anew")
            view = view[got:]
        scaled: FloatArray = values.reshape(self.shape).astype(np.float32) / np.float32(np.iinfo(self.dtype).max)
        return scaled

    def close(self) -> None:
        """Close the file."""
        self._file.close()
