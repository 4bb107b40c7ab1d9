"""Separation of clips and stills, measured: decomposed as a user would, scored beside what takes no decomposition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.material import pictures_of
from benchmarks.mixtures import Moment
from benchmarks.outcome import told_together
from benchmarks.reflection_baselines import BASELINES
from benchmarks.reflection_bench import FULL, SINGLE, Bench, Outcome
from benchmarks.reflection_score import SAMPLED, ClipScore, Estimate, score_clip
from benchmarks.reflection_sheet import Panels
from benchmarks.sheets import chosen_frames

__all__ = ["Clip", "look_at", "measure_clip", "measure_stills"]

SHOWN = 3
"""So many frames of a clip are on its sheet."""
STILLS_SHOWN = 6


@dataclass(frozen=True)
class Clip:
    """A folder of frames to separate, or a still, and a reader of the true layers."""

    name: str
    path: Path
    moments: Callable[[], Iterable[Moment]]


def measure_clip(
    bench: Bench, section: str, clip: Clip, *, variants: Sequence[str], baselines: Sequence[str], sheet: bool
) -> None:
    """Separate and score one clip by every baseline and in every variant.

    Args:
        bench: where it goes.
        section: under which name.
        clip: what is decomposed, and the truth.
        variants: of ours.
        baselines: some of ``BASELINES``.
        sheet: draw one.
    """
    frames = sorted(clip.path.iterdir())
    outcomes: dict[str, dict[int, Outcome]] = {}
    for variant in variants:
        chosen = range(0, len(frames), SAMPLED) if variant == SINGLE else [0]
        inputs = [frames[index] for index in chosen] if variant == SINGLE else [clip.path]
        if found := bench.ours(section, clip.name, inputs, variant):
            outcomes[variant] = dict(zip(chosen, found, strict=True))
    if not (outcomes or baselines):
        return
    with bench.watched(section, clip.name, "scoring"):
        panels = Panels(_chosen(len(frames)) if sheet and bench.sheets else {})
        pictures = list(pictures_of(clip.path)) if baselines else []
        seconds: dict[str, list[float]] = {name: [] for name in baselines}
        streams: dict[str, Iterator[Estimate | None]] = {
            name: _timed(BASELINES[name](pictures), seconds[name]) for name in baselines
        }
        for name, by_frame in outcomes.items():
            streams[name] = _by_frame(by_frame, len(frames)) if name == SINGLE else by_frame[0].estimates()
        if FULL in outcomes:
            streams[FULL] = panels.estimates(outcomes[FULL][0].estimates())
        scores = score_clip(panels.moments(clip.moments()), streams)
        told: dict[str, dict[str, Any]] = {name: {"seconds_per_frame": fmean(seconds[name])} for name in baselines}
        told |= {name: told_together(list(by_frame.values())) for name, by_frame in outcomes.items()}
        bench.add(section, clip.name, _numbers(scores, told), frames=len(frames))
        panels.write(bench.out / "sheets" / f"{section}-{clip.name}.png", clip.name)


def measure_stills(
    bench: Bench, section: str, stills: Sequence[Clip], *, variants: Sequence[str], baselines: Sequence[str]
) -> None:
    """Separate and score stills by every baseline and in every variant; all of a variant in one process.

    Args:
        bench: where it goes.
        section: under which name.
        stills: with stems of their own.
        variants: of ours.
        baselines: some of ``BASELINES``.
    """
    paths = [still.path for still in stills]
    outcomes = {variant: bench.ours(section, "stills", paths, variant) for variant in variants}
    shown = chosen_frames(len(stills), STILLS_SHOWN) if bench.sheets else []
    panels = Panels({index: stills[index].name for index in shown})
    for index, still in enumerate(stills):
        with bench.watched(section, still.name, "scoring"):
            pictures = list(pictures_of(still.path))
            found = {name: several[index] for name, several in outcomes.items() if several}
            streams: dict[str, Iterator[Estimate | None]] = {name: BASELINES[name](pictures) for name in baselines}
            streams |= {name: outcome.estimates() for name, outcome in found.items()}
            if FULL in found:
                streams[FULL] = panels.estimates(found[FULL].estimates(), index)
            scores = score_clip(panels.moments(still.moments(), index), streams)
            bench.add(section, still.name, _numbers(scores, {name: one.told() for name, one in found.items()}))
    with bench.watched(section, "stills", "sheet"):
        panels.write(bench.out / "sheets" / f"{section}.png", section)


def look_at(bench: Bench, section: str, name: str, path: Path) -> None:
    """Separate a clip that nobody knows the layers of: what the run says of itself, and a sheet."""
    found = bench.ours(section, name, [path], FULL)
    if not found:
        return
    with bench.watched(section, name, "sheet"):
        count = sum(1 for _ in pictures_of(path))
        panels = Panels(_chosen(count) if bench.sheets else {})
        levels = []
        for _, estimate in zip(panels.given(pictures_of(path)), panels.estimates(found[0].estimates()), strict=True):
            levels.append(float(estimate.reflection.mean()))
        bench.add(section, name, {FULL: {"r_mean": fmean(levels)} | found[0].told()}, frames=count)
        panels.write(bench.out / "sheets" / f"{section}-{name}.png", name)


def _chosen(count: int) -> dict[int, str]:
    return {index: f"frame {index}" for index in chosen_frames(count, SHOWN)}


def _numbers(scores: dict[str, ClipScore], told: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Over all frames that a variant has; and, to stand beside ``single``, those that it has."""
    return {
        name: score.whole.as_dict() | {"shared": score.sampled.as_dict()} | told.get(name, {})
        for name, score in scores.items()
    }


def _timed(stream: Iterator[Estimate], seconds: list[float]) -> Iterator[Estimate]:
    while True:
        begun = time.perf_counter()
        estimate = next(stream, None)
        if estimate is None:
            return
        seconds.append(time.perf_counter() - begun)
        yield estimate


def _by_frame(outcomes: dict[int, Outcome], frames: int) -> Iterator[Estimate | None]:
    for index in range(frames):
        yield next(outcomes[index].estimates()) if index in outcomes else None
