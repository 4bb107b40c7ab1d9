"""Mark removal measured: ``python -m benchmarks.dewatermark --help``.

Marks are laid over clean clips and pictures by the forward model, these are decomposed in processes of their own as a
user would, and the layers that the user would have got are scored. Beside them stand the input as it is, OpenCV's
inpainting in the true mask (which nobody has), and the true mark taken off. Nothing is chosen by the ground truth.

========  ==========================================================  ==================================================
video     DAVIS sequences: translucent marks, and such as hide all    PSNR inside and outside, alpha, time
sets      three pictures with one mark, taken together                the same
single    a picture and a crude box around its mark                   the same
unmarked  DAVIS sequences without a mark, which must stay             PSNR against the input, warnings
========  ==========================================================  ==================================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.asking import add_run_options, facts_of, names, results_file, run_options, some_of
from benchmarks.davis import CRF, DataError
from benchmarks.mark_bench import Bench
from benchmarks.mark_sections import SECTIONS, Ask
from benchmarks.mark_table import judge, render_losses, render_section, render_targets
from benchmarks.once import ROOT, RunAll, all_in_own_process

__all__ = ["main"]


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, 2 where there is no data."""
    given = _parse(argv)
    ask = Ask(given.data, given.sequences, given.frames, given.all_cases, given.crf)
    try:
        steps = [step for name in given.only for step in SECTIONS[name](ask)]
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    bench = Bench(out=given.out, options=run_options(given, "dewatermark"), run=run, sheets=given.sheets)
    everything = set(given.only) == set(SECTIONS) and not given.all_cases and given.crf == CRF
    whole = everything and given.sequences is None and given.frames is None
    results = results_file(given, "dewatermark", is_whole=whole, root=ROOT)
    told = facts_of(given) | {"all_cases": given.all_cases, "crf": given.crf}
    return bench.carry_out(steps, results, told, renders=(render_section, render_targets, render_losses), judge=judge)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dewatermark", description="Removal of marks.")
    parser.add_argument("--only", type=some_of(SECTIONS), default=list(SECTIONS), metavar="A,B", help="sections (all)")
    parser.add_argument("--sequences", type=names, metavar="A,B", help="only these (all)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each sequence (all)")
    parser.add_argument("--all-cases", action="store_true", help="every translucent mark on every sequence, not two")
    parser.add_argument(
        "--crf",
        type=int,
        default=CRF,
        metavar="N",
        help="quality of the H.264 in which clips are handed over, 0 (lossless but for 4:2:0) to 51 (%(default)s)",
    )
    add_run_options(parser, "dewatermark", folder=ROOT / "bench-out" / "dewatermark")
    given = parser.parse_args(argv)
    if given.frames is not None and given.frames < 3:
        parser.error("--frames: at least 3")
    if not 0 <= given.crf <= 51:
        parser.error("--crf: 0 to 51")
    return given


if __name__ == "__main__":
    sys.exit(main())
