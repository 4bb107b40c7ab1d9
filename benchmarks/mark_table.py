"""The tables that a measurement of mark removal prints, its targets, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import targets
from benchmarks.mark_score import IDEAL, INPAINT, INPUT, OURS
from benchmarks.table import Look, Rival, Row, cell, compare, mean_of, measured, render_grid
from benchmarks.targets import Target

__all__ = ["COLUMNS", "TARGETS", "judge", "render_losses", "render_section", "render_targets"]

MOVES_PX = 1.0
"""From this motion a frame on, the scene counts as moving."""
PSNR = "psnr_inside_db"


@dataclass(frozen=True)
class Column:
    """One number: its title, where it stands, and how it is printed."""

    title: str
    look: Look
    form: str


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

FOUND = Target("found", measured(OURS, "found"), 1, each=True)
OUTSIDE = Target("PSNR outside in dB", measured(OURS, "psnr_outside_db"), 50, ".1f", each=True)
LOST = Target(
    "PSNR outside lost beyond that of recoding the input, in dB",
    measured(OURS, "outside_lost_db"),
    0.5,
    at_most=True,
    each=True,
)
ABOVE = Target("PSNR inside above that of inpainting, in dB", measured(OURS, "above_inpaint_db"), 0)
SECONDS = Target("seconds a frame", measured(OURS, "seconds_per_frame"), 1, at_most=True)

TARGETS: Mapping[str, tuple[Target, ...]] = {
    "translucent": (Target("PSNR inside in dB", measured(OURS, PSNR), 34), OUTSIDE, LOST, FOUND, SECONDS),
    "opaque": (
        Target(
            f"PSNR inside in dB where the scene moves {MOVES_PX:g} px or more", measured(OURS, PSNR), 28, among=_moves
        ),
        OUTSIDE,
        LOST,
        FOUND,
        SECONDS,
    ),
    "sets": (Target("PSNR inside in dB", measured(OURS, PSNR), 32), OUTSIDE, FOUND),
    "single": (Target("PSNR inside in dB", measured(OURS, PSNR), 28), ABOVE, OUTSIDE, FOUND),
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
    """Every target of a section that a row has a number for, as plain data."""
    return targets.judge(TARGETS[section], rows)


def render_targets(section: str, rows: Sequence[Row]) -> str:
    """A line for each target: what was reached beside it, and every input that falls short of it."""
    return targets.render_targets(section, TARGETS[section], rows)


def render_losses(section: str, rows: Sequence[Row]) -> str:
    """A line for each rival: by how much it is beaten, and every input where it is not."""
    rivals = [Rival(f"PSNR inside of {name}", measured(OURS, PSNR), measured(name, PSNR)) for name in (INPUT, INPAINT)]
    told = [line for rival in rivals if (line := compare(rival, rows, "input"))]
    return "\n".join([f"{section}: differences of {OURS}, + is better:", *told]) if told else ""
