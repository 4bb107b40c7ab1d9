"""What is going to be done for one input: frames, shots, chunks, jobs, and what they take."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ddvideo.chunks import chunk_size_for, plan_chunks
from ddvideo.config import OutputFormat, Settings
from ddvideo.errors import OutputError, UsageError
from ddvideo.text import size_mib
from ddvideo.types import Chunk, ChunkJob, InputInfo, Job, PriorJob, Shot

if TYPE_CHECKING:
    from ddvideo.tasks.contract import Task

__all__ = [
    "Plan",
    "check_disk",
    "chunk_bytes",
    "fit_settings",
    "frame_span",
    "make_jobs",
    "make_plan",
    "resolve_format",
    "store_dtype",
]

FileFormat = Literal["mp4", "png"]
MIB = 2**20
RESERVE_BYTES = 64 * MIB
ENCODED_BYTES_PER_PX = {"mp4": 0.2, "png": 1.8}
"""Roughly, of one layer of natural video at our quality; for the estimate only."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a run, as ``--dry-run`` shows it.

    ``work_mib`` is taken by the chunk files until the results are whole, ``results_mib`` (roughly) by the results;
    ``estimated_seconds`` and ``estimated_memory_mib`` come from a few frames done on this machine.
    """

    info: InputInfo
    start: int
    stop: int
    shots: tuple[Shot, ...]
    chunks: tuple[Chunk, ...]
    work_mib: float
    results_mib: float
    estimated_seconds: float | None = None
    estimated_memory_mib: float | None = None
    warnings: tuple[str, ...] = ()
    """What the reader noticed, and what of the input cannot be kept as it is."""

    @property
    def frames(self) -> int:
        """How many frames are decomposed."""
        return self.stop - self.start

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "frames": self.frames,
            "start": self.start,
            "stop": self.stop,
            "shots": [asdict(shot) for shot in self.shots],
            "chunks": [asdict(chunk) for chunk in self.chunks],
            "estimated_seconds": self.estimated_seconds,
            "estimated_memory_mib": self.estimated_memory_mib,
            "work_mib": self.work_mib,
            "results_mib": self.results_mib,
            "warnings": list(self.warnings),
        }


def frame_span(info: InputInfo, frames: tuple[int, int | None] | None) -> tuple[int, int]:
    """The frames asked for, half-open, cut to what the input has.

    Raises:
        UsageError: the range is empty or begins behind the input's end.
    """
    start, stop = frames or (0, None)
    stop = info.frames if stop is None else min(stop, info.frames)
    if not 0 <= start < stop:
        raise UsageError(f"{info.path}: no frames between {start} and {stop}; it has {info.frames}, counted from 0")
    return start, stop


def fit_settings(settings: Settings, info: InputInfo) -> Settings:
    """The settings with chunks that large frames can be held in."""
    size, overlap = chunk_size_for(
        info.width, info.height, chunk_frames=settings.chunk_frames, overlap_frames=settings.overlap_frames
    )
    return replace(settings, chunk_frames=size, overlap_frames=min(overlap, size // 2))


def resolve_format(format: OutputFormat, info: InputInfo) -> FileFormat:
    """``auto`` as mp4 for video and png for images and folders.

    Raises:
        UsageError: a single image as mp4.
    """
    if format == "auto":
        return "mp4" if info.kind == "video" else "png"
    if format == "mp4" and info.kind == "image":
        raise UsageError(f"{info.path} is a single image: its layers are written as png (leave --format out)")
    return format


def store_dtype(info: InputInfo) -> str:
    """How layers are kept between fit and merge: 8 bits, 16 for deeper inputs."""
    return "uint16" if info.bit_depth > 8 else "uint8"


def make_plan(
    info: InputInfo, span: tuple[int, int], shots: Sequence[Shot], settings: Settings, task: Task, format: OutputFormat
) -> Plan:
    """Cut the shots into chunks and add up the disk they take."""
    chunks = plan_chunks(shots, chunk_frames=settings.chunk_frames, overlap_frames=settings.overlap_frames)
    work = sum(chunk_bytes(chunk, info, task) for chunk in chunks)
    pictures = sum(1 for layer in task.layers if layer.spatial) + 1
    per_px = ENCODED_BYTES_PER_PX[resolve_format(format, info)]
    results = info.width * info.height * per_px * pictures * (span[1] - span[0])
    return Plan(
        info=info,
        start=span[0],
        stop=span[1],
        shots=tuple(shots),
        chunks=tuple(chunks),
        work_mib=work / MIB,
        results_mib=results / MIB,
        warnings=(*info.warnings, *_sound_warnings(info, resolve_format(format, info))),
    )


def _sound_warnings(info: InputInfo, format: FileFormat) -> tuple[str, ...]:
    """What becomes of sound and the like that the layers cannot take as it is: found out before any work is done."""
    from ddvideo.media import sound_warnings

    return sound_warnings(info.path) if info.has_tracks and format == "mp4" else ()


def chunk_bytes(chunk: Chunk, info: InputInfo, task: Task) -> int:
    """Size of a chunk's layer files."""
    channels: int = sum(layer.channels for layer in task.layers if layer.spatial)
    return chunk.frames * info.width * info.height * channels * (2 if store_dtype(info) == "uint16" else 1)


def check_disk(needed_bytes: int, folder: Path) -> None:
    """Refuse a run that the disk cannot hold, before hours of work.

    Raises:
        OutputError: less space is free than the chunks will take.
    """
    free = shutil.disk_usage(folder).free
    if needed_bytes and free < needed_bytes + RESERVE_BYTES:
        raise OutputError(
            f"{folder}: work in progress needs {size_mib((needed_bytes + RESERVE_BYTES) / MIB)}, "
            f"{size_mib(free / MIB)} are free\n"
            "make room, choose another --out folder, or do a part of the input with --frames A:B"
        )


def make_jobs(
    plan: Plan, settings: Settings, folder: Path, *, priors: set[int], chunks: set[int], name: str = ""
) -> list[Job]:
    """The jobs of a plan that are still to be done, a shot's prior before its chunks.

    Args:
        plan: shots and chunks.
        settings: those of every job.
        folder: the work folder.
        priors: shots whose prior is done.
        chunks: chunks that are done. A shot whose chunks are all done needs no prior.
        name: put before the ids.
    """
    info, folder = plan.info, folder.absolute()
    source = tuple(path.absolute() for path in info.paths) or info.path.absolute()
    jobs: list[Job] = []
    for number, shot in enumerate(plan.shots):
        missing = [chunk for chunk in plan.chunks if chunk.shot == number and chunk.index not in chunks]
        prior = f"{name}prior-{number:04d}"
        if missing and number not in priors:
            jobs.append(
                PriorJob(id=prior, source=source, shot=shot, shot_index=number, settings=settings, folder=folder)
            )
        jobs.extend(
            ChunkJob(
                id=f"{name}chunk-{chunk.index:04d}",
                source=source,
                shot=shot,
                chunk=chunk,
                settings=settings,
                folder=folder,
                after=(prior,),
            )
            for chunk in missing
        )
    return jobs
