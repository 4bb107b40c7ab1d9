"""What a measurement of several variants has found so far, by section and input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

from benchmarks.measure import FAILURES
from benchmarks.once import RunAll, RunOptions, read_report
from benchmarks.table import Row, spread
from ddvideo.store import write_json

__all__ = ["Record"]

Rows: TypeAlias = Sequence[Row]


class Record:
    """What has been measured so far, by section; ``order`` are the variants as they are told."""

    order: ClassVar[Sequence[str]]

    def __init__(self, *, out: Path, options: RunOptions, run: RunAll, sheets: bool = True) -> None:
        self.out, self.options, self.run, self.sheets = out, options, run, sheets
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.failures: list[dict[str, str]] = []
        self.settings: dict[str, Any] = {}

    def decomposed(
        self, section: str, name: str, variant: str, inputs: Sequence[Path], options: RunOptions
    ) -> list[Path]:
        """Decompose inputs in one process; no folder of results where that failed, which is named and remembered."""
        folders: list[Path] = []
        with self.watched(section, name, variant):
            folders = self.run(inputs, self.out / section / variant / name, options)
            report = read_report(folders[0])
            self.settings.setdefault(variant, {key: report[key] for key in ("recipe", "device", "threads")})
        return folders

    def add(self, section: str, name: str, variants: Mapping[str, Mapping[str, Any]], **facts: Any) -> None:
        """Keep what was measured of one input, and what else is known of it, and print that it is done."""
        told = {variant: _rounded(variants[variant]) for variant in self.order if variant in variants}
        self.rows.setdefault(section, []).append({"input": name, **_rounded(facts), "variants": told})
        print(f"{section}: {name} measured ({', '.join(told)})", flush=True)

    @contextmanager
    def watched(self, section: str, name: str, what: str) -> Iterator[None]:
        """Name and remember what fails inside, and go on."""
        try:
            yield
        except FAILURES as error:
            self.failures.append({"section": section, "name": name, "what": what, "reason": str(error)})
            print(f"benchmark: {section}: {name}: {what} failed: {error}", file=sys.stderr, flush=True)

    def carry_out(
        self,
        steps: Sequence[Callable[[Self], None]],
        results: Path,
        told: Mapping[str, Any],
        *,
        renders: Sequence[Callable[[str, Rows], str]],
        judge: Callable[[str, Rows], Any] | None = None,
    ) -> int:
        """Measure step by step, with the numbers written after each, and print what came of it; returns the exit code.

        Args:
            steps: each measures something and adds it.
            results: file of the numbers.
            told: what is kept with them.
            renders: what is printed of a section, in this order; nothing where it is empty.
            judge: what is kept of a section beside its numbers.
        """
        for step in steps:
            step(self)
            targets = (
                {} if judge is None else {"targets": {name: judge(name, rows) for name, rows in self.rows.items()}}
            )
            write_json(results, {**told, **self.as_dict(), **targets})
        for section, rows in self.rows.items():
            parts = [render(section, rows) for render in renders]
            print("\n" + "\n\n".join(part for part in parts if part))
        return self.end(results)

    def end(self, results: Path) -> int:
        """Print what failed and where all lies; returns the exit code."""
        for failure in self.failures:
            print("FAILED {section} {name} ({what}): {reason}".format(**failure))
        print(f"\nnumbers: {results}\nlayers and sheets: {self.out}")
        return 1 if self.failures else 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        sections = {}
        for section, rows in self.rows.items():
            told = {}
            for variant in self.order:
                values = [row["variants"][variant] for row in rows if variant in row["variants"]]
                keys = sorted(
                    {key for value in values for key, number in value.items() if isinstance(number, int | float)}
                )
                if values:
                    told[variant] = spread(values, keys)
            sections[section] = {"summary": told, "rows": rows}
        return {"settings": self.settings, "sections": sections, "failures": self.failures}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, 6) if isinstance(value, float) else _rounded(value) if isinstance(value, dict) else value
        for key, value in values.items()
    }
