"""What a plan will take on this machine, measured on a few of its own frames."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddvideo.config import Settings
from ddvideo.hardware import peak_rss_mib
from ddvideo.pipeline.hints import without_hints
from ddvideo.pipeline.one import decompose_one
from ddvideo.pipeline.plan import MIB, Plan
from ddvideo.pipeline.request import Request
from ddvideo.types import InputPath, Progress

__all__ = ["estimate"]

SAMPLED_FRAMES = 12
WINDOW_BYTES_PER_PX, FULL_BYTES_PER_PX = 60, 5
"""What a fit holds of each frame at working size, and at full size: for the estimate only."""


def estimate(source: InputPath, plan: Plan, request: Request, progress: Progress) -> Plan:
    """The plan with its estimated seconds and memory.

    A dozen frames in the middle of the longest shot are decomposed for good, in a temporary folder.
    """
    longest = max(plan.shots, key=lambda shot: shot.frames)
    count = min(SAMPLED_FRAMES, longest.frames)
    start = longest.start + (longest.frames - count) // 2
    # A hint is of a frame that may not be among them, and takes next to no time.
    sample = replace(without_hints(request), frames=(start, start + count), fresh=True, keep_work=False)
    with tempfile.TemporaryDirectory(prefix="ddvideo-") as folder:
        report = decompose_one(source, Path(folder) / "sample", sample, progress).report
    seconds = _seconds(plan, request.settings, report["timings_seconds"], count)
    return replace(
        plan,
        estimated_seconds=round(seconds, 1),
        estimated_memory_mib=round(peak_rss_mib() + _held_mib(plan, request.settings, count)),
    )


def _seconds(plan: Plan, settings: Settings, timings: Mapping[str, Any], count: int) -> float:
    """Steps of a fit cost the same however many frames it has; all else goes with the frames.

    A shot that its prior sees whole is fitted once; of a longer one, every chunk is fitted again, for a shorter time.
    """
    from ddvideo.fit.chunk_job import REFINING

    seen = (timings["seeds"] + timings["decode"]) / count
    written = (timings["merge"] + timings["encode"] + timings.get("full_size", 0.0)) / count
    seconds: float = timings["probe"] + written * plan.frames
    for number, shot in enumerate(plan.shots):
        seconds += timings["fit"] + seen * min(shot.frames, settings.key_frames)
        if shot.frames > settings.key_frames:
            chunks = [chunk for chunk in plan.chunks if chunk.shot == number]
            seconds += sum(REFINING * timings["fit"] + seen * chunk.frames for chunk in chunks)
    return seconds


def _held_mib(plan: Plan, settings: Settings, count: int) -> float:
    """What a whole window and a whole chunk hold beyond those of the sample."""
    area = plan.info.width * plan.info.height
    small = area * min(1.0, settings.working_px / max(plan.info.width, plan.info.height)) ** 2
    chunk = max(chunk.frames for chunk in plan.chunks)
    window = max(min(max(shot.frames for shot in plan.shots), settings.key_frames), chunk)
    more = max(window - count, 0) * small * WINDOW_BYTES_PER_PX + max(chunk - count, 0) * area * FULL_BYTES_PER_PX
    return more / MIB
