"""Segmentation of single images measured: ``python -m benchmarks.images --help``.

Every eighth frame of the DAVIS sequences, first and last left out, is an image of its own; it is decomposed as a user
would, and ``alpha > 0.5`` is scored. Nothing is chosen by the ground truth, which cuts out the close-ups and scores.

========  ==========================================================================================================
whole     the frame as it is: the object is small, and much else stands out
close     twice the object's box: one object before a background, as one takes a picture of it
========  ==========================================================================================================

``seeds`` is without the coupled networks. These take so long that only some images are fitted (``full``); ``some`` are
the seeds of the same ones. The baselines are told in ``benchmarks/image_cases.py``; the published trained network had
the whole frames.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

from benchmarks.asking import add_run_options, facts_of, names, results_file, run_options, some_of
from benchmarks.davis import DataError, DavisSequence, load_published, load_sequences
from benchmarks.image_cases import BASELINES, SECTIONS, Case, baselines, cases_of
from benchmarks.material import unit, write_png
from benchmarks.once import ROOT, RunAll, RunOptions, all_in_own_process
from benchmarks.outcome import Outcome, told_together
from benchmarks.record import Record
from benchmarks.sheets import small_picture, stack_sheet, write_sheet
from benchmarks.table import Row, mean_of
from benchmarks.variant_table import Column, compare_variants, render_variants
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.metrics import boundary_f, jaccard

__all__ = ["main"]

FITTED_STEP = 8
COLUMNS = (
    Column("J", "j", ".3f", True),
    Column("F", "f", ".3f", True),
    Column("images", "images", ".0f"),
    Column("s/image", "seconds_per_frame", ".1f"),
    Column("recomp dB", "recomposition_psnr_db", ".1f"),
)


class Bench(Record):
    """What has been measured so far, by section."""

    order = (*BASELINES, "seeds", "some", "full")


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, 2 where there is no data."""
    given = _parse(argv)
    try:
        sequences = load_sequences(given.data / "davis", given.sequences, limit=given.frames)
        published = load_published(given.data / "davis").get("u2netp", {})
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    bench = Bench(out=given.out, options=run_options(given, "segment"), run=run, sheets=given.sheets)
    jobs: list[Callable[[Record], None]] = [
        partial(_measure, section=section, sequence=sequence, every=given.fit_every, published=published)
        for section in given.sections
        for sequence in sequences
    ]
    is_whole = given.sequences is None and given.frames is None and set(given.sections) == set(SECTIONS)
    results = results_file(given, "images", is_whole=is_whole and given.fit_every == FITTED_STEP, root=ROOT)
    told = facts_of(given) | {"fit_every": given.fit_every}
    return bench.carry_out(jobs, results, told, renders=(_render_table, _render_differences))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description="Segmentation of single images.")
    parser.add_argument("--sections", type=some_of(SECTIONS), default=list(SECTIONS), metavar="A,B", help="(all)")
    parser.add_argument("--sequences", type=names, metavar="A,B", help="only these (all)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each sequence (all)")
    parser.add_argument(
        "--fit-every", type=int, default=FITTED_STEP, metavar="N", help="image is fitted; 0: none (%(default)s)"
    )
    add_run_options(parser, "images", folder=ROOT / "bench-out" / "images")
    return parser.parse_args(argv)


def _measure(
    bench: Record, *, section: str, sequence: DavisSequence, every: int, published: Mapping[str, float]
) -> None:
    cases = list(cases_of(sequence, section))
    if not cases:
        return
    folder = bench.out / "inputs" / section
    paths = [write_png(folder / f"{case.name}.png", case.picture) for case in cases]
    some = list(range(0, len(cases), every)) if every else []
    mattes: dict[str, dict[int, FloatArray]] = {name: {} for name in BASELINES}
    for index, case in enumerate(cases):
        for name, matte in baselines(case.picture).items():
            mattes[name][index] = matte
    ran: dict[str, dict[str, Any]] = {}
    asked: tuple[tuple[str, RunOptions, list[int]], ...] = (
        ("seeds", replace(bench.options, variant="seeds"), list(range(len(cases)))),
        ("full", bench.options, some),
    )
    for variant, options, chosen in asked:
        folders = (
            bench.decomposed(section, sequence.name, variant, [paths[k] for k in chosen], options) if chosen else []
        )
        if folders:
            outcomes = [Outcome(found) for found in folders]
            mattes[variant] = {k: next(iter(found.layer("alpha"))) for k, found in zip(chosen, outcomes, strict=True)}
            ran[variant] = told_together(outcomes)
    if "seeds" in mattes and some:
        mattes["some"] = {k: mattes["seeds"][k] for k in some}
    scores = {name: _score(found, cases) | ran.get(name, {}) for name, found in mattes.items() if found}
    facts = {"u2netp_j": published[sequence.name]} if section == "whole" and sequence.name in published else {}
    bench.add(section, sequence.name, scores, **facts)
    if bench.sheets:
        with bench.watched(section, sequence.name, "sheet"):
            lines = [
                (_caption(case, mattes, k), _panels(case, mattes, k))
                for k, case in enumerate(cases)
                if k % FITTED_STEP == 0
            ]
            write_sheet(bench.out / "sheets" / f"{section}-{sequence.name}.png", stack_sheet(lines))


def _score(mattes: Mapping[int, FloatArray], cases: Sequence[Case]) -> dict[str, Any]:
    found: list[tuple[BoolArray, BoolArray]] = [(matte > 0.5, cases[k].mask) for k, matte in mattes.items()]
    return {
        "j": fmean(jaccard(predicted, mask) for predicted, mask in found),
        "f": fmean(boundary_f(predicted, mask) for predicted, mask in found),
        "images": len(found),
    }


def _shown(mattes: Mapping[str, Mapping[int, FloatArray]], k: int) -> dict[str, FloatArray]:
    return {name: mattes[name][k] for name in ("walk", "seeds", "full") if k in mattes.get(name, {})}


def _caption(case: Case, mattes: Mapping[str, Mapping[int, FloatArray]], k: int) -> str:
    return f"{case.name}: image, {', '.join(_shown(mattes, k))}, truth"


def _panels(case: Case, mattes: Mapping[str, Mapping[int, FloatArray]], k: int) -> list[ByteArray]:
    maps = [*_shown(mattes, k).values(), case.mask.astype("float32")]
    return [small_picture(picture) for picture in (unit(case.picture), *maps)]


def _render_table(section: str, rows: Sequence[Row]) -> str:
    text = render_variants(section, COLUMNS, Bench.order, rows)
    network = mean_of(lambda row: row.get("u2netp_j"), rows)
    return text if network is None else f"{text}\nJ of u2netp, a trained network, on these frames: mean {network:.3f}"


def _render_differences(section: str, rows: Sequence[Row]) -> str:
    lines = compare_variants(COLUMNS, BASELINES, rows, main="seeds", partly="")
    fit = compare_variants(COLUMNS, ["some"], rows, main="full", partly="")
    return "\n".join([f"{section}: differences of seeds, then of full, + is better:", *lines, *fit])


if __name__ == "__main__":
    sys.exit(main())
