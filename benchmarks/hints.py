"""Segmentation with hints of a single frame, measured on DAVIS-2016: ``python -m benchmarks.hints --help``.

Every sequence is decomposed as it is (``none``), with the true mask of its first frame as ``--fg-hint`` (``mask``), and
with the box around that mask as ``--box`` (``box``), which a user could have given as well. J and F are those of
``benchmarks.segment``: the first frame, which the hint is of, does not count, nor does the last.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import targets
from benchmarks.asking import add_run_options, facts_of, names, results_file, run_options, some_of
from benchmarks.davis import DataError, DavisSequence, load_sequences, read_mask, write_clip
from benchmarks.once import ROOT, RunAll, all_in_own_process
from benchmarks.outcome import Outcome
from benchmarks.record import Record
from benchmarks.score import score_sequence
from benchmarks.table import Look, Row, measured
from benchmarks.targets import Target
from benchmarks.variant_table import Column, compare_variants, render_variants
from ddvideo.arrays import BoolArray

__all__ = ["VARIANTS", "Bench", "main"]

NONE = "none"
VARIANTS = (NONE, "mask", "box")
COLUMNS = (
    Column("J", "j", ".3f", True),
    Column("F", "f", ".3f", True),
    Column("flicker", "flicker", ".4f"),
    Column("s/frame", "seconds_per_frame", ".2f"),
    Column("recomp dB", "recomposition_psnr_db", ".1f"),
)


def _above(variant: str) -> Look:
    """By how much J is larger with a hint than without."""

    def look(row: Row) -> float | None:
        ours, theirs = measured(variant, "j")(row), measured(NONE, "j")(row)
        return None if ours is None or theirs is None else ours - theirs

    return look


TARGETS = tuple(Target(f"J gained by the {name}", _above(name), 0, form=".3f") for name in VARIANTS if name != NONE)


class Bench(Record):
    """What has been measured so far."""

    order = VARIANTS

    def measure(self, sequence: DavisSequence, variants: Sequence[str]) -> None:
        """Decompose a sequence with every kind of hint, and score what came of it."""
        with self.watched("davis", sequence.name, "clip"):
            clip = write_clip(self.out / "clips" / f"{sequence.name}.mp4", sequence.frames)
            hints = _hints(sequence, self.out / "hints")
            folders: dict[str, Path] = {}
            for variant in variants:
                options = replace(self.options, overrides=(*self.options.overrides, *hints[variant]))
                for folder in self.decomposed("davis", sequence.name, variant, [clip], options):
                    folders[variant] = folder
            scores = score_sequence(clip, sequence, {name: folder / "alpha.mp4" for name, folder in folders.items()})
            told = {name: scores[name].as_dict() | Outcome(folder).told() for name, folder in folders.items()}
            self.add("davis", sequence.name, told, frames=len(sequence.frames))


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, 2 where there is no data."""
    given = _parse(argv)
    try:
        sequences = load_sequences(given.data / "davis", given.clips, limit=given.frames)
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    bench = Bench(out=given.out, options=run_options(given, "segment"), run=run)
    whole = given.clips is None and given.frames is None and given.variants == list(VARIANTS)
    results = results_file(given, "hints", is_whole=whole, root=ROOT)
    steps = [_step(sequence, given.variants) for sequence in sequences]
    told = facts_of(given) | {"variants": given.variants}
    return bench.carry_out(steps, results, told, renders=(_table, _verdicts, _losses), judge=_judge)


def _step(sequence: DavisSequence, variants: Sequence[str]) -> Callable[[Bench], None]:
    return lambda bench: bench.measure(sequence, variants)


def _hints(sequence: DavisSequence, folder: Path) -> dict[str, tuple[tuple[str, Any], ...]]:
    """Options of the task for each variant; the mask is written into ``folder``."""
    mask = read_mask(sequence.masks[0])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.resolve() / f"{sequence.name}.png"
    if not cv2.imwrite(str(path), np.where(mask, 255, 0).astype(np.uint8)):
        raise DataError(f"{path} cannot be written")
    return {NONE: (), "mask": (("fg_hint", {"path": str(path)}),), "box": (("box", _box(mask)),)}


def _box(mask: BoolArray) -> list[int]:
    """Left, top, width and height."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def _table(section: str, rows: Sequence[Row]) -> str:
    return render_variants(section, COLUMNS, VARIANTS, rows)


def _verdicts(section: str, rows: Sequence[Row]) -> str:
    return targets.render_targets(section, TARGETS, rows)


def _losses(section: str, rows: Sequence[Row]) -> str:
    """Where a hint has made something worse."""
    return "\n".join(
        line
        for variant in VARIANTS
        if variant != NONE
        for line in compare_variants(COLUMNS, (NONE,), rows, main=variant, partly="")
    )


def _judge(section: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    return targets.judge(TARGETS, rows)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hints", description="Segmentation with hints.")
    parser.add_argument("--clips", type=names, metavar="A,B", help="only these sequences (all)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each (all)")
    parser.add_argument(
        "--variants", type=some_of(VARIANTS), default=list(VARIANTS), metavar="A,B", help=f"({','.join(VARIANTS)})"
    )
    add_run_options(parser, "hints", folder=ROOT / "bench-out" / "hints")
    given = parser.parse_args(argv)
    if given.frames is not None and given.frames < 3:
        parser.error("--frames: at least 3, for the first and the last are not counted")
    return given


if __name__ == "__main__":
    sys.exit(main())
