"""The table of a measurement of several variants, a line for each input and variant, and where the main one loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.table import Rival, Row, cell, compare, mean_of, measured, render_grid, shared

__all__ = ["Column", "compare_variants", "render_variants", "shared"]


@dataclass(frozen=True)
class Column:
    """One number: its title and key, how it is printed, and whether more is better (None: neither)."""

    title: str
    key: str
    form: str
    larger_is_better: bool | None = None


def render_variants(section: str, columns: Sequence[Column], order: Sequence[str], rows: Sequence[Row]) -> str:
    """A line for each input and variant, then the means of each variant over the inputs that have a value."""
    variants = [variant for variant in order if any(variant in row["variants"] for row in rows)]
    lines = [[section, "variant", *(column.title for column in columns)]]
    for row in rows:
        for variant in (name for name in variants if name in row["variants"]):
            numbers = [cell(measured(variant, column.key)(row), column.form) for column in columns]
            if set(numbers) != {cell(None, "")}:
                lines.append([row["input"], variant, *numbers])
    shown = [variant for variant in variants if any(line[1] == variant for line in lines[1:])]
    for variant in shown:
        means = [cell(mean_of(measured(variant, column.key), rows), column.form) for column in columns]
        lines.append(["mean", variant, *means])
    return render_grid(lines, names=2, foot=len(shown))


def compare_variants(
    columns: Sequence[Column], rivals: Sequence[str], rows: Sequence[Row], *, main: str, partly: str
) -> list[str]:
    """A line for each number and rival: by how much it is beaten, and every input where it is not.

    Args:
        columns: what is compared, where more or less is better.
        rivals: variants.
        rows: the measurement.
        main: the variant that is compared to them.
        partly: the rival that has only some frames; it is compared on those.
    """
    lines = []
    for column in columns:
        if column.larger_is_better is not None:
            for rival in rivals:
                look = shared if rival == partly else measured
                ours, theirs = look(main, column.key), look(rival, column.key)
                told = Rival(f"{column.title} of {rival}", ours, theirs, column.larger_is_better)
                lines.append(compare(told, rows, "input"))
    return [line for line in lines if line]
