"""``report.html``: one page that needs nothing beside itself, runs no script and loads nothing."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from ddvideo.store.atomic import write_bytes
from ddvideo.text import duration, printable, size_mib

__all__ = ["render_page", "render_template", "write_report_html"]

MAX_CHUNK_ROWS = 200
UNITS = {"db": "dB", "seconds": "s", "mib": "MiB", "px": "px", "frames": "frames", "percent": "%"}
WORDS = {"psnr": "PSNR", "fps": "frames a second", "pix": "pixel", "fmt": "format", "sha256": "SHA-256"}
Thumbs = Iterable[tuple[int, Mapping[str, bytes]]]


def write_report_html(path: Path, report: Mapping[str, Any], thumbnails: Thumbs = ()) -> None:
    """Write ``report.html`` atomically; arguments and content as ``render_page``.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes(path, render_page(report, thumbnails).encode("utf-8"))


def render_page(report: Mapping[str, Any], thumbnails: Thumbs = ()) -> str:
    """The page as text.

    Args:
        report: as written to ``report.json``; a key that is absent is left out of the page.
        thumbnails: ``(frame index, {panel name: PNG bytes})`` a row, as ``Thumbnails`` yields them.

    Returns:
        HTML. Names and messages from outside are escaped twice over: what a page could act on by ``printable``, markup
        by the template.
    """
    return render_template("page.html.jinja", **_view(report), pictures=_pictures(thumbnails))


def render_template(name: str, /, **values: Any) -> str:
    """A page of this package with the common style; values are made harmless as :func:`render_page` says."""
    return _template(name).render(css=Markup(_read("page.css")), **values)


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_plain
    )
    return environment.from_string(_read(name))


def _read(name: str) -> str:
    return resources.files("ddvideo.report").joinpath(name).read_text(encoding="utf-8")


def _plain(value: object) -> object:
    return value if isinstance(value, Markup) else printable(value)


def _pictures(thumbnails: Thumbs) -> list[dict[str, Any]]:
    return [
        {"frame": index, "panels": [(name, base64.b64encode(png).decode("ascii")) for name, png in row.items()]}
        for index, row in thumbnails
    ]


def _view(report: Mapping[str, Any]) -> dict[str, Any]:
    source: Mapping[str, Any] = report.get("input", {})
    more = f" and {len(source['paths']) - 1} more" if source.get("paths") else ""
    return {
        "name": Path(str(source.get("path", "?"))).name + more,
        "task": report.get("task", "?"),
        "version": report.get("ddvideo", "?"),
        "tiles": _tiles(report, source),
        "facts": _facts(source),
        "layers": [_layer(layer) for layer in report.get("layers", ())],
        "quality": [_labelled(key, value) for key, value in report.get("quality", {}).items()] + _constants(report),
        "timings": _timings(report.get("timings_seconds", {})),
        "timeline": _timeline(report.get("shots", ()), report.get("chunks", ())),
        "chunks": list(report.get("chunks", ()))[:MAX_CHUNK_ROWS],
        "chunks_left_out": max(0, len(report.get("chunks", ())) - MAX_CHUNK_ROWS),
        "settings": _settings(report),
        "warnings": list(report.get("warnings", ())),
        "number": _number,
        "duration": duration,
    }


def _tiles(report: Mapping[str, Any], source: Mapping[str, Any]) -> list[tuple[str, str]]:
    tiles = []
    psnr = report.get("quality", {}).get("recomposition_psnr_db")
    if psnr is not None:
        tiles.append((f"{_number(psnr)} dB", "recomposition"))
    if source.get("width"):
        tiles.append((f"{source['width']} × {source.get('height')}", "pixels"))
    if source.get("frames"):
        tiles.append((str(source["frames"]), "frame" if source["frames"] == 1 else "frames"))
    total = report.get("timings_seconds", {}).get("total")
    if total is not None:
        tiles.append((duration(total), "in all"))
    if report.get("seconds_per_frame"):
        tiles.append((duration(report["seconds_per_frame"]), "a frame"))
    if report.get("peak_rss_mib"):
        tiles.append((size_mib(report["peak_rss_mib"]), "memory at most"))
    return tiles


