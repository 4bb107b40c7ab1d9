"""Whether memory and time a frame stay what they are when a clip gets four times as long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.davis import DavisSequence, write_clip
from benchmarks.once import Run, RunOptions, read_report
from ddvideo.store import write_json

__all__ = ["LIMIT", "length_check"]

LIMIT = 1.10
"""The long run's peak memory may be so many times the short one's."""


def length_check(sequence: DavisSequence, out: Path, options: RunOptions, run: Run) -> int:
    """Decompose a sequence once and four times as long (forward, backward, twice); returns 1 where memory grew.

    The numbers are printed, and kept as ``length-SEQ.json`` in ``out``.

    Raises:
        RunError, DataError: a decomposition or a frame failed.
    """
    there_and_back = [*sequence.frames, *reversed(sequence.frames)]
    found: dict[str, Any] = {}
    for name, frames in (("once", list(sequence.frames)), ("four times", [*there_and_back, *there_and_back])):
        clip = write_clip(out / "clips" / f"{sequence.name}-{len(frames)}.mp4", frames)
        report = read_report(run(clip, out / "length", options))
        chunks = [chunk["stop"] - chunk["start"] for chunk in report["chunks"]]
        found[name] = {
            "frames": len(frames),
            "peak_rss_mib": report["peak_rss_mib"],
            "seconds_per_frame": report["seconds_per_frame"],
            "chunk_frames": chunks,
        }
        print(
            f"{sequence.name} {name}: {len(frames)} frames in {len(chunks)} chunks of {min(chunks)} to {max(chunks)}, "
            f"peak {report['peak_rss_mib']:.0f} MiB, {report['seconds_per_frame']:.3f} s/frame",
            flush=True,
        )
    growth = found["four times"]["peak_rss_mib"] / found["once"]["peak_rss_mib"]
    write_json(out / f"length-{sequence.name}.json", found | {"growth": round(growth, 4)})
    print(f"peak memory {growth - 1:+.1%}; {LIMIT - 1:.0%} are allowed: {'kept' if growth <= LIMIT else 'NOT KEPT'}")
    return 0 if growth <= LIMIT else 1
