"""Several workers, long clips and many files, measured: ``python -m benchmarks.scale --help``.

Four questions, each answered by runs in processes of their own on clips that are drawn for it: how much faster two
workers finish a clip's chunks than one; what Ray costs against the same work in one process; whether the driver's
memory stays what it is when a clip gets 4 and 16 times as long; and what a file costs in a batch besides its own work.
All workers have one thread. Times are ratios within this one run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.davis import write_clip
from benchmarks.once import ROOT, RunError
from benchmarks.provenance import provenance
from benchmarks.scale_run import Asked, timed_run
from ddvideo.store import write_json

__all__ = ["SECTIONS", "main"]

Time = Callable[[Asked], dict[str, Any]]

CLIP_PX = (432, 242)
CHUNKS, CHUNK_FRAMES, OVERLAP_FRAMES = 10, 48, 8
SPEED: Mapping[str, Any] = {
    "task": "segment", "preset": "fast", "working_px": 320, "chunk_frames": CHUNK_FRAMES,
    "overlap_frames": OVERLAP_FRAMES, "key_frames": 48, "options": {"effort": 0.5},
}  # fmt: skip
SMALL_PX = (160, 90)
SMALL: Mapping[str, Any] = {
    "task": "dehaze", "preset": "fast", "working_px": 96, "chunk_frames": 24, "overlap_frames": 4, "key_frames": 16,
    "options": {"effort": 0.1},
}  # fmt: skip
LENGTHS = (1, 4, 16)
LENGTH_FRAMES = 40
FILES = (10, 100)
FILE_FRAMES = 6


def main(argv: Sequence[str] | None = None, time: Time = timed_run) -> int:
    """Measure and print; returns 1 where a run failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Workers, length, many files.")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out" / "scale")
    parser.add_argument("--sections", type=lambda text: text.split(","), default=list(SECTIONS), metavar="A,B")
    parser.add_argument("--json", type=Path, help="where the numbers go")
    given = parser.parse_args(argv)
    whole = set(given.sections) == set(SECTIONS)
    results = given.json or (ROOT / "benchmarks" / "results" if whole else given.out) / "scale.json"
    told: dict[str, Any] = provenance()
    given.out.mkdir(parents=True, exist_ok=True)
    try:
        for section in given.sections:
            told[section] = SECTIONS[section](given.out, time)
            results.parent.mkdir(parents=True, exist_ok=True)
            write_json(results, told)
    except (RunError, KeyError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 1
    print(f"\nnumbers: {results}")
    return 0


def speed(out: Path, time: Time) -> dict[str, Any]:
    """One clip of ten chunks: in one process, on one Ray worker, and on two."""
    frames = CHUNKS * (CHUNK_FRAMES - OVERLAP_FRAMES) + OVERLAP_FRAMES
    clip = _pond(out / "clips" / f"pond-{frames}.mp4", frames, CLIP_PX)
    found: dict[str, Any] = {"frames": frames, "settings": dict(SPEED)}
    for runner, workers in (("inprocess", 1), ("ray", 1), ("ray", 2)):
        run = time(Asked(source=clip, out=out / "speed", runner=runner, workers=workers, settings=SPEED))
        chunks = [job for job in run["jobs"] if "chunk" in job["id"]]
        prior = max(job["ended_seconds"] for job in run["jobs"] if "prior" in job["id"])
        found[f"{runner}-{workers}"] = {
            "wall_seconds": run["wall_seconds"],
            "chunks": len(chunks),
            "chunks_seconds": round(max(job["ended_seconds"] for job in chunks) - prior, 3),
            "jobs_seconds": round(sum(job["seconds"] or 0.0 for job in run["jobs"]), 3),
            "timings_seconds": run["report"]["timings_seconds"],
            "peak_rss_mib": run["peak_rss_mib"],
        }
        print(f"{runner}, {workers} worker(s): {run['wall_seconds']:.1f} s, of which the chunks "
              f"{found[f'{runner}-{workers}']['chunks_seconds']:.1f} s", flush=True)  # fmt: skip
    one, two = found["ray-1"], found["ray-2"]
    found["speed_up_of_chunks"] = round(one["chunks_seconds"] / two["chunks_seconds"], 3)
    found["speed_up_in_all"] = round(one["wall_seconds"] / two["wall_seconds"], 3)
    found["overhead_of_ray"] = round(1 - found["inprocess-1"]["wall_seconds"] / one["wall_seconds"], 4)
    chunks, whole, overhead = (found[key] for key in ("speed_up_of_chunks", "speed_up_in_all", "overhead_of_ray"))
    print(f"two workers: chunks {chunks:.2f} times as fast, the run {whole:.2f} times", flush=True)
    print(f"Ray takes {overhead:.1%} of the run on one worker", flush=True)
    return found


def length(out: Path, time: Time) -> dict[str, Any]:
    """The driver's memory for a clip, one 4 times and one 16 times as long."""
    found: dict[str, Any] = {"settings": dict(SMALL)}
    for times in LENGTHS:
        frames = times * LENGTH_FRAMES
        clip = _pond(out / "clips" / f"small-{frames}.mp4", frames, SMALL_PX)
        run = time(Asked(source=clip, out=out / "length", runner="ray", workers=1, settings=SMALL))
        found[str(times)] = {
            "frames": frames,
            "chunks": len(run["report"]["chunks"]),
            "driver_mib": run["peak_rss_mib"],
        }
        print(
            f"{frames} frames, {len(run['report']['chunks'])} chunks: driver {run['peak_rss_mib']:.0f} MiB", flush=True
        )
    first, last = (found[str(times)]["driver_mib"] for times in (LENGTHS[0], LENGTHS[-1]))
    found["growth"] = round(last / first - 1, 4)
    print(f"the driver's memory over {LENGTHS[-1]} times the length: {found['growth']:+.1%}", flush=True)
    return found


def files(out: Path, time: Time) -> dict[str, Any]:
    """Batches of tiny clips: what a file costs besides the work of its jobs."""
    found: dict[str, Any] = {"settings": dict(SMALL)}
    for count in FILES:
        folder = out / f"files-{count}"
        for number in range(count):
            _noise(folder / f"clip-{number:04d}.mp4", FILE_FRAMES, (64, 48), number)
        for runner, workers in (("inprocess", 1), ("ray", 2)):
            asked = Asked(
                source=folder, out=out / f"batch-{count}-{runner}", runner=runner, workers=workers, settings=SMALL,
                is_batch=True,
            )  # fmt: skip
            run = time(asked)
            jobs = sum(job["seconds"] or 0.0 for job in run["jobs"])
            spent = run["wall_seconds"] - run["started_seconds"]
            found[f"{count}-{runner}-{workers}"] = {
                "files": run["files"],
                "failed": run["failed"],
                "wall_seconds": run["wall_seconds"],
                "jobs_seconds": round(jobs, 3),
                "overhead_seconds_a_file": round((spent - jobs / workers) / count, 4),
                "driver_mib": run["peak_rss_mib"],
            }
            print(f"{count} files, {runner}, {workers} worker(s): {run['wall_seconds']:.1f} s, "
                  f"{found[f'{count}-{runner}-{workers}']['overhead_seconds_a_file']:.2f} s a file besides its jobs, "
                  f"driver {run['peak_rss_mib']:.0f} MiB", flush=True)  # fmt: skip
    return found


SECTIONS: Mapping[str, Callable[[Path, Time], dict[str, Any]]] = {"speed": speed, "length": length, "files": files}


def _pond(path: Path, frames: int, size: tuple[int, int]) -> Path:
    """A clip of the sample pond, drawn once."""
    from sample_clips.render import long_scene

    if not path.exists():
        scene = long_scene(frames, width=size[0], height=size[1])
        pictures = (np.rint(np.clip(scene.frame(index), 0, 1) * 255).astype(np.uint8) for index in range(frames))
        write_clip(path, pictures)
    return path


def _noise(path: Path, frames: int, size: tuple[int, int], seed: int) -> Path:
    if not path.exists():
        rng = np.random.default_rng(seed)
        blocks = rng.integers(0, 255, (size[1] // 8, size[0] // 8 + 2, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        write_clip(path, (np.ascontiguousarray(blocks[:, t : t + size[0]]) for t in range(frames)))
    return path


if __name__ == "__main__":
    sys.exit(main())
