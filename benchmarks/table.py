"""The table that a measurement prints, and what it has to say about losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeAlias

__all__ = ["RIVALS", "Rival", "render_comparison", "render_table"]

Row: TypeAlias = Mapping[str, Any]
"""One sequence as it stands in the JSON: ``sequence``, ``variants`` by name, ``published_j`` by method."""
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


def _measured(variant: str, key: str) -> Look:
    return lambda row: row["variants"].get(variant, {}).get(key)


def _published(method: str) -> Look:
    return lambda row: row["published_j"].get(method)


def render_table(rows: Sequence[Row], main: str) -> str:
    """One line a sequence and their mean; ``main`` is the variant that the first columns tell of.

    A cell is empty (``-``) where nothing was measured; a mean is taken over the rows that have a value.
    """
    columns: list[tuple[str, Look, str]] = [
        ("J", _measured(main, "j"), ".3f"),
        ("F", _measured(main, "f"), ".3f"),
        ("flicker", _measured(main, "flicker"), ".4f"),
        ("s/frame", _measured(main, "seconds_per_frame"), ".2f"),
        ("recomp dB", _measured(main, "recomposition_psnr_db"), ".1f"),
        ("peak MiB", _measured(main, "peak_rss_mib"), ".0f"),
    ]
    if main != "seeds":
        columns += [("J seeds", _measured("seeds", "j"), ".3f"), ("F seeds", _measured("seeds", "f"), ".3f")]
    columns += [(f"J {method}", _published(method), ".3f") for method in RIVALS]
    lines = [["sequence", *(title for title, _, _ in columns)]]
    lines += [[row["sequence"], *(_cell(look(row), form) for _, look, form in columns)] for row in rows]
    lines.append(["mean", *(_cell(_mean(look, rows), form) for _, look, form in columns)])
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    texts = [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    rule = "-" * len(texts[0])
    return "\n".join([texts[0], rule, *texts[1:-1], rule, texts[-1]])


def render_comparison(rows: Sequence[Row], main: str) -> str:
    """A line for each rival: on how many sequences it is beaten, by how much, and where it is not."""
    rivals = [Rival(f"J of {method}", _measured(main, "j"), _published(method)) for method in RIVALS]
    if main != "seeds":
        rivals[:0] = [
            Rival("J of the seeds alone", _measured(main, "j"), _measured("seeds", "j")),
            Rival("F of the seeds alone", _measured(main, "f"), _measured("seeds", "f")),
            Rival("flicker of the seeds", _measured(main, "flicker"), _measured("seeds", "flicker"), False),
        ]
    lines = [line for rival in rivals if (line := _compare(rival, rows))]
    return "\n".join(["differences, + is better:", *lines]) if lines else ""


def _compare(rival: Rival, rows: Sequence[Row]) -> str:
    sign = 1 if rival.larger_is_better else -1
    gains = {}
    for row in rows:
        ours, theirs = rival.ours(row), rival.theirs(row)
        if ours is not None and theirs is not None:
            gains[row["sequence"]] = sign * (ours - theirs)
    if not gains:
        return ""
    lost = {name: gain for name, gain in sorted(gains.items(), key=lambda item: item[1]) if gain < 0}
    digits = 3 if rival.larger_is_better else 4
    text = f"against {rival.title}: mean {fmean(gains.values()):+.{digits}f}"
    if not lost:
        return f"{text}, on no sequence worse"
    worse = ", ".join(f"{name} ({gain:+.{digits}f})" for name, gain in lost.items())
    return f"{text}, WORSE on {len(lost)} of {len(gains)}: {worse}"


def _mean(look: Look, rows: Sequence[Row]) -> float | None:
    values = [value for row in rows if (value := look(row)) is not None]
    return fmean(values) if values else None


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
