"""What a measurement of dehazing consists of: each section takes its material from the data folder and measures it.

A section is looked up first, which fails where data is missing, and measured later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.davis import DataError, DavisSequence, load_sequences, read_frame, write_clip
from benchmarks.haze_bench import Bench, Ours
from benchmarks.haze_clips import Clip, measure_clip
from benchmarks.haze_score import Truth
from benchmarks.haze_stills import Still, measure_stills
from benchmarks.hazing import Haze, at_most, disparity_depth, hazed, hazes_of, ramp_depth, transmission_of
from benchmarks.material import files, is_coloured, needed, pictures_of, write_png
from ddvideo.arrays import ByteArray, FloatArray

__all__ = ["SECTIONS", "Ask", "Job"]

CLEAR_FRAMES = 12
DEPTH_BETAS = (0.8, 1.2, 1.6)
DEPTH_AIRLIGHT = (0.85, 0.87, 0.9)
DEPTH_PX = 1024
SHEET_COLUMNS = 3
REAL_COLUMNS = 5


@dataclass(frozen=True)
class Ask:
    """Which material: the data folder, only these sequences (None: all), so many frames of each."""

    data: Path
    clips: Sequence[str] | None
    frames: int


Job: TypeAlias = Callable[[Bench], None]
"""Measures one section."""


def indoor(ask: Ask) -> Job:
    """Rendered haze in real rooms, which the clear picture is known of."""
    folder = ask.data / "dehaze" / "sots_indoor"
    hazy = files(folder / "hazy", "*_*.png")
    stills = [Still(path.stem, path, needed(folder / "clear" / f"{path.stem.split('_')[0]}.png")) for path in hazy]
    return lambda bench: measure_stills(bench, "indoor", stills, variants=bench.variants, sheet=True)


def depth(ask: Ask) -> Job:
    """Haze by a measured depth map, thin, middling and thick: the transmission map is known too."""
    picture = needed(ask.data / "images" / "motorcycle_left.png")
    disparity = needed(ask.data / "images" / "motorcycle_disp.npz")

    def job(bench: Bench) -> None:
        with bench.watched("depth", picture.stem, "haze"):
            clear = at_most(read_frame(picture), DEPTH_PX)
            with np.load(disparity) as arrays:
                far = _fitted(disparity_depth(arrays["arr_0"]), clear)
            folder = bench.out / "depth" / "inputs"
            truth_file = write_png(folder / "clear" / f"{picture.stem}.png", clear)
            stills = []
            for beta in DEPTH_BETAS:
                through = transmission_of(far, beta)
                name = f"{picture.stem}-{round(100 * beta):03d}"
                hazy = write_png(folder / f"{name}.png", hazed(clear, through, DEPTH_AIRLIGHT))
                stills.append(Still(name, hazy, truth_file, Truth(through, DEPTH_AIRLIGHT)))
            measure_stills(bench, "depth", stills, variants=bench.variants, sheet=True)

    return job


def clips(ask: Ask) -> Job:
    """Real motion in haze that the script puts in: fidelity, the haze, and steadiness along the true motion."""
    hazes = hazes_of([sequence.name for sequence in _sequences(ask.data, None, None)])
    sequences = _sequences(ask.data, ask.clips, ask.frames)

    def job(bench: Bench) -> None:
        for sequence in sequences:
            with bench.watched("clips", sequence.name, "haze"):
                clip = _hazy_clip(bench.out / "clips" / "inputs", sequence, hazes[sequence.name])
                measure_clip(bench, "clips", clip, variants=bench.variants, columns=SHEET_COLUMNS)

    return job


def clear(ask: Ask) -> Job:
    """Pictures and clips without haze, which must stay as they are."""
    pictures = files(ask.data / "dehaze" / "sots_indoor" / "clear", "*.png") + files(ask.data / "images", "*.[jp][pn]g")
    sequences = _sequences(ask.data, ask.clips, CLEAR_FRAMES)

    def job(bench: Bench) -> None:
        stills = [Still(path.stem, path, path) for path in pictures if is_coloured(path)]
        measure_stills(bench, "clear", stills, variants=_whole_only(bench))
        for sequence in sequences:
            with bench.watched("clear", sequence.name, "clip"):
                path = write_clip(bench.out / "clear" / "inputs" / f"{sequence.name}.mp4", sequence.frames)
                same = Clip(sequence.name, path, partial(pictures_of, path))
                measure_clip(bench, "clear", same, variants=_whole_only(bench))

    return job


def airlight(ask: Ask) -> Job:
    """Real hazy photographs with a known airlight."""
    folder = ask.data / "dehaze" / "airlight"
    known = json.loads(needed(folder / "airlight_rgb.json").read_text(encoding="utf-8"))
    photographs = {path.stem: path for path in files(folder, "*.jpg")}
    if missing := sorted(set(known) - set(photographs)):
        raise DataError(f"{folder} has no photograph {', '.join(missing)}")
    stills = [Still(name, photographs[name], truth=Truth(airlight=tuple(rgb))) for name, rgb in known.items()]
    return lambda bench: measure_stills(bench, "airlight", stills, variants=_whole_only(bench), sheet=True)


def real(ask: Ask) -> Job:
    """A drive through real haze, which nobody knows the truth of: is it steady, and what does it look like."""
    folder = ask.data / "dehaze" / "real_video" / "haze"
    files(folder, "*.jpg")
    clip = Clip("haze", folder)
    return lambda bench: measure_clip(bench, "real", clip, variants=_whole_only(bench), columns=REAL_COLUMNS)


SECTIONS: Mapping[str, Callable[[Ask], Job]] = {
    section.__name__: section for section in (indoor, depth, clips, clear, airlight, real)
}


def _hazy_clip(folder: Path, sequence: DavisSequence, haze: Haze) -> Clip:
    height, width = read_frame(sequence.frames[0]).shape[:2]
    through = transmission_of(ramp_depth(sequence.name, height, width), haze.beta)
    hazy = (hazed(read_frame(file), through, haze.airlight) for file in sequence.frames)
    path = write_clip(folder / f"{sequence.name}.mp4", hazy)
    return Clip(sequence.name, path, partial(_read_frames, sequence.frames), Truth(through, haze.airlight))


def _read_frames(paths: Sequence[Path]) -> Iterable[ByteArray]:
    return map(read_frame, paths)


def _whole_only(bench: Bench) -> list[Ours]:
    return [variant for variant in bench.variants if variant == "full"]


def _sequences(data: Path, names: Sequence[str] | None, frames: int | None) -> list[DavisSequence]:
    return load_sequences(data / "davis", names, limit=frames, masks=False)


def _fitted(values: FloatArray, like: ByteArray) -> FloatArray:
    height, width = like.shape[:2]
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA), np.float32)
