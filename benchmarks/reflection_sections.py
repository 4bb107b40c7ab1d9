"""What a measurement of separation consists of: each section takes its material from the data folder and measures it.

A section is looked up first, which fails where data is missing, and measured later, one step an input.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks.davis import DataError, DavisSequence, load_sequences, read_frame
from benchmarks.material import files, needed, write_png
from benchmarks.mixtures import MOVING, STILL, Moment, Pair, fitted, mixed, moving_reflection, still_reflection
from benchmarks.reflection_baselines import BASELINES, INPUT, MINUS
from benchmarks.reflection_bench import FULL, Bench
from benchmarks.reflection_clips import Clip, look_at, measure_clip, measure_stills
from ddvideo.arrays import ByteArray

__all__ = ["SECTIONS", "Ask", "Step"]

CLIP_PX = (640, 360)
"""Width and height of a clip."""
CLEAR_FRAMES = 24
ON_STILLS = ("uncoupled", FULL)
"""What is not the same on a still."""


@dataclass(frozen=True)
class Ask:
    """Which material: the data folder, only these scenes (None: all), so many frames of each; what is run on it."""

    data: Path
    clips: Sequence[str] | None
    frames: int
    variants: Sequence[str]


Step: TypeAlias = Callable[[Bench], None]
"""Measures one input."""
Moments: TypeAlias = Callable[[], Iterable[Moment]]


def still(ask: Ask) -> list[Step]:
    """Scenes behind glass that reflects something at rest."""
    steps: list[Step] = []
    for pair in _asked(ask, STILL):
        scene = _sequence(ask, pair.scene, ask.frames)
        picture = needed(ask.data / "images" / pair.mirrored)
        steps.append(partial(_mixture, ask, "still", pair.name, partial(_over_picture, scene, picture, pair.seed)))
    return steps


def moving(ask: Ask) -> list[Step]:
    """Scenes behind glass that reflects another moving scene."""
    steps: list[Step] = []
    for pair in _asked(ask, MOVING):
        scene = _sequence(ask, pair.scene, ask.frames)
        mirrored = _sequence(ask, pair.mirrored, len(scene.frames))
        if len(mirrored.frames) < len(scene.frames):
            raise DataError(f"{pair.mirrored} has fewer frames than {pair.scene}, in which it is to be reflected")
        steps.append(partial(_mixture, ask, "moving", pair.name, partial(_over_sequence, scene, mirrored)))
    return steps


def triples(ask: Ask) -> list[Step]:
    """Stills with both of their layers."""
    folder = ask.data / "reflection" / "images"
    stills = []
    for path in files(folder, "*_mixture.png"):
        number = path.stem.partition("_")[0]
        layers = [needed(folder / f"{number}_{name}.png") for name in ("transmission", "reflection")]
        stills.append(Clip(number, path, partial(_read_moment, path, *layers)))
    return [partial(_triples, ask, stills)]


def clear(ask: Ask) -> list[Step]:
    """Scenes without a pane, which must stay as they are."""
    frames = min(CLEAR_FRAMES, ask.frames)
    sequences = load_sequences(ask.data / "davis", ask.clips, limit=frames, masks=False)
    return [partial(_clear, sequence) for sequence in sequences] if FULL in ask.variants else []


def real(ask: Ask) -> list[Step]:
    """A real scene behind glass, which nobody knows the layers of: what does it look like."""
    path = needed(ask.data / "reflection" / "real_video" / "glass_400x512.mp4")
    return [lambda bench: look_at(bench, "real", "glass", path)] if FULL in ask.variants else []


SECTIONS: Mapping[str, Callable[[Ask], list[Step]]] = {
    section.__name__: section for section in (still, moving, triples, clear, real)
}


def _mixture(ask: Ask, section: str, name: str, moments: Moments, bench: Bench) -> None:
    with bench.watched(section, name, "mixture"):
        clip = _written(bench, section, name, moments)
        measure_clip(bench, section, clip, variants=ask.variants, baselines=list(BASELINES), sheet=True)


def _triples(ask: Ask, stills: Sequence[Clip], bench: Bench) -> None:
    variants = [variant for variant in ask.variants if variant in ON_STILLS]
    measure_stills(bench, "triples", stills, variants=variants, baselines=[INPUT, MINUS])


def _clear(sequence: DavisSequence, bench: Bench) -> None:
    with bench.watched("clear", sequence.name, "clip"):
        clip = _written(bench, "clear", sequence.name, partial(_without, sequence))
        measure_clip(bench, "clear", clip, variants=[FULL], baselines=[], sheet=False)


def _written(bench: Bench, section: str, name: str, moments: Moments) -> Clip:
    """The clip as a folder of numbered frames, without any loss."""
    folder = bench.out / section / "inputs" / name
    shutil.rmtree(folder, ignore_errors=True)
    for index, moment in enumerate(moments()):
        write_png(folder / f"{index:06d}.png", moment.mixture)
    return Clip(name, folder, moments)


def _over_picture(scene: DavisSequence, picture: Path, seed: int) -> Iterator[Moment]:
    reflections = still_reflection(read_frame(picture), seed, len(scene.frames), *CLIP_PX)
    yield from map(mixed, _frames(scene), reflections)


def _over_sequence(scene: DavisSequence, mirrored: DavisSequence) -> Iterator[Moment]:
    yield from map(mixed, _frames(scene), moving_reflection(_frames(mirrored)))


def _without(scene: DavisSequence) -> Iterator[Moment]:
    for frame in _frames(scene):
        yield Moment(frame, frame, np.zeros_like(frame))


def _read_moment(*paths: Path) -> Iterator[Moment]:
    yield Moment(*map(read_frame, paths))


def _frames(sequence: DavisSequence) -> Iterator[ByteArray]:
    for path in sequence.frames:
        yield fitted(read_frame(path), *CLIP_PX)


def _asked(ask: Ask, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs with one of the scenes.

    Raises:
        DataError: there is no such scene.
    """
    if ask.clips is None:
        return list(pairs)
    load_sequences(ask.data / "davis", ask.clips, masks=False)
    return [pair for pair in pairs if pair.scene in ask.clips]


def _sequence(ask: Ask, name: str, frames: int) -> DavisSequence:
    return load_sequences(ask.data / "davis", [name], limit=frames, masks=False)[0]
