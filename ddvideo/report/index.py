"""``index.html`` of a batch: one line an input, with its picture, status and a link to its page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ddvideo.report.page import render_template
from ddvideo.store.atomic import write_bytes
from ddvideo.text import duration

__all__ = ["render_index", "write_index"]


def write_index(path: Path, batch: Mapping[str, Any]) -> None:
    """Write ``index.html`` atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes(path, render_index(batch).encode("utf-8"))


def render_index(batch: Mapping[str, Any]) -> str:
    """The page as text; ``batch`` as in ``batch.json``."""
    counts = batch["counts"]
    told = [f"{count} {status}" for status, count in counts.items() if count]
    others = [entry for entry in batch.get("others", ()) if entry["status"] == "done"]
    return render_template(
        "index.html.jinja",
        title=f"{batch.get('recipe', 'ddvideo')}, {batch.get('preset', '')}",
        headline=", ".join(told) or "nothing to do",
        source=batch.get("source", ""),
        running=bool(batch.get("running")),
        tables=[
            (title, [_item(entry) for entry in entries])
            for title, entries in (("", batch["items"]), ("Of earlier batches in this folder", others))
            if entries
        ],
    )


def _item(entry: Mapping[str, Any]) -> dict[str, Any]:
    seconds = entry.get("seconds")
    notes = entry["error"].split("\n") if entry.get("error") else list(entry.get("warnings", ()))
    is_done = entry["status"] == "done"
    href = quote(str(entry["folder"]), errors="surrogateescape")
    return {
        "name": Path(entry["input"]).name,
        "path": entry["input"],
        "href": f"{href}/report.html" if is_done else "",
        "thumbnail": f"{href}/thumbnail.jpg" if is_done and entry.get("thumbnail") else "",
        "status": entry["status"],
        "frames": entry["frames"] or "",
        "time": duration(float(seconds)) if seconds else "",
        "notes": notes,
    }
