"""Marked clips, sets and pictures, measured: decomposed as a user would, scored beside what needs no decomposition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mark_score import IDEAL, INPAINT, INPUT, OURS, Found, Moment, Pooled, scene_motion, score_removal
from benchmarks.mark_sheet import Panels
from benchmarks.marks import Mark
from benchmarks.material import pictures_of, unit
from benchmarks.outcome import Outcome
from benchmarks.recode import recoded
from benchmarks.record import Record
from benchmarks.score import ScoreError
from benchmarks.sheets import chosen_frames
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.media import probe

__all__ = ["Bench", "Marked", "measure_clean", "measure_marked"]

SHOWN = 2
"""So many frames of a clip are on its sheet."""


@dataclass(frozen=True)
class Marked:
    """What is decomposed, and what is known of it: a reader of the pictures before the mark was laid over them.

    Several ``paths`` are images that go together; ``overrides`` are options of the task for this one.
    """

    name: str
    paths: tuple[Path, ...]
    clean: Callable[[], Iterable[ByteArray]]
    mark: Mark
    overrides: tuple[tuple[str, Any], ...] = ()

    def given(self) -> Iterator[ByteArray]:
        """The pictures as every method gets them."""
        return chain.from_iterable(map(pictures_of, self.paths))


class Bench(Record):
    """What has been measured so far, by section."""

    order = (INPUT, INPAINT, IDEAL, OURS)

    def ours(
        self, section: str, name: str, paths: tuple[Path, ...], overrides: tuple[tuple[str, Any], ...] = ()
    ) -> Outcome | None:
        """Decompose one input; None where that failed, which is named and remembered."""
        options = replace(self.options, together=len(paths) > 1, overrides=(*self.options.overrides, *overrides))
        folders = self.decomposed(section, name, OURS, paths, options)
        return Outcome(folders[0]) if folders else None


def measure_marked(bench: Bench, section: str, marked: Marked, *, motion: bool = False, **facts: Any) -> None:
    """Take the mark off one input and score it beside the input, inpainting and the true mark.

    Of a clip, ``psnr_outside_db`` of the input tells what writing it as a layer costs, and ``outside_lost_db`` how much
    more than that is lost.

    Args:
        bench: where it goes.
        section: under which name.
        marked: what is decomposed, and the truth.
        motion: tell also how far the scene moves under the mark.
        facts: what else is told of it.
    """
    outcome = bench.ours(section, marked.name, marked.paths, marked.overrides)
    with bench.watched(section, marked.name, "scoring"):
        count = sum(1 for _ in marked.given())
        shown = chosen_frames(count, SHOWN) if len(marked.paths) == 1 else range(count)
        panels = Panels(shown, marked.mark)
        told = score_removal(panels.watch(_moments(marked, outcome, count)), marked.mark)
        if outcome is not None:
            told[OURS] |= outcome.told()
        if probe(marked.paths[0]).kind == "video":
            floor_db = _recoding_db(bench, section, marked.name, marked.paths[0], marked.mark.outside)
            told[INPUT]["psnr_outside_db"] = floor_db
            if outcome is not None:
                told[OURS]["outside_lost_db"] = floor_db - told[OURS]["psnr_outside_db"]
        if motion:
            facts["motion_px"] = scene_motion(marked.clean(), marked.mark.inside)
        bench.add(section, marked.name, told, mark=marked.mark.name, frames=count, **facts)
        if bench.sheets:
            panels.write(bench.out / "sheets" / f"{section}-{marked.name}.png", marked.name)


def measure_clean(bench: Bench, section: str, name: str, clip: Path) -> None:
    """Decompose a clip without a mark, which must stay as it is."""
    outcome = bench.ours(section, name, (clip,))
    if outcome is None:
        return
    with bench.watched(section, name, "scoring"):
        told = outcome.told()
        info = probe(clip)
        everywhere = np.ones((info.height, info.width), np.bool_)
        changed_db = _change_db(clip, outcome.layer("clean"), everywhere)
        floor_db = _recoding_db(bench, section, name, clip, everywhere)
        ours = {"changed_db": changed_db, "changed_lost_db": floor_db - changed_db, "warned": bool(told["warnings"])}
        bench.add(section, name, {INPUT: {"changed_db": floor_db}, OURS: ours | told})


def _moments(marked: Marked, outcome: Outcome | None, count: int) -> Iterator[Moment]:
    found: Iterable[Found | None] = repeat(None, count) if outcome is None else _found(outcome)
    for given, clean, made in _abreast(marked.given(), marked.clean(), found):
        yield Moment(given, clean, made)


def _found(outcome: Outcome) -> Iterator[Found]:
    for clean, mark, alpha in _abreast(*(outcome.layer(name) for name in ("clean", "mark", "alpha"))):
        yield Found(clean[..., :3], mark[..., :3], alpha)


def _recoding_db(bench: Bench, section: str, name: str, clip: Path, where: BoolArray) -> float:
    """How near to a clip its own frames come, written as a layer."""
    again = recoded(clip, bench.out / section / "recoded" / f"{name}.mp4")
    return _change_db(clip, map(unit, pictures_of(again)), where)


def _change_db(clip: Path, results: Iterable[FloatArray], where: BoolArray) -> float:
    """PSNR of pictures against those of a clip, in a part of them ``(H, W)``."""
    change = Pooled()
    for given, result in _abreast(pictures_of(clip), results):
        change.add(result[..., :3], unit(given), where)
    return change.psnr_db


def _abreast(*streams: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    try:
        yield from zip(*streams, strict=True)
    except ValueError as error:
        raise ScoreError(f"a result has another number of frames than the input ({error})") from error
