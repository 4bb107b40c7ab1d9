"""Dehazing measured: ``python -m benchmarks.dehaze --help``.

Pictures and clips are decomposed in processes of their own as a user would, and the layers that the user would have got
are scored, beside the input as it is and the dark channel prior on every frame. Nothing is chosen by the ground truth.
``seeds`` is the same run with the coupled networks switched off, ``per-frame`` is the full method on single frames.

========  ==============================================================  ==============================================
indoor    rendered haze in real rooms                                     PSNR, SSIM
depth     a picture hazed by its measured depth                           the same, transmission map, airlight
clips     DAVIS sequences, hazed                                          the same, steadiness along the true motion
clear     pictures and clips without haze, which must stay                PSNR against the input
airlight  real photographs with known airlight                            its error
real      a real drive through haze, no truth                             steadiness, contact sheet
========  ==============================================================  ==============================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.asking import add_run_options, facts_of, names, results_file, run_options, some_of
from benchmarks.davis import DataError
from benchmarks.haze_bench import OURS, Bench
from benchmarks.haze_sections import SECTIONS, Ask
from benchmarks.haze_table import render_losses, render_section
from benchmarks.once import ROOT, RunAll, all_in_own_process

__all__ = ["main"]

FRAMES = 40


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, 2 where there is no data."""
    given = _parse(argv)
    try:
        jobs = [SECTIONS[name](Ask(given.data, given.clips, given.frames)) for name in given.sections]
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    options = run_options(given, "dehaze")
    bench = Bench(out=given.out, options=options, variants=given.variants, run=run, sheets=given.sheets)
    everything = set(given.sections) == set(SECTIONS) and set(given.variants) == set(OURS)
    whole = everything and given.clips is None and given.frames == FRAMES
    results = results_file(given, "dehaze", is_whole=whole, root=ROOT)
    return bench.carry_out(jobs, results, facts_of(given), renders=(render_section, render_losses))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dehaze", description="Dehazing of stills and clips.")
    parser.add_argument("--sections", type=some_of(SECTIONS), default=list(SECTIONS), metavar="A,B", help="(all)")
    parser.add_argument("--clips", type=names, metavar="A,B", help="only these sequences (all)")
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N", help="of each hazed sequence (%(default)s)")
    parser.add_argument("--variants", type=some_of(OURS), default=list(OURS), metavar="A,B", help="of ours (all)")
    add_run_options(parser, "dehaze", folder=ROOT / "bench-out" / "dehaze")
    given = parser.parse_args(argv)
    if given.frames < 3:
        parser.error("--frames: at least 3")
    return given


if __name__ == "__main__":
    sys.exit(main())
