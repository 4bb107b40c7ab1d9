"""The tables that a measurement of dehazing prints, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.haze_bench import DARK_CHANNEL, IDEAL, PER_FRAME, VARIANT_ORDER
from benchmarks.haze_score import INPUT
from benchmarks.table import Row, cell, measured
from benchmarks.variant_table import Column, compare_variants, render_variants

__all__ = ["COLUMNS", "render_losses", "render_section"]

MAIN = "full"
RIVALS = (INPUT, DARK_CHANNEL, PER_FRAME, "seeds")
MOST_WARPED = 1.0


PSNR = Column("PSNR", "psnr_db", ".2f", True)
SSIM = Column("SSIM", "ssim", ".4f", True)
AIRLIGHT = Column("A error", "airlight_error", ".4f", False)
T_ERROR = Column("t MAE", "t_mae", ".4f", False)
T_MEAN = Column("t mean", "t_mean", ".3f")
WARPED = Column("warped", "warped", ".3f", False)
SECONDS = Column("s/frame", "seconds_per_frame", ".2f")
PEAK = Column("peak MiB", "peak_rss_mib", ".0f")
RECOMPOSED = Column("recomp dB", "recomposition_psnr_db", ".1f")
STEADY = (
    Column("flicker", "flicker", ".5f", False),
    Column("pumping", "pumping", ".5f", False),
    Column("veil", "veil", ".5f", False),
    WARPED,
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "indoor": (PSNR, SSIM, T_MEAN, SECONDS, RECOMPOSED),
    "depth": (PSNR, SSIM, T_ERROR, AIRLIGHT, SECONDS, RECOMPOSED),
    "clips": (PSNR, AIRLIGHT, T_ERROR, *STEADY, SECONDS, PEAK, RECOMPOSED),
    "clear": (PSNR, T_MEAN, SECONDS),
    "airlight": (AIRLIGHT, Column("A distance", "airlight_distance", ".4f", False), SECONDS),
    "real": (WARPED, Column("contrast gain", "contrast_gain", ".2f"), T_MEAN, SECONDS, PEAK, RECOMPOSED),
}


def render_section(section: str, rows: Sequence[Row]) -> str:
    """A line for each input and variant, then the means of each variant over the inputs that have a value."""
    text = render_variants(section, COLUMNS[section], VARIANT_ORDER, rows)
    if any(PER_FRAME in row["variants"] for row in rows):
        text += "\nper-frame: fidelity of every 8th frame, steadiness of the first six; it is compared on those alone"
    return text


def render_losses(section: str, rows: Sequence[Row]) -> str:
    """A line for each rival and number: by how much it is beaten, and every input where it is not.

    A clear picture's input is the truth itself and no rival.
    """
    rivals = [rival for rival in RIVALS if (section, rival) != ("clear", INPUT)]
    lines = compare_variants(COLUMNS[section], rivals, rows, main=MAIN, partly=PER_FRAME)
    if any(column is WARPED for column in COLUMNS[section]) and (told := _steadiness(rows)):
        lines.append(told)
    return "\n".join([f"{section}: differences of {MAIN}, + is better:", *lines]) if lines else ""


def _steadiness(rows: Sequence[Row]) -> str:
    values: dict[str, Any] = {row["input"]: measured(MAIN, "warped")(row) for row in rows}
    known = {name: value for name, value in values.items() if value is not None}
    ideal = {row["input"]: cell(measured(IDEAL, "warped")(row), ".3f") for row in rows}
    over = ", ".join(
        f"{name} ({value:.3f}, ideal {ideal[name]})" for name, value in known.items() if value > MOST_WARPED
    )
    if not known:
        return ""
    return f"warped at most {MOST_WARPED:g}: " + (f"NOT KEPT by {over}" if over else f"kept by all {len(known)}")
