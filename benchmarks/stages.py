"""What each stage of segmentation adds: ``python -m benchmarks.stages``.

The frames of each DAVIS sequence are observed once; then the chain is run with ever more of its stages, from the motion
seed alone to all of it, and the alphas are scored at full size. Nothing is encoded, so that all rows see the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.davis import DataError, DavisSequence, load_sequences, read_mask, write_clip
from benchmarks.once import ROOT
from benchmarks.provenance import provenance
from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.config import Settings
from ddvideo.detail.guided import guided_upsample
from ddvideo.detail.matte import solid_matte
from ddvideo.fit.clock import Clock
from ddvideo.fit.reading import gather
from ddvideo.fit.shot_prior import camera_motion
from ddvideo.fit.window_fit import fit_window
from ddvideo.hardware import thread_count
from ddvideo.media import open_source
from ddvideo.metrics import boundary_f, jaccard
from ddvideo.motion.flow import to_grey
from ddvideo.motion.homography import CameraTracker
from ddvideo.recipes import load_recipe, settings_for
from ddvideo.store import write_json
from ddvideo.tasks.contract import Observation, Task, Window
from ddvideo.tasks.options import check_options
from ddvideo.tasks.segment import SEGMENT
from ddvideo.tasks.segment.full_size import FAINT_EDGE
from ddvideo.types import Shot

__all__ = ["STAGES", "main"]

SCORED = 4
"""Every so many frames are scored."""

NEUTRAL: Mapping[str, float] = {
    "barrier": 0,
    "standout": 1,
    "centre": 1,
    "unfit": 0,
    "unfit_far": 0,
}
"""Cues that say nothing."""


@dataclass(frozen=True)
class Stage:
    """One row: what is there of the chain."""

    name: str
    silent: frozenset[str]
    """Cues that are neutral."""
    keeps: frozenset[str]
    """What is otherwise taken away."""
    phases: int
    """How many of the fit's phases are carried out."""


def _stages() -> Iterator[Stage]:
    cues, both, nothing = frozenset(NEUTRAL), frozenset({"faint parts", "mirror images"}), frozenset[str]()
    yield Stage("motion seed, voted", cues, both, 0)
    yield Stage("+ barrier of the flow", cues := cues - {"barrier"}, both, 0)
    yield Stage("+ looks", cues - {"standout", "centre"}, both, 0)
    yield Stage("+ solid or water", nothing, both, 0)
    yield Stage("+ faint parts go", nothing, both - {"faint parts"}, 0)
    yield Stage("+ mirror images go", nothing, nothing, 0)
    yield Stage("+ background generator", nothing, nothing, 1)
    yield Stage("+ mask network", nothing, nothing, 2)


