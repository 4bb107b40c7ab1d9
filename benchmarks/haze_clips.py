"""Dehazing of clips, measured: what stills are measured for, and whether the result is steady."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.dark_channel import dark_channel_prior
from benchmarks.haze_bench import DARK_CHANNEL, IDEAL, PER_FRAME, Bench, Ours, Outcome
from benchmarks.haze_score import INPUT, SAMPLED, START, UNKNOWN, ClipScore, Estimate, Truth, score_clip, summary
from benchmarks.material import pictures_of, unit, write_png
from benchmarks.outcome import told_together
from benchmarks.sheets import chosen_frames, small_picture, stack_sheet, write_sheet
from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.compositing import settle_haze

__all__ = ["Clip", "measure_clip"]

Streams = dict[str, Iterator[Estimate | None]]


@dataclass(frozen=True)
class Clip:
    """A video or a folder of frames to dehaze, and what is known of it: a reader of the clear frames, its haze."""

    name: str
    path: Path
    clear: Callable[[], Iterable[ByteArray]] | None = None
    truth: Truth = UNKNOWN


def measure_clip(bench: Bench, section: str, clip: Clip, *, variants: Sequence[Ours], columns: int = 0) -> None:
    """Dehaze and score one clip by the dark channel prior on every frame and in every variant.

    Where its haze is known, ``ideal`` tells what the true map and airlight make of the same frames.

    Args:
        bench: where it goes.
        section: under which name.
        clip: what is decomposed, and the truth.
        variants: of ours.
        columns: so many frames are shown on a sheet; none is drawn for 0.
    """
    with bench.watched(section, clip.name, "scoring"):
        frames = sum(1 for _ in pictures_of(clip.path))
        outcomes: dict[str, dict[int, Outcome]] = {}
        for variant in variants:
            if variant == PER_FRAME:
                stills = _write_frames(clip, bench.out / section / "frames" / clip.name)
                found = bench.ours(section, clip.name, list(stills.values()), variant)
                chosen = list(stills)
            else:
                found, chosen = bench.ours(section, clip.name, [clip.path], variant), [0]
            if found:
                outcomes[variant] = dict(zip(chosen, found, strict=True))
        panels = _Panels(chosen_frames(frames, columns) if columns and bench.sheets else [])
        seconds: list[float] = []
        streams: Streams = {DARK_CHANNEL: _by_dark_channel(clip, seconds)}
        for name, found_by_frame in outcomes.items():
            streams[name] = _by_frame(found_by_frame, frames) if name == PER_FRAME else found_by_frame[0].estimates()
        shown: Streams = {name: panels.watch(name, stream) for name, stream in streams.items()}
        clear = None if clip.clear is None else panels.watch_pictures("truth", clip.clear())
        pictures = panels.watch_pictures(INPUT, pictures_of(clip.path))
        if clip.truth.through is not None and clip.truth.airlight is not None:
            shown[IDEAL] = _by_truth(clip, clip.truth.through, clip.truth.airlight)
        scores = score_clip(pictures, clear, clip.truth, shown)
        told: dict[str, dict[str, Any]] = {INPUT: {}, IDEAL: {}, DARK_CHANNEL: {"seconds_per_frame": median(seconds)}}
        told |= {name: told_together(list(found_by_frame.values())) for name, found_by_frame in outcomes.items()}
        bench.add(section, clip.name, {name: _numbers(name, scores) | told[name] for name in scores})
        panels.write(bench.out / "sheets" / f"{section}-{clip.name}.png", clip.name)


def _numbers(name: str, scores: dict[str, ClipScore]) -> dict[str, Any]:
    """All frames; and, to stand beside ``per-frame``, those that it has."""
    shared = summary(scores[name], scores[INPUT], every=SAMPLED, start=START)
    return (shared if name == PER_FRAME else summary(scores[name], scores[INPUT])) | {"shared": shared}


def _write_frames(clip: Clip, folder: Path) -> dict[int, Path]:
    """Every 8th frame and the first six as PNG, by their number."""
    files = {}
    for index, picture in enumerate(pictures_of(clip.path)):
        if index % SAMPLED == 0 or index < START:
            files[index] = write_png(folder / f"{index:05d}.png", picture)
    return files


def _by_dark_channel(clip: Clip, seconds: list[float]) -> Iterator[Estimate]:
    for picture in pictures_of(clip.path):
        begun = time.perf_counter()
        found = dark_channel_prior(unit(picture))
        seconds.append(time.perf_counter() - begun)
        yield found


def _by_truth(clip: Clip, through: FloatArray, airlight: Sequence[float]) -> Iterator[Estimate]:
    haze = {"transmission_map": through[..., None], "airlight": np.asarray(airlight, np.float32)[None, None]}
    for picture in pictures_of(clip.path):
        hazy = unit(picture)
        yield Estimate(settle_haze(hazy, haze | {"radiance": hazy})["radiance"])


def _by_frame(outcomes: dict[int, Outcome], frames: int) -> Iterator[Estimate | None]:
    for index in range(frames):
        yield next(outcomes[index].estimates()) if index in outcomes else None


class _Panels:
    """Small pictures of chosen frames, taken from the streams on their way to the scores."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = indices
        self.rows: dict[str, list[ByteArray]] = {}

    def watch(self, name: str, stream: Iterator[Estimate | None]) -> Iterator[Estimate | None]:
        """Hand a variant's estimates on; of the chosen ones, radiance and transmission map are kept."""
        for index, estimate in enumerate(stream):
            if index in self.indices and estimate is not None:
                self._keep(name, estimate.radiance)
                if estimate.through is not None:
                    self._keep(f"t of {name}", estimate.through)
            yield estimate

    def watch_pictures(self, name: str, pictures: Iterable[ByteArray]) -> Iterator[ByteArray]:
        """Hand pictures on and keep the chosen ones."""
        for index, picture in enumerate(pictures):
            if index in self.indices:
                self._keep(name, unit(picture))
            yield picture

    def write(self, path: Path, title: str) -> None:
        """Draw the sheet: a line a variant, then the truth, then the transmission maps."""
        rows = {name: pictures for name, pictures in self.rows.items() if len(pictures) == len(self.indices)}
        order = sorted(rows, key=lambda name: (name.startswith("t of "), name == "truth", name != INPUT))
        if order:
            write_sheet(path, stack_sheet([(f"{title}: {name}", rows[name]) for name in order]))

    def _keep(self, name: str, picture: FloatArray) -> None:
        self.rows.setdefault(name, []).append(small_picture(picture))
