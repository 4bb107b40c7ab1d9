"""What a plan will take on this machine, measured on a few of its own frames."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ddvideo.hardware import peak_rss_mib
from ddvideo.pipeline.one import Request, decompose_one
from ddvideo.pipeline.plan import MIB, Plan
from ddvideo.types import Progress

__all__ = ["estimate"]

SAMPLED_FRAMES = 12


def estimate(path: Path, plan: Plan, request: Request, progress: Progress) -> Plan:
    """The plan with its estimated seconds and memory.

    A dozen frames in the middle of the longest shot are decomposed for good, in a temporary folder. A prior is taken
    to cost in proportion to the key frames it sees, everything else in proportion to the frames.
    """
    longest = max(plan.shots, key=lambda shot: shot.frames)
    count = min(SAMPLED_FRAMES, longest.frames)
    start = longest.start + (longest.frames - count) // 2
    sample = replace(request, frames=(start, start + count), fresh=True, keep_work=False)
    with tempfile.TemporaryDirectory(prefix="ddvideo-") as folder:
        report = decompose_one(path, Path(folder) / "sample", sample, progress).report
    keys = request.settings.key_frames
    seen = sum(min(shot.frames, keys) for shot in plan.shots)
    timings = report["timings_seconds"]
    chunk_seconds = sum(chunk["seconds"] for chunk in report["chunks"])
    rest = ("merge", "encode")
    prior_seconds = max(timings["total"] - chunk_seconds - sum(timings[name] for name in ("probe", "shots", *rest)), 0)
    fitted = sum(chunk.frames for chunk in plan.chunks)
    seconds = (
        timings["probe"]
        + prior_seconds * seen / min(count, keys)
        + chunk_seconds * fitted / count
        + sum(timings[name] for name in rest) * plan.frames / count
    )
    held = max(chunk.frames for chunk in plan.chunks) - count
    memory = peak_rss_mib() + max(held, 0) * plan.info.width * plan.info.height * 3 / MIB
    return replace(plan, estimated_seconds=round(seconds, 1), estimated_memory_mib=round(memory))
