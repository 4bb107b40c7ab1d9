"""Segmentation measured on DAVIS-2016: ``make bench``, or ``python -m benchmarks.segment --help``.

Every sequence is written as a video, decomposed in a process of its own as a user would, and the ``alpha.mp4`` that the
user would have got is scored: J and F of ``alpha > 0.5``, first and last frame left out, the mean a sequence and then
over sequences; flicker is the mean change of alpha along the optical flow. Nothing is chosen by the ground truth.
``seeds`` is the same run with the coupled networks switched off: what they add is the difference. ``--per-frame`` adds
single frames, each segmented as a picture of its own: what they flicker more is what knowing the others is worth.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.davis import DataError, load_published, load_sequences
from benchmarks.length import length_check
from benchmarks.measure import FAILURES, Bench
from benchmarks.once import ROOT, VARIANTS, Run, RunAll, RunOptions, Variant, all_in_own_process, in_own_process
from benchmarks.provenance import provenance
from ddvideo.config import PRESETS
from ddvideo.store import write_json

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, run: Run = in_own_process, run_all: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where a sequence failed, 2 where there is no data."""
    given = _parse(argv)
    try:
        names = [given.length_check] if given.length_check else given.sequences
        sequences = load_sequences(given.data, names, limit=given.frames)
        published = load_published(given.data)
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    options = RunOptions(preset=given.preset, seed=given.seed, device=given.device)
    if given.length_check:
        try:
            return length_check(sequences[0], given.out, options, run)
        except FAILURES as error:
            print(f"benchmark: {given.length_check}: {error}", file=sys.stderr)
            return 1
    variants: tuple[Variant, ...] = VARIANTS if given.variant == "both" else (given.variant,)
    # What is kept in the repository are whole measurements; a part of one does not take their place.
    whole = given.sequences is None and given.frames is None and given.variant == "both"
    folder = ROOT / "benchmarks" / "results" if whole else given.out
    results = given.json or folder / f"segment-{given.preset}.json"
    bench = Bench(
        out=given.out,
        options=options,
        variants=variants,
        published=published,
        run=run,
        sheets=given.sheets,
        per_frame=given.per_frame,
        run_all=run_all,
    )
    told = provenance() | {"seed": given.seed, "preset": given.preset, "frames_limit": given.frames}
    results.parent.mkdir(parents=True, exist_ok=True)
    for sequence in sequences:
        bench.measure(sequence)
        write_json(results, told | bench.as_dict())
    bench.tell()
    if given.frames is not None and published:
        print("The published numbers are those of the whole sequences, not of their first frames.")
    print(f"\nnumbers: {results}\nlayers and sheets: {given.out}")
    return 1 if bench.failures else 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segment", description="Segmentation on DAVIS-2016.")
    data = ROOT.parent / "shared" / "data" / "davis"
    parser.add_argument("--data", type=Path, default=data, help="frames/SEQ/*.jpg and masks/SEQ/*.png (%(default)s)")
    parser.add_argument("--sequences", type=lambda text: text.split(","), metavar="A,B", help="only these (all)")
    parser.add_argument("--preset", choices=PRESETS, default="balanced", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="(%(default)s)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each sequence (all)")
    parser.add_argument("--variant", choices=(*VARIANTS, "both"), default="both", help="(%(default)s)")
    parser.add_argument(
        "--per-frame",
        type=int,
        default=0,
        metavar="N",
        help="also the first N frames of each sequence one by one, as pictures of their own; slow (none)",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out" / "segment", help="clips, layers, sheets")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="numbers (benchmarks/results/segment-PRESET.json; for a part, in --out)",
    )
    parser.add_argument("--sheets", action=argparse.BooleanOptionalAction, default=True, help="contact sheets")
    parser.add_argument("--length-check", metavar="SEQ", help="instead: memory and speed of SEQ, once and fourfold")
    given = parser.parse_args(argv)
    if given.frames is not None and given.frames < 3:
        parser.error("--frames: at least 3, for the first and the last are not counted")
    if given.per_frame < 0 or 0 < given.per_frame < 3:
        parser.error("--per-frame: at least 3, for the first and the last are not counted")
    return given


if __name__ == "__main__":
    sys.exit(main())
