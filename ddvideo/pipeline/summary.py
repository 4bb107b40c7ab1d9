"""``report.json``: everything a run has to tell, put together by the contract of its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ddvideo.config import Settings
from ddvideo.hardware import peak_rss_mib
from ddvideo.merge import Recomposition, Steadiness
from ddvideo.pipeline.outputs import Written
from ddvideo.pipeline.plan import Plan
from ddvideo.report import describe_input
from ddvideo.types import ChunkRecord, PriorRecord
from ddvideo.version import __version__

__all__ = ["WORTHY_DB", "make_report"]

WORTHY_DB = 40.0
"""Layers that give the input back worse than this are told as a warning."""
WRITTEN_WORTHY_DB = 38.0
"""The same for layers as they were written: 4:2:0 and 8 bits cost that much on saturated edges, a fault costs more."""
STAGES = ("probe", "decode", "seeds", "fit", "merge", "encode")


def make_report(
    *,
    plan: Plan,
    sha256: str,
    identity: str,
    settings: Settings,
    recipe: Mapping[str, Any],
    runner: Mapping[str, Any],
    priors: Sequence[PriorRecord],
    chunks: Sequence[ChunkRecord],
    written: Written,
    recomposition: Recomposition,
    steadiness: Steadiness,
    timings_seconds: Mapping[str, float],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The report as plain data.

    ``timings_seconds`` brings what the driver measured (``probe``, ``merge``, ``encode``, ``total``); what the jobs
    measured is added up from their records, their unnamed rest counting as ``fit``.
    """
    timings = dict.fromkeys(STAGES, 0.0) | dict(timings_seconds)
    records: list[PriorRecord | ChunkRecord] = [*priors, *chunks]
    for record in records:
        for name, seconds in record.timings_seconds.items():
            timings[name] = timings.get(name, 0.0) + seconds
        timings["fit"] += max(record.seconds - sum(record.timings_seconds.values()), 0.0)
    told = [*plan.info.warnings, *(text for record in records for text in record.warnings), *warnings]
    told += written.warnings
    if recomposition.psnr_db < WORTHY_DB:
        told.append(
            f"the layers give the input back at {recomposition.psnr_db:.1f} dB only, {WORTHY_DB:.0f} dB are meant"
        )
    if written.psnr_db < WRITTEN_WORTHY_DB:
        told.append(
            f"the layers as they were written give the input back at {written.psnr_db:.1f} dB only "
            f"({WRITTEN_WORTHY_DB:.0f} dB are meant): --chroma 444 or --format png keep more"
        )
    return {
        "ddvideo": __version__,
        "task": settings.task,
        "run": identity,
        "recipe": {
            **recipe,
            "preset": settings.preset,
            "working_px": settings.working_px,
            "chunk_frames": settings.chunk_frames,
            "overlap_frames": settings.overlap_frames,
            "key_frames": settings.key_frames,
            "options": dict(settings.options),
        },
        "seed": settings.seed,
        "device": settings.device,
        "threads": settings.threads,
        "input": describe_input(plan.info) | {"sha256": sha256},
        "runner": dict(runner),
        "shots": [asdict(shot) for shot in plan.shots],
        "chunks": [
            {
                "index": fitted.chunk.index,
                "start": fitted.chunk.start,
                "stop": fitted.chunk.stop,
                "steps": fitted.steps,
                "seconds": round(fitted.seconds, 3),
                "loss": fitted.loss,
                "attempts": fitted.attempts,
            }
            for fitted in chunks
        ],
        "layers": [
            {"name": layer.name, "path": str(layer.path), "codec": layer.codec, "pix_fmt": layer.pix_fmt}
            for layer in written.layers
        ],
        **written.constants,
        "quality": {
            "recomposition_psnr_db": round(recomposition.psnr_db, 2),
            "written_psnr_db": round(written.psnr_db, 2),
            "worst_frame_psnr_db": round(recomposition.worst_psnr_db, 2),
            **_flicker(steadiness),
        },
        "timings_seconds": {name: round(seconds, 3) for name, seconds in timings.items()},
        "seconds_per_frame": round(timings["total"] / plan.frames, 4),
        "peak_rss_mib": round(peak_rss_mib()),
        "warnings": list(dict.fromkeys(told)),
    }


def _flicker(steadiness: Steadiness) -> dict[str, float]:
    """What a layer's flicker is called in the report; nothing where it was not measured."""
    return {} if steadiness.flicker is None else {f"{steadiness.layer}_flicker": round(steadiness.flicker, 6)}
