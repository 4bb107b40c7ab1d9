"""Measuring sequences one after the other: decompose, score, keep the numbers, draw the sheets."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.davis import DataError, DavisSequence, write_clip
from benchmarks.once import Run, RunAll, RunError, RunOptions, Variant, all_in_own_process, read_report
from benchmarks.score import TRUTH, Score, ScoreError, score_sequence
from benchmarks.sheets import make_panels, stack_sheet, write_sheet
from benchmarks.single_frames import PER_FRAME, segment_frames
from benchmarks.table import render_comparison, render_shared, render_table, spread
from ddvideo.arrays import ByteArray
from ddvideo.errors import DDVideoError

__all__ = ["FAILURES", "Bench"]

REPORTED = ("seconds_per_frame", "peak_rss_mib", "timings_seconds", "warnings")
SUMMED = ("j", "f", "flicker", "seconds_per_frame", "recomposition_psnr_db", "peak_rss_mib")
FAILURES = (RunError, DataError, ScoreError, DDVideoError, OSError)
"""What one sequence may fail with, so that the rest goes on."""


class Bench:
    """What has been measured so far.

    With ``per_frame``, the first so many frames of every sequence are also segmented one by one (``run_all``), and
    every variant is told on these frames as well (``shared``).
    """

    def __init__(
        self,
        *,
        out: Path,
        options: RunOptions,
        variants: Sequence[Variant],
        published: Mapping[str, Mapping[str, float]],
        run: Run,
        sheets: bool,
        per_frame: int = 0,
        run_all: RunAll = all_in_own_process,
    ) -> None:
        self.out, self.options, self.variants, self.run, self.sheets = out, options, variants, run, sheets
        self.published, self.per_frame, self.run_all = published, per_frame, run_all
        self.rows: list[dict[str, Any]] = []
        self.failures: list[dict[str, str]] = []
        self.settings: dict[str, Any] = {}
        self.overview: list[tuple[str, list[ByteArray]]] = []

    def measure(self, sequence: DavisSequence) -> None:
        """Decompose and score one sequence in every variant; a failure is named and remembered."""
        try:
            clip = write_clip(self.out / "clips" / f"{sequence.name}.mp4", sequence.frames)
        except FAILURES as error:
            self._failed(sequence, "clip", error)
            return
        folders: dict[Variant, Path] = {}
        for variant in self.variants:
            try:
                folders[variant] = self.run(clip, self.out / variant, replace(self.options, variant=variant))
            except FAILURES as error:
                self._failed(sequence, variant, error)
        if not folders:
            return
        try:
            scores = score_sequence(clip, sequence, {name: folder / "alpha.mp4" for name, folder in folders.items()})
            reports = {name: read_report(folder) for name, folder in folders.items()}
        except FAILURES as error:
            self._failed(sequence, "scoring", error)
            return
        self._keep(sequence, scores, reports)
        if self.per_frame:
            try:
                self._frame_by_frame(sequence, clip, folders)
            except FAILURES as error:
                self._failed(sequence, PER_FRAME, error)
        if self.sheets and self.variants[0] in folders:
            try:
                self._sheet(sequence, folders, scores)
            except FAILURES as error:
                self._failed(sequence, "sheet", error)

    def _keep(
        self, sequence: DavisSequence, scores: Mapping[str, Score], reports: Mapping[Variant, Mapping[str, Any]]
    ) -> None:
        variants = {}
        for name, report in reports.items():
            self.settings.setdefault(name, {key: report[key] for key in ("recipe", "device", "threads")})
            variants[name] = _variant(scores[name], report)
            measured = "J {j:.3f}, F {f:.3f}, {seconds_per_frame:.2f} s/frame".format(**variants[name])
            print(f"{sequence.name} {name}: {measured}", flush=True)
        published = {
            method: values[sequence.name] for method, values in self.published.items() if sequence.name in values
        }
        self.rows.append(
            {
                "sequence": sequence.name,
                "frames": len(sequence.frames),
                "truth_flicker": round(fmean(scores[TRUTH].flicker), 6),
                "variants": variants,
                "published_j": published,
            }
        )

    def _frame_by_frame(self, sequence: DavisSequence, clip: Path, folders: Mapping[Variant, Path]) -> None:
        """Segment the first frames one by one, and measure every variant on these."""
        frames = min(self.per_frame, len(sequence.frames))
        matte, told = segment_frames(clip, self.out / PER_FRAME, self.options, self.run_all, frames=frames)
        alphas = {PER_FRAME: matte} | {name: folder / "alpha.mp4" for name, folder in folders.items()}
        scores = score_sequence(clip, sequence, alphas, frames=frames)
        row = self.rows[-1]
        row["variants"][PER_FRAME] = told
        for name in alphas:
            row["variants"][name]["shared"] = scores[name].as_dict()
        row["shared"] = {"frames": frames, "truth_flicker": round(fmean(scores[TRUTH].flicker), 6)}
        measured = "J {j:.3f}, F {f:.3f}, flicker {flicker:.4f}".format(**row["variants"][PER_FRAME]["shared"])
        print(f"{sequence.name} {PER_FRAME}: {measured} over the first {frames} frames", flush=True)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "settings": self.settings,
            "summary": {
                name: spread([row["variants"].get(name, {}) for row in self.rows], SUMMED) for name in self.variants
            },
            "published_mean_j": {
                method: round(fmean(values), 4)
                for method in self.published
                if (values := [row["published_j"][method] for row in self.rows if method in row["published_j"]])
            },
            "sequences": self.rows,
            "failures": self.failures,
        }

    def tell(self) -> None:
        """Print the table, the losses and what failed; write the overview sheet, a line a sequence."""
        if self.overview:
            write_sheet(self.out / "sheets" / "overview.png", stack_sheet(self.overview))
        if self.rows:
            main = self.variants[0]
            parts = [render(self.rows, main) for render in (render_table, render_comparison, render_shared)]
            print("\n" + "\n\n".join(part for part in parts if part))
        for failure in self.failures:
            print(f"FAILED {failure['sequence']} ({failure['what']}): {failure['reason']}")

    def _failed(self, sequence: DavisSequence, what: str, error: Exception) -> None:
        self.failures.append({"sequence": sequence.name, "what": what, "reason": str(error)})
        print(f"benchmark: {sequence.name}: {what} failed: {error}", file=sys.stderr, flush=True)

    def _sheet(self, sequence: DavisSequence, folders: Mapping[Variant, Path], scores: Mapping[str, Score]) -> None:
        main = self.variants[0]
        layers = {name: folders[main] / f"{name}.mp4" for name in ("alpha", "foreground", "background")}
        seeds = folders["seeds"] / "alpha.mp4" if main != "seeds" and "seeds" in folders else None
        panels = make_panels(sequence, layers, seeds)
        title = f"{sequence.name}: J {fmean(scores[main].j):.3f}, F {fmean(scores[main].f):.3f}"
        rows = [(title if name == "input" else name, pictures) for name, pictures in panels.items()]
        write_sheet(self.out / "sheets" / f"{sequence.name}.png", stack_sheet(rows))
        self.overview.append((title, [pictures[len(pictures) // 2] for pictures in panels.values()]))


def _variant(score: Score, report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **score.as_dict(),
        **report["quality"],
        **{key: report[key] for key in REPORTED},
        "shots": len(report["shots"]),
        "chunk_frames": [chunk["stop"] - chunk["start"] for chunk in report["chunks"]],
    }
