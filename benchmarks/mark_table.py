"""The tables that a measurement of mark removal prints, its targets, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.mark_score import IDEAL, INPAINT, INPUT, OURS
from benchmarks.table import Look, Rival, Row, cell, compare, mean_of, measured, render_grid

__all__ = ["COLUMNS", "TARGETS", "Target", "judge", "render_losses", "render_section", "render_targets"]

MOVES_PX = 1.0
"""From this motion a frame on, the scene counts as moving."""
PSNR = "psnr_inside_db"


@dataclass(frozen=True)
class Column:
    """One number: its title, where it stands, and how it is printed."""

    title: str
    look: Look
    form: str


@dataclass(frozen=True)
class Target:
    """What a number of ours has to reach: ``each`` input, or their mean; at least, or (``at_most``) at most.

    ``among``: only these rows count.
    """

    title: str
    key: str
    bound: float
    form: str = ".2f"
    at_most: bool = False
    each: bool = False
    among: Callable[[Row], bool] = lambda row: True

    def look(self, row: Row) -> float | None:
        """The number of a row."""
        return measured(OURS, self.key)(row)

    def kept(self, value: float) -> bool:
        """Whether a number is good enough."""
        return value <= self.bound if self.at_most else value >= self.bound


def _warnings(row: Row) -> float | None:
    told = row["variants"].get(OURS)
    return None if told is None else float(len(told.get("warnings", ())))


def _moves(row: Row) -> bool:
    return (row.get("motion_px") or 0) >= MOVES_PX


INSIDE = tuple(Column(f"{name} dB", measured(name, PSNR), ".2f") for name in (INPUT, INPAINT, IDEAL, OURS))
RUN = (
    Column("s/frame", measured(OURS, "seconds_per_frame"), ".2f"),
    Column("recomp dB", measured(OURS, "recomposition_psnr_db"), ".1f"),
    Column("warnings", _warnings, ".1f"),
)
MARKED = (
    Column("coded dB", measured(INPUT, "psnr_coding_db"), ".1f"),
    *INSIDE,
    Column("outside dB", measured(OURS, "psnr_outside_db"), ".1f"),
    Column("recoded dB", measured(INPUT, "psnr_outside_db"), ".1f"),
    Column("a MAE", measured(OURS, "alpha_mae"), ".3f"),
    Column("a IoU", measured(OURS, "alpha_iou"), ".2f"),
    Column("found", measured(OURS, "found"), ".2f"),
    *RUN,
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "translucent": MARKED,
    "opaque": (Column("motion px", lambda row: row.get("motion_px"), ".2f"), *MARKED),
    "sets": MARKED,
    "single": MARKED,
    "unmarked": (
        Column("changed dB", measured(OURS, "changed_db"), ".1f"),
        Column("recoded dB", measured(INPUT, "changed_db"), ".1f"),
        Column("warned", measured(OURS, "warned"), ".2f"),
        *RUN,
    ),
}

FOUND = Target("found", "found", 1, each=True)
OUTSIDE = Target("PSNR outside in dB", "psnr_outside_db", 50, ".1f", each=True)
LOST = Target(
    "PSNR outside lost beyond that of recoding the input, in dB", "outside_lost_db", 0.5, at_most=True, each=True
)
ABOVE = Target("PSNR inside above that of inpainting, in dB", "above_inpaint_db", 0)
SECONDS = Target("seconds a frame", "seconds_per_frame", 1, at_most=True)

TARGETS: Mapping[str, tuple[Target, ...]] = {
    "translucent": (Target("PSNR inside in dB", PSNR, 34), OUTSIDE, LOST, FOUND, SECONDS),
    "opaque": (
        Target(f"PSNR inside in dB where the scene moves {MOVES_PX:g} px or more", PSNR, 28, among=_moves),
        OUTSIDE,
        LOST,
        FOUND,
        SECONDS,
    ),
    "sets": (Target("PSNR inside in dB", PSNR, 32), OUTSIDE, FOUND),
    "single": (Target("PSNR inside in dB", PSNR, 28), ABOVE, OUTSIDE, FOUND),
    "unmarked": (SECONDS,),
}


def render_section(section: str, rows: Sequence[Row]) -> str:
    """A line for each input, then the means over those that have a value."""
    columns = COLUMNS[section]
    lines = [[section, *(column.title for column in columns)]]
    lines += [[row["input"], *(cell(column.look(row), column.form) for column in columns)] for row in rows]
    lines.append(["mean", *(cell(mean_of(column.look, rows), column.form) for column in columns)])
    return render_grid(lines)


def judge(section: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every target of a section as plain data: bound, mean, whether it is met, and the inputs that are not up to it.

    One that no row has a number for is left out.
    """
    verdicts = []
    for target in TARGETS[section]:
        values = {row["input"]: value for row in rows if target.among(row) and (value := target.look(row)) is not None}
        if values:
            mean = sum(values.values()) / len(values)
            short = {name: value for name, value in values.items() if not target.kept(value)}
            verdicts.append(
                {
                    "title": target.title,
                    "bound": target.bound,
                    "at_most": target.at_most,
                    "of": "each" if target.each else "mean",
                    "mean": round(mean, 4),
                    "met": not short if target.each else target.kept(mean),
                    "inputs": len(values),
                    "short": short,
                }
            )
    return verdicts


def render_targets(section: str, rows: Sequence[Row]) -> str:
    """A line for each target: what was reached beside it, and every input that falls short of it."""
    forms = {target.title: target.form for target in TARGETS[section]}
    lines = []
    for found in judge(section, rows):
        form = forms[found["title"]]
        asked = f"{found['title']}, {found['of']} {'at most' if found['at_most'] else 'at least'} {found['bound']:g}"
        text = f"{asked}: mean {found['mean']:{form}}, {'met' if found['met'] else 'MISSED'}"
        if found["short"]:
            names = ", ".join(f"{name} ({value:{form}})" for name, value in found["short"].items())
            text += f"; short of it are {len(found['short'])} of {found['inputs']}: {names}"
        lines.append(text)
    return "\n".join([f"{section}: targets", *lines]) if lines else ""


def render_losses(section: str, rows: Sequence[Row]) -> str:
    """A line for each rival: by how much it is beaten, and every input where it is not."""
    rivals = [Rival(f"PSNR inside of {name}", measured(OURS, PSNR), measured(name, PSNR)) for name in (INPUT, INPAINT)]
    told = [line for rival in rivals if (line := compare(rival, rows, "input"))]
    return "\n".join([f"{section}: differences of {OURS}, + is better:", *told]) if told else ""
