"""Segmentation of rendered scenes that are hard in a way of their own: ``python -m benchmarks.robustness --help``.

Every scene of ``benchmarks.robust_scenes`` is written as H.264, decomposed in a process of its own as a user would, and
the ``alpha.mp4`` that the user would have got is scored against the exact masks: J and F of ``alpha > 0.5``, first and
last frame left out. A scene that ends all background or all foreground has to say so: without a warning, the exit code
is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.asking import add_run_options, facts_of, results_file, run_options, some_of
from benchmarks.davis import write_clip
from benchmarks.once import ROOT, RunAll, all_in_own_process
from benchmarks.outcome import Outcome
from benchmarks.record import Record
from benchmarks.robust_scenes import FRAMES, HEIGHT_PX, SCENES, WIDTH_PX, make_scene, mask_of
from benchmarks.score import score_alphas
from benchmarks.sheets import chosen_frames, small_picture, stack_sheet, write_sheet
from benchmarks.table import Row
from benchmarks.variant_table import Column, render_variants
from ddvideo.arrays import BoolArray, ByteArray, FloatArray

__all__ = ["EMPTY", "FULL", "Bench", "main", "silent_failure"]

FOUND = "full"
SECTION = "robustness"
EMPTY, FULL = 2e-4, 0.9
"""A mean share of foreground below or above is no answer to any of the scenes."""
COLUMNS = (
    Column("J", "j", ".3f", True),
    Column("F", "f", ".3f", True),
    Column("flicker", "alpha_flicker", ".4f", False),
    Column("share %", "share_percent", ".2f"),
    Column("true share %", "true_share_percent", ".2f"),
    Column("warnings", "warned", ".0f"),
    Column("s/frame", "seconds_per_frame", ".2f"),
)


def silent_failure(told: Mapping[str, Any]) -> str:
    """What is wrong with a matte that is all background or all foreground, and no warning says so; else nothing.

    Args:
        told: ``share_percent`` of the pixels with alpha > 0.5, and the run's ``warnings``.
    """
    share = told["share_percent"] / 100
    if told["warnings"] or EMPTY <= share <= FULL:
        return ""
    return f"{share:.2%} of it is foreground, and no warning says so"


class Bench(Record):
    """What has been measured so far, and the lines of its contact sheet."""

    order = (FOUND,)

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.lines: list[tuple[str, list[ByteArray]]] = []

    def measure(self, name: str, size: Mapping[str, int], clips: Path) -> None:
        """Render a scene (``frames``, ``width``, ``height``), decompose it, and score what came of it."""
        with self.watched(SECTION, name, "scene"):
            frames, masks = _render(name, size)
            clip = write_clip(clips / f"{name}.mp4", frames)
            for folder in self.decomposed(SECTION, name, FOUND, [clip], self.options):
                outcome = Outcome(folder)
                alphas: list[FloatArray] = []
                score = score_alphas(_kept(outcome.layer("alpha"), alphas), iter(masks))
                told = outcome.told() | {
                    "j": fmean(score.j),
                    "f": fmean(score.f),
                    "share_percent": 100 * fmean(float((alpha > 0.5).mean()) for alpha in alphas),
                    "true_share_percent": 100 * fmean(float(mask.mean()) for mask in masks),
                }
                told |= {"warned": len(told["warnings"]), "silent_failure": silent_failure(told)}
                self.add(SECTION, name, {FOUND: told}, frames=len(frames))
                for warning in told["warnings"]:
                    print(f"  {warning}", flush=True)
                if self.sheets:
                    self._sheet(name, told, frames, alphas)

    def _sheet(self, name: str, told: Mapping[str, Any], frames: list[ByteArray], alphas: list[FloatArray]) -> None:
        title = f"{name}: J {told['j']:.3f}, F {told['f']:.3f}"
        shown = [
            small_picture(np.asarray(picture, np.float32))
            for index in chosen_frames(len(frames), columns=3)
            for picture in (frames[index] / 255, alphas[index])
        ]
        self.lines.append((title, shown))
        write_sheet(self.out / "sheets" / "robustness.png", stack_sheet(self.lines))


def main(argv: Sequence[str] | None = None, run: RunAll = all_in_own_process) -> int:
    """Measure and print; returns the exit code: 1 where something failed, or ended empty or full without a warning."""
    given = _parse(argv)
    size = {"frames": given.frames or FRAMES, "width": given.width, "height": given.height}
    whole = given.scenes == list(SCENES) and size == {"frames": FRAMES, "width": WIDTH_PX, "height": HEIGHT_PX}
    if given.json is None and whole and not given.overrides:
        given.json = ROOT / "benchmarks" / "results" / "robustness.json"
    results = results_file(given, SECTION, is_whole=whole, root=ROOT)
    bench = Bench(out=given.out, options=run_options(given, "segment"), run=run, sheets=given.sheets)
    with tempfile.TemporaryDirectory() as clips:
        steps = [_step(name, size, Path(clips)) for name in given.scenes]
        told = facts_of(given) | {"size": size}
        code = bench.carry_out(steps, results, told, renders=(_table, _verdict), judge=_judge)
    return 1 if any(_judge(*section)["silent_failures"] for section in bench.rows.items()) else code


def _step(name: str, size: Mapping[str, int], clips: Path) -> Callable[[Bench], None]:
    return lambda bench: bench.measure(name, size, clips)


def _render(name: str, size: Mapping[str, int]) -> tuple[list[ByteArray], list[BoolArray]]:
    scene = make_scene(name, **size)
    frames, masks = [], []
    for index in range(scene.frames):
        layers = scene.layers(index)
        frames.append(np.asarray(np.rint(255 * scene.compose(layers)), np.uint8))
        masks.append(mask_of(layers))
    return frames, masks


def _kept(alphas: Iterator[FloatArray], kept: list[FloatArray]) -> Iterator[FloatArray]:
    for alpha in alphas:
        kept.append(alpha)
        yield alpha


def _table(section: str, rows: Sequence[Row]) -> str:
    return render_variants(section, COLUMNS, (FOUND,), rows)


def _verdict(section: str, rows: Sequence[Row]) -> str:
    silent = _judge(section, rows)["silent_failures"]
    lines = [f"SILENT FAILURE {name}: {reason}" for name, reason in silent.items()]
    return "\n".join(lines or ["no scene ends empty or full without a warning"])


def _judge(section: str, rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    told = {row["input"]: row["variants"][FOUND]["silent_failure"] for row in rows if FOUND in row["variants"]}
    return {"silent_failures": {name: reason for name, reason in told.items() if reason}}


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description="Scenes that are hard.")
    parser.add_argument(
        "--scenes", type=some_of(SCENES), default=list(SCENES), metavar="A,B", help=f"({','.join(SCENES)})"
    )
    parser.add_argument("--frames", type=int, metavar="N", help=f"length of each ({FRAMES})")
    parser.add_argument("--width", type=int, default=WIDTH_PX, help="pixels, even (%(default)s)")
    parser.add_argument("--height", type=int, default=HEIGHT_PX, help="pixels, even (%(default)s)")
    add_run_options(parser, SECTION, folder=ROOT / "bench-out" / SECTION, has_data=False)
    given = parser.parse_args(argv)
    if given.frames is not None and given.frames < 3:
        parser.error("--frames: at least 3, for the first and the last are not counted")
    if given.width % 2 or given.height % 2 or min(given.width, given.height) < 64:
        parser.error("--width, --height: even, and 64 or more")
    return given


if __name__ == "__main__":
    sys.exit(main())
