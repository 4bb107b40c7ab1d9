"""The tables that a measurement of separation prints, its targets, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import targets
from benchmarks.reflection_baselines import INPUT, MEAN, MINUS
from benchmarks.reflection_bench import ABLATIONS, FULL, SINGLE, VARIANT_ORDER
from benchmarks.table import Look, Row, measured
from benchmarks.targets import Target
from benchmarks.variant_table import Column, compare_variants, render_variants

__all__ = ["COLUMNS", "TARGETS", "judge", "render_losses", "render_section", "render_targets"]

RIVALS = (INPUT, MINUS, MEAN, SINGLE, *ABLATIONS)
PSNR = Column("PSNR", "psnr_db", ".2f", True)
R_MEAN = Column("R mean", "r_mean", ".4f")
RUN = (
    Column("s/frame", "seconds_per_frame", ".2f"),
    Column("peak MiB", "peak_rss_mib", ".0f"),
    Column("recomp dB", "recomposition_psnr_db", ".1f"),
    Column("warnings", "warned", ".1f"),
)
LAYERS = (
    PSNR,
    Column("AC-PSNR", "ac_psnr_db", ".2f", True),
    Column("SSIM", "ssim", ".4f", True),
    Column("PSNR of R", "r_psnr_db", ".2f", True),
    Column("AC-PSNR of R", "r_ac_psnr_db", ".2f", True),
    Column("R in T", "leak_r_in_t", ".3f"),
    Column("T in R", "leak_t_in_r", ".3f"),
    Column("swapped", "swapped", ".2f"),
    *RUN,
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "still": LAYERS,
    "moving": LAYERS,
    "triples": LAYERS,
    "clear": (PSNR, R_MEAN, *RUN),
    "real": (R_MEAN, *RUN),
}


def _above(rival: str, key: str) -> Look:
    """By how much a number of ours is larger."""

    def look(row: Row) -> float | None:
        ours, theirs = measured(FULL, key)(row), measured(rival, key)(row)
        return None if ours is None or theirs is None else ours - theirs

    return look


GAIN = _above(INPUT, "ac_psnr_db")
AC_TITLE, MINUS_TITLE = "AC-PSNR above the input's, in dB", f"PSNR above that of {MINUS}, in dB"
VIDEO = (
    Target(AC_TITLE, GAIN, 0, each=True),
    Target(MINUS_TITLE, _above(MINUS, "psnr_db"), 2),
    Target("swapped", measured(FULL, "swapped"), 0, at_most=True, each=True),
    Target("seconds a frame", measured(FULL, "seconds_per_frame"), 2, at_most=True),
)

TARGETS: Mapping[str, tuple[Target, ...]] = {
    "still": (Target(AC_TITLE, GAIN, 8), *VIDEO),
    "moving": (Target(AC_TITLE, GAIN, 2), *VIDEO),
    "triples": (
        Target(AC_TITLE, GAIN, 1),
        Target(AC_TITLE, GAIN, -0.5, each=True),
        Target(MINUS_TITLE, _above(MINUS, "psnr_db"), 0),
    ),
    "clear": (Target("PSNR against the input, in dB", measured(FULL, "psnr_db"), 40, each=True),),
    "real": (),
}


def render_section(section: str, rows: Sequence[Row]) -> str:
    """A line for each input and variant, then the means of each variant over the inputs that have a value."""
    text = render_variants(section, COLUMNS[section], VARIANT_ORDER, rows)
    if any(SINGLE in row["variants"] for row in rows):
        text += f"\n{SINGLE}: every 8th frame; it is compared on those alone"
    return text


def judge(section: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every target of a section that a row has a number for, as plain data."""
    return targets.judge(TARGETS[section], rows)


def render_targets(section: str, rows: Sequence[Row]) -> str:
    """A line for each target: what was reached beside it, and every input that falls short of it."""
    return targets.render_targets(section, TARGETS[section], rows)


def render_losses(section: str, rows: Sequence[Row]) -> str:
    """A line for each rival and number: by how much it is beaten, and every input where it is not."""
    lines = compare_variants(COLUMNS[section], RIVALS, rows, main=FULL, partly=SINGLE)
    return "\n".join([f"{section}: differences of {FULL}, + is better:", *lines]) if lines else ""
