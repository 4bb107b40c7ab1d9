"""What the numbers of a measurement have to reach, and whether they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.table import Look, Row

__all__ = ["Target", "judge", "render_targets"]


@dataclass(frozen=True)
class Target:
    """What a number has to reach: that of ``each`` input, or their mean; at least, or (``at_most``) at most.

    ``among``: only these rows count.
    """

    title: str
    look: Look
    bound: float
    form: str = ".2f"
    at_most: bool = False
    each: bool = False
    among: Callable[[Row], bool] = lambda row: True

    def kept(self, value: float) -> bool:
        """Whether a number is good enough."""
        return value <= self.bound if self.at_most else value >= self.bound

    def verdict(self, rows: Sequence[Row]) -> dict[str, Any] | None:
        """Bound, mean, whether it is met, and the inputs that are not up to it; None where no row has a number."""
        values = {row["input"]: value for row in rows if self.among(row) and (value := self.look(row)) is not None}
        if not values:
            return None
        mean = fmean(values.values())
        short = {name: value for name, value in values.items() if not self.kept(value)}
        return {
            "title": self.title,
            "bound": self.bound,
            "at_most": self.at_most,
            "of": "each" if self.each else "mean",
            "mean": round(mean, 4),
            "met": not short if self.each else self.kept(mean),
            "inputs": len(values),
            "short": short,
        }

    def told(self, found: dict[str, Any]) -> str:
        """A verdict in one line: what was reached, and every input that falls short of it."""
        asked = f"{self.title}, {found['of']} {'at most' if self.at_most else 'at least'} {self.bound:g}"
        text = f"{asked}: mean {found['mean']:{self.form}}, {'met' if found['met'] else 'MISSED'}"
        if found["short"]:
            names = ", ".join(f"{name} ({value:{self.form}})" for name, value in found["short"].items())
            text += f"; short of it are {len(found['short'])} of {found['inputs']}: {names}"
        return text


def judge(targets: Sequence[Target], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The verdict on every target that a row has a number for, as plain data."""
    return [found for target in targets if (found := target.verdict(rows))]


def render_targets(section: str, targets: Sequence[Target], rows: Sequence[Row]) -> str:
    """A line for each target that a row has a number for."""
    lines = [target.told(found) for target in targets if (found := target.verdict(rows))]
    return "\n".join([f"{section}: targets", *lines]) if lines else ""
