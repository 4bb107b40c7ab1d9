"""``ddvideo probe``: what the reader sees in an input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.console import emit, say_error, table
from ddvideo.text import duration

__all__ = ["probe"]

_FIRST_FIELD = {"tff": "top", "bff": "bottom"}


@click.command(short_help="What the reader sees in an input.")
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def probe(source: Path, as_json: bool) -> None:
    """Show what the reader sees in INPUT: a video, an image, or a folder of numbered frames."""
    from ddvideo.media import probe as read_facts
    from ddvideo.report.data import describe_input, report_text

    facts = describe_input(read_facts(source))
    if as_json:
        emit(report_text(facts))
        return
    emit(table(_rows(facts)))
    for warning in facts["warnings"]:
        say_error(warning, label="warning")


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("path", facts["path"]),
        ("kind", {"frames": "folder of frames"}.get(facts["kind"], facts["kind"])),
        ("size", f"{facts['width']} x {facts['height']} pixels{_geometry(facts)}"),
        ("frames", str(facts["frames"])),
    ]
    if facts["kind"] != "image":
        pace = " on average, frame durations differ" if facts["vfr"] else ""
        exact = f" ({facts['fps_exact']})" if "/" in facts["fps_exact"] else ""
        rows.append(("rate", f"{facts['fps']:g} frames a second{exact}{pace}"))
        rows.append(("duration", duration(facts["duration_seconds"])))
        if facts["start_offset_seconds"]:
            rows.append(("starts at", f"{facts['start_offset_seconds']:g} s by its own clock; layers start at 0"))
    depth = f", {facts['bit_depth']} bit" if facts["bit_depth"] else ""
    rows.append(("codec", f"{facts['codec']}, {facts['pix_fmt']}{depth}"))
    chroma = f", chroma {facts['chroma_location']}" if facts["chroma_location"] != "unspecified" else ""
    rows.append(("colour", f"{facts['colour_space']}, range {facts['colour_range']}{chroma}"))
    if facts["field_order"] != "progressive":
        rows.append(("fields", f"interlaced, {_FIRST_FIELD[facts['field_order']]} field first"))
    if facts["has_alpha"]:
        rows.append(("alpha", "has transparency"))
    rows.append(("audio", ", ".join(facts["audio"]) or "none"))
    return rows


def _geometry(facts: dict[str, Any]) -> str:
    turned = f", shown turned by {facts['rotation_degrees']} degrees" if facts["rotation_degrees"] else ""
    aspect = facts["sample_aspect_ratio"]
    return turned + (f", pixel aspect {aspect.replace('/', ':')}" if aspect != "1" else "")
