"""The table that a measurement prints, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, TypeAlias

__all__ = [
    "RIVALS",
    "Look",
    "Rival",
    "Row",
    "cell",
    "compare",
    "mean_of",
    "measured",
    "render_comparison",
    "render_grid",
    "render_shared",
    "render_table",
    "shared",
    "spread",
]

Row: TypeAlias = Mapping[str, Any]
"""One line of a measurement as it stands in the JSON: its name, ``variants`` by name, what else is known of it."""
Look: TypeAlias = Callable[[Row], float | None]

RIVALS = ("FST", "NLC", "u2netp")
"""The published methods that stand beside in the table."""


@dataclass(frozen=True)
class Rival:
    """Something that the results are compared to: ``ours`` and ``theirs`` of a row; larger is better unless told."""

    title: str
    ours: Look
    theirs: Look
    larger_is_better: bool = True


def measured(variant: str, key: str) -> Look:
    """One number of one variant, or None where it was not measured."""
    return lambda row: row["variants"].get(variant, {}).get(key)


def _published(method: str) -> Look:
    return lambda row: row["published_j"].get(method)


def render_table(rows: Sequence[Row], main: str) -> str:
    """One line a sequence and their mean; ``main`` is the variant that the first columns tell of.

    A cell is empty (``-``) where nothing was measured; a mean is taken over the rows that have a value.
    """
    columns: list[tuple[str, Look, str]] = [
        ("J", measured(main, "j"), ".3f"),
        ("F", measured(main, "f"), ".3f"),
        ("flicker", measured(main, "flicker"), ".4f"),
        ("s/frame", measured(main, "seconds_per_frame"), ".2f"),
        ("recomp dB", measured(main, "recomposition_psnr_db"), ".1f"),
        ("peak MiB", measured(main, "peak_rss_mib"), ".0f"),
    ]
    if main != "seeds":
        columns += [("J seeds", measured("seeds", "j"), ".3f"), ("F seeds", measured("seeds", "f"), ".3f")]
    columns += [(f"J {method}", _published(method), ".3f") for method in RIVALS]
    lines = [["sequence", *(title for title, _, _ in columns)]]
    lines += [[row["sequence"], *(cell(look(row), form) for _, look, form in columns)] for row in rows]
    lines.append(["mean", *(cell(mean_of(look, rows), form) for _, look, form in columns)])
    return render_grid(lines)


def render_grid(lines: Sequence[Sequence[str]], *, names: int = 1, foot: int = 1) -> str:
    """Cells set in columns: the first line is the head, the last ``foot`` lines the sum of all.

    The first ``names`` columns are set to the left, all others to the right.
    """
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    texts = [
        "  ".join(
            cell.ljust(width) if k < names else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    rule = "-" * len(texts[0])
    return "\n".join([texts[0], rule, *texts[1:-foot], rule, *texts[-foot:]])


def render_comparison(rows: Sequence[Row], main: str) -> str:
    """A line for each rival: on how many sequences it is beaten, by how much, and where it is not."""
    rivals = [Rival(f"J of {method}", measured(main, "j"), _published(method)) for method in RIVALS]
    if main != "seeds":
        rivals[:0] = [
            Rival("J of the seeds alone", measured(main, "j"), measured("seeds", "j")),
            Rival("F of the seeds alone", measured(main, "f"), measured("seeds", "f")),
            Rival("flicker of the seeds", measured(main, "flicker"), measured("seeds", "flicker"), False),
        ]
    lines = [line for rival in rivals if (line := compare(rival, rows))]
    return "\n".join(["differences, + is better:", *lines]) if lines else ""


def render_shared(rows: Sequence[Row], main: str) -> str:
    """All variants on the frames that each of them has, those segmented frame by frame too; nothing where none is.

    Args:
        rows: the measurement; rows without ``shared`` are left out.
        main: the variant that is compared to the others.
    """
    rows = [row for row in rows if "shared" in row]
    if not rows:
        return ""
    variants = list(dict.fromkeys(name for row in rows for name in row["variants"]))
    columns: list[tuple[str, Look, str]] = [
        (f"{title} {name}", shared(name, key), form)
        for title, key, form in (("J", "j", ".3f"), ("flicker", "flicker", ".4f"))
        for name in variants
    ]
    columns.append(("true flicker", lambda row: row["shared"].get("truth_flicker"), ".4f"))
    lines = [["first frames", "frames", *(title for title, _, _ in columns)]]
    for row in rows:
        numbers = [cell(look(row), form) for _, look, form in columns]
        lines.append([row["sequence"], str(row["shared"]["frames"]), *numbers])
    lines.append(["mean", "", *(cell(mean_of(look, rows), form) for _, look, form in columns)])
    rivals = [
        Rival(f"{title} of {name}", shared(main, key), shared(name, key), larger_is_better)
        for name in variants
        if name != main
        for title, key, larger_is_better in (("J", "j", True), ("flicker", "flicker", False))
    ]
    told = [line for rival in rivals if (line := compare(rival, rows))]
    return "\n".join([render_grid(lines), "", "differences on these frames, + is better:", *told])


def shared(variant: str, key: str) -> Look:
    """One number of one variant over the frames that every variant has."""
    return lambda row: row["variants"].get(variant, {}).get("shared", {}).get(key)


def compare(rival: Rival, rows: Sequence[Row], name: str = "sequence") -> str:
    """One line that names every row where the rival is better; nothing where there is nothing to compare.

    Args:
        rival: what is compared.
        rows: the measurement.
        name: under which key a row has its name.
    """
    sign = 1 if rival.larger_is_better else -1
    gains = {}
    for row in rows:
        ours, theirs = rival.ours(row), rival.theirs(row)
        if ours is not None and theirs is not None:
            gains[row[name]] = sign * (ours - theirs)
    if not gains:
        return ""
    lost = {name: gain for name, gain in sorted(gains.items(), key=lambda item: item[1]) if gain < 0}
    digits = 3 if rival.larger_is_better else 4
    text = f"against {rival.title}: mean {fmean(gains.values()):+.{digits}f}"
    if not lost:
        return f"{text}, on no {name} worse"
    worse = ", ".join(f"{name} ({gain:+.{digits}f})" for name, gain in lost.items())
    return f"{text}, WORSE on {len(lost)} of {len(gains)}: {worse}"


def mean_of(look: Look, rows: Sequence[Row]) -> float | None:
    """Mean over the rows that have a value."""
    values = [value for row in rows if (value := look(row)) is not None]
    return fmean(values) if values else None


def cell(value: float | None, form: str) -> str:
    """A number as the table shows it."""
    return "-" if value is None else format(value, form)


def spread(values: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean, median and spread of each key over the values that have it."""
    found = {}
    for key in keys:
        numbers = [value[key] for value in values if value.get(key) is not None]
        if numbers:
            told = {"mean": fmean(numbers), "median": median(numbers), "min": min(numbers), "max": max(numbers)}
            found[key] = {name: round(number, 4) for name, number in told.items()}
    return found
