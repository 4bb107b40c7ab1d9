"""What a measurement of mark removal consists of: each section takes its material from the data folder and measures it.

A section is looked up first, which fails where data is missing, and measured later, one step an input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.davis import CRF, DataError, DavisSequence, load_sequences, read_frame, write_clip
from benchmarks.mark_bench import Bench, Marked, measure_clean, measure_marked
from benchmarks.mark_cases import OPAQUE, STILLS, TRANSLUCENT, Case, in_threes, translucent_cases
from benchmarks.marks import compose, grown_box, make_mark
from benchmarks.material import files, is_coloured, write_png
from ddvideo.arrays import ByteArray

__all__ = ["SECTIONS", "Ask", "Step"]

CLIP_PX = (640, 360)
"""Width and height of a clip."""
CROP_PX = 320
"""Both sides of a picture of a set."""
BOX_MARGIN_PX = 8


@dataclass(frozen=True)
class Ask:
    """Which material: the data folder, only these sequences and so many frames of each (None: all), every case.

    Clips are handed over as H.264 of the quality ``crf``.
    """

    data: Path
    sequences: Sequence[str] | None = None
    frames: int | None = None
    all_cases: bool = False
    crf: int = CRF


Step: TypeAlias = Callable[[Bench], None]
"""Measures one input."""


def video(ask: Ask) -> list[Step]:
    """Clips with a mark over them: a translucent one, or one that hides what lies under it."""
    sequences = _sequences(ask)
    rotation = translucent_cases([sequence.name for sequence in _sequences(Ask(ask.data))])
    height, width = CLIP_PX[::-1]
    for kind, strength in (*TRANSLUCENT, *OPAQUE):
        make_mark(kind, strength, ask.data, height, width)
    steps: list[Step] = []
    for sequence in sequences:
        for case in TRANSLUCENT if ask.all_cases else rotation[sequence.name]:
            steps.append(partial(_video, ask, "translucent", sequence, case))
        steps += [partial(_video, ask, "opaque", sequence, case) for case in OPAQUE]
    return steps


def sets(ask: Ask) -> list[Step]:
    """Three pictures with one mark at one place."""
    pictures = [path for path in _pictures(ask.data) if min(read_frame(path).shape[:2]) >= CROP_PX]
    if len(pictures) < 3:
        raise DataError(f"{ask.data} has {len(pictures)} pictures of {CROP_PX} pixels or more a side; a set takes 3")
    steps: list[Step] = []
    for number, three in enumerate(in_threes(pictures), 1):
        for case in STILLS:
            make_mark(*case, ask.data, CROP_PX, CROP_PX)
            steps.append(partial(_set, ask.data, f"set{number}", three, case))
    return steps


def single(ask: Ask) -> list[Step]:
    """Pictures with a mark each, and a crude box around it."""
    steps: list[Step] = []
    for index, path in enumerate(_pictures(ask.data)):
        case = STILLS[index % len(STILLS)]
        make_mark(*case, ask.data, *read_frame(path).shape[:2])
        steps.append(partial(_single, ask.data, path, case))
    return steps


def unmarked(ask: Ask) -> list[Step]:
    """Clips without a mark, which must stay as they are."""
    return [partial(_unmarked, sequence, ask.crf) for sequence in _sequences(ask)]


SECTIONS: Mapping[str, Callable[[Ask], list[Step]]] = {
    section.__name__: section for section in (video, sets, single, unmarked)
}


def _video(ask: Ask, section: str, sequence: DavisSequence, case: Case, bench: Bench) -> None:
    mark = make_mark(*case, ask.data, CLIP_PX[1], CLIP_PX[0])
    name = f"{sequence.name}-{mark.name}"
    with bench.watched(section, name, "mark"):
        clip = bench.out / section / "inputs" / f"{name}.mp4"
        write_clip(clip, (compose(frame, mark) for frame in _frames(sequence)), crf=ask.crf)
        measure_marked(
            bench, section, Marked(name, (clip,), partial(_frames, sequence), mark), motion=section == "opaque"
        )


def _set(data: Path, name: str, pictures: Sequence[Path], case: Case, bench: Bench) -> None:
    mark = make_mark(*case, data, CROP_PX, CROP_PX)
    name = f"{name}-{mark.name}"
    with bench.watched("sets", name, "mark"):
        crops = [_middle(read_frame(path)) for path in pictures]
        folder = bench.out / "sets" / "inputs" / name
        paths = [
            write_png(folder / f"{path.stem}.png", compose(crop, mark))
            for path, crop in zip(pictures, crops, strict=True)
        ]
        measure_marked(bench, "sets", Marked(name, tuple(paths), lambda: crops, mark))


def _single(data: Path, picture: Path, case: Case, bench: Bench) -> None:
    clean = read_frame(picture)
    mark = make_mark(*case, data, *clean.shape[:2])
    name = f"{picture.stem}-{mark.name}"
    with bench.watched("single", name, "mark"):
        path = write_png(bench.out / "single" / "inputs" / f"{name}.png", compose(clean, mark))
        box = ("box", list(grown_box(mark, BOX_MARGIN_PX)))
        measure_marked(bench, "single", Marked(name, (path,), lambda: [clean], mark, (box,)))


def _unmarked(sequence: DavisSequence, crf: int, bench: Bench) -> None:
    with bench.watched("unmarked", sequence.name, "clip"):
        clip = write_clip(bench.out / "unmarked" / "inputs" / f"{sequence.name}.mp4", _frames(sequence), crf=crf)
        measure_clean(bench, "unmarked", sequence.name, clip)


def _sequences(ask: Ask) -> list[DavisSequence]:
    return load_sequences(ask.data / "davis", ask.sequences, limit=ask.frames, masks=False)


def _frames(sequence: DavisSequence) -> Iterable[ByteArray]:
    for path in sequence.frames:
        yield np.asarray(cv2.resize(read_frame(path), CLIP_PX, interpolation=cv2.INTER_AREA), np.uint8)


def _pictures(data: Path) -> list[Path]:
    """Colour photographs; brick, grass and gravel, all grey, are no such thing."""
    found = files(data / "images", "*.png", "*.jpg") + files(data / "watermark" / "pairs" / "text_mark", "image*.png")
    return [path for path in found if is_coloured(path)]


def _middle(picture: ByteArray) -> ByteArray:
    top, left = ((size - CROP_PX) // 2 for size in picture.shape[:2])
    return picture[top : top + CROP_PX, left : left + CROP_PX]