STAGES = tuple(_stages())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code: 2 where there is no data."""
    given = _parse(argv)
    try:
        sequences = load_sequences(given.data, given.sequences, limit=given.frames)
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    settings = settings_for(load_recipe("segment"), given.preset, device="cpu", seed=given.seed, threads=thread_count())
    whole = given.sequences is None and given.frames is None
    results = given.json or (ROOT / "benchmarks" / "results" if whole else given.out) / "segment-stages.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    told = provenance() | {"seed": given.seed, "preset": given.preset, "frames_limit": given.frames, "scored": SCORED}
    rows: list[dict[str, Any]] = []
    for sequence in sequences:
        clip = write_clip(given.out / "clips" / f"{sequence.name}.mp4", sequence.frames)
        rows.append(
            {"sequence": sequence.name, "frames": len(sequence.frames), "stages": _measure(clip, sequence, settings)}
        )
        print(
            f"{sequence.name}: " + ", ".join(f"{s['j']:.3f}/{s['f']:.3f}" for s in rows[-1]["stages"].values()),
            flush=True,
        )
        write_json(results, told | {"summary": _means(rows), "sequences": rows})
    print(f"\n{_table(rows)}\n\nnumbers: {results}")
    return 0


def _measure(clip: Path, sequence: DavisSequence, settings: Settings) -> dict[str, dict[str, float]]:
    window, full = _read(clip, settings)
    truth = [read_mask(mask) for mask in sequence.masks]
    found = {}
    for stage in STAGES:
        with _without(stage) as task:
            silent = replace(window, observations=[_silenced(seen, stage.silent) for seen in window.observations])
            options = check_options(task, replace(settings, options={"coupled": stage.phases > 0}))
            window_fit = fit_window(
                task, silent, settings, options, seed=settings.seed, clock=Clock(), tell=lambda *_: None
            )
        found[stage.name] = _score(window_fit.conclusion.maps["alpha"], window, full, truth)
    return found


def _read(clip: Path, settings: Settings) -> tuple[Window, list[AnyArray]]:
    """The whole clip as one window, and its frames at full size."""
    with open_source(clip) as source:
        full = [frame.rgb for frame in source.frames(0, None)]
        shot = Shot(start=0, stop=len(full))
        tracker = CameraTracker()
        gathered = gather(
            source,
            (0, shot.stop),
            range(shot.stop),
            observe=lambda around: SEGMENT.observe(around, settings),
            offsets=SEGMENT.offsets,
            longer_px=settings.working_px,
            threads=settings.threads,
            on_frame=lambda index, frame: tracker.add(to_grey(frame)),
            clock=Clock(),
        )
    rows = range(shot.stop)
    window = Window(
        shot=shot,
        indices=tuple(rows),
        frames=[gathered.frames[row] for row in rows],
        observations=[gathered.observations[row] for row in rows],
        camera=camera_motion(tracker.path(), np.arange(shot.stop)),
        full_size=full[0].shape[:2],
    )
    return window, full


def _silenced(seen: Observation, names: frozenset[str]) -> Observation:
    return {name: np.full_like(values, NEUTRAL[name]) if name in names else values for name, values in seen.items()}


@contextmanager
def _without(stage: Stage) -> Iterator[Task]:
    """The task with the phases of a stage; while it lasts, what the stage keeps stays where it is."""
    with ExitStack() as kept:
        if "faint parts" in stage.keeps:
            kept.enter_context(patch("ddvideo.tasks.segment.seeds.without_weak_components", _all_parts))
        if "mirror images" in stage.keeps:
            kept.enter_context(patch("ddvideo.tasks.segment.seeds.find_water_reflection", _no_mirror_image))
        yield replace(SEGMENT, phases=SEGMENT.phases[: max(stage.phases, 1)])


def _all_parts(likelihood: FloatArray, scores: FloatArray, regions: Any) -> FloatArray:
    """In place of what leaves faint parts out."""
    return likelihood


def _no_mirror_image(likelihood: FloatArray, frames: Any, regions: Any, decisions: Any) -> BoolArray:
    """In place of what finds mirror images."""
    return np.zeros(len(likelihood), np.bool_)


def _score(alphas: AnyArray, window: Window, full: Sequence[AnyArray], truth: Sequence[AnyArray]) -> dict[str, float]:
    """Mean J and F over every so many frames, without the first and the last."""
    j, f = [], []
    for t in range(1, len(full) - 1, SCORED):
        frame = full[t].astype(np.float32) / np.float32(255)
        mask = solid_matte(guided_upsample(alphas[t].astype(np.float32), window.frames[t], frame, eps=FAINT_EDGE)) > 0.5
        j.append(jaccard(mask, truth[t]))
        f.append(boundary_f(mask, truth[t]))
    return {"j": round(fmean(j), 4), "f": round(fmean(f), 4)}


def _means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        stage.name: {key: round(fmean(row["stages"][stage.name][key] for row in rows), 4) for key in ("j", "f")}
        for stage in STAGES
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row a stage: mean J and F, what it adds, and J of every sequence."""
    means = _means(rows)
    lines = [f"{'':26}{'J':>7}{'F':>7}{'adds J':>8}{'F':>8}  " + " ".join(f"{row['sequence'][:9]:>9}" for row in rows)]
    before = {"j": 0.0, "f": 0.0}
    for stage in STAGES:
        mean = means[stage.name]
        added = "".join(f"{mean[key] - before[key]:>+8.3f}" if before["j"] else " " * 8 for key in ("j", "f"))
        each = " ".join(f"{row['stages'][stage.name]['j']:>9.3f}" for row in rows)
        lines.append(f"{stage.name:26}{mean['j']:>7.3f}{mean['f']:>7.3f}{added}  {each}")
        before = mean
    return "\n".join(lines)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description="What each stage of segment adds.")
    data = ROOT.parent / "shared" / "data" / "davis"
    parser.add_argument("--data", type=Path, default=data, help="frames/SEQ/*.jpg and masks/SEQ/*.png (%(default)s)")
    parser.add_argument("--sequences", type=lambda text: text.split(","), metavar="A,B", help="only these (all)")
    parser.add_argument("--preset", default="balanced", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each sequence (all)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out" / "stages", help="clips")
    parser.add_argument("--json", type=Path, metavar="FILE", help="numbers (benchmarks/results/segment-stages.json)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
