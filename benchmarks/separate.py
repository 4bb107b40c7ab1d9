"""Separation measured: ``python -m benchmarks.separate --help``.

Reflections are laid over clean clips by the forward model, these are decomposed in processes of their own as a user
would, and the layers that the user would have got are scored. Beside them stand the input as it is (``input``), a grey
taken off (``minus``), the mean of the frames around along the motion (``mean``) and the full method on single frames
(``single``). Nothing is chosen by the ground truth.

=======  ================================================================  ===========================================
still    DAVIS sequences behind a pane that reflects something at rest     PSNR, AC-PSNR, SSIM, leaks, swaps, time
moving   the same behind a pane that reflects another sequence             the same
triples  stills with both of their layers                                  the same
clear    DAVIS sequences without a pane, which must stay                   PSNR against the input
real     a real clip through a window, no truth                            contact sheet
=======  ================================================================  ===========================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.asking import add_run_options, facts_of, names, results_file, run_options, some_of
from benchmarks.davis import DataError
from benchmarks.once import ROOT, RunAll, all_in_own_process
from benchmarks.reflection_bench import OURS, USUAL, Bench
from benchmarks.reflection_sections import SECTIONS, Ask
from benchmarks.reflection_table import judge, render_losses, render_section, render_targets

__all__ = ["main"]

FRAMES = 40


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, 2 where there is no data."""
    given = _parse(argv)
    ask = Ask(given.data, given.clips, given.frames, given.variants)
    try:
        steps = [step for name in given.sections for step in SECTIONS[name](ask)]
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    bench = Bench(out=given.out, options=run_options(given, "separate"), run=run, sheets=given.sheets)
    everything = set(given.sections) == set(SECTIONS) and set(given.variants) >= set(USUAL)
    whole = everything and given.clips is None and given.frames == FRAMES
    results = results_file(given, "separate", is_whole=whole, root=ROOT)
    told = facts_of(given) | {"variants": given.variants}
    return bench.carry_out(steps, results, told, renders=(render_section, render_targets, render_losses), judge=judge)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.separate", description="Removal of reflections.")
    parser.add_argument("--sections", type=some_of(SECTIONS), default=list(SECTIONS), metavar="A,B", help="(all)")
    parser.add_argument("--clips", type=names, metavar="A,B", help="only these scenes (all)")
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N", help="of each mixture (%(default)s)")
    parser.add_argument(
        "--variants",
        type=some_of(OURS),
        default=list(USUAL),
        metavar="A,B",
        help=f"of {', '.join(OURS)} ({','.join(USUAL)})",
    )
    add_run_options(parser, "separate", folder=ROOT / "bench-out" / "separate")
    given = parser.parse_args(argv)
    if given.frames < 3:
        parser.error("--frames: at least 3")
    return given


if __name__ == "__main__":
    sys.exit(main())