def _facts(source: Mapping[str, Any]) -> list[tuple[str, object]]:
    keys = ("path", "paths", "sha256", "kind", "codec", "pix_fmt", "fps", "duration_seconds", "audio", "colour_space")
    found = {key: source[key] for key in keys if source.get(key) not in (None, "", [], ())}
    return [_labelled(key, value) for key, value in found.items()]


def _layer(layer: Mapping[str, Any]) -> dict[str, object]:
    file = Path(str(layer.get("path", ""))).name
    coding = ", ".join(str(layer[key]) for key in ("codec", "pix_fmt") if layer.get(key))
    return {
        "name": layer.get("name", "?"),
        "file": file,
        "href": quote(file, errors="surrogateescape"),
        "coding": coding,
    }


def _labelled(key: str, value: object) -> tuple[str, object]:
    """``("recomposition_psnr_db", 47.123)`` as ``("recomposition PSNR", "47.1 dB")``."""
    words = key.split("_")
    unit = UNITS.get(words[-1]) if len(words) > 1 else None
    label = " ".join(WORDS.get(word, word) for word in (words[:-1] if unit else words))
    if isinstance(value, list | tuple):
        return label, ", ".join(map(str, value))
    shown = _number(value) if isinstance(value, float) else value
    return label, f"{shown} {unit}" if unit and value is not None else shown


def _constants(report: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Layers without extent (an airlight): a value a shot."""
    rows: list[tuple[str, object]] = []
    for name, shots in report.items():
        if isinstance(shots, list) and all(isinstance(shot, Mapping) and "rgb" in shot for shot in shots):
            for shot in shots[:MAX_CHUNK_ROWS]:
                rgb = ", ".join(_number(value) for value in shot["rgb"])
                rows.append((f"{name.replace('_', ' ')} of frames {shot['start']} to {shot['stop'] - 1}", rgb))
    return rows


def _number(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value) if isinstance(value, int | str) else "not known"


def _timings(timings: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = {name: float(value) for name, value in timings.items() if name != "total" and value is not None}
    longest = max(parts.values(), default=0.0) or 1.0
    return [
        {"name": name.replace("_", " "), "shown": duration(value), "percent": f"{100 * value / longest:.1f}"}
        for name, value in parts.items()
    ]


def _timeline(shots: Iterable[Mapping[str, Any]], chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Bars of shots and chunks along the clip, their places in percent of its length."""
    shot_spans = [(int(shot["start"]), int(shot["stop"])) for shot in shots]
    chunk_spans = [(int(chunk["start"]), int(chunk["stop"])) for chunk in chunks]
    if not shot_spans or not chunk_spans:
        return None
    first, last = min(shot_spans)[0], max(stop for _, stop in shot_spans)

    def bars(spans: list[tuple[int, int]]) -> list[dict[str, Any]]:
        scale = 100 / (last - first)
        return [
            {
                "left": f"{(start - first) * scale:.3f}",
                "width": f"{(stop - start) * scale:.3f}",
                "row": index % 2,
                "text": f"frames {start} to {stop - 1}",
            }
            for index, (start, stop) in enumerate(spans)
        ]

    return {"shots": bars(shot_spans), "chunks": bars(chunk_spans), "first": first, "last": last - 1}


def _settings(report: Mapping[str, Any]) -> list[tuple[str, object]]:
    runner = report.get("runner", {})
    rows: list[tuple[str, object]] = [
        (key, report[key]) for key in ("device", "threads", "seed") if report.get(key) is not None
    ]
    if runner:
        rows.append(("runner", f"{runner.get('kind', '?')}, {runner.get('workers', '?')} at once"))
    rows.extend(_flat("", report.get("recipe", {})))
    return [("recipe" if label == "name" else label, value) for label, value in rows]


def _flat(prefix: str, value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [row for key, item in value.items() for row in _flat(f"{prefix} {key}".strip(), item)]
    return [(prefix.replace("_", " "), value)]
