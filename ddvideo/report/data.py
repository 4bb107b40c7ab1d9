"""``report.json``: the input's facts in plain data, and the file itself."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddvideo.store.atomic import write_bytes
from ddvideo.types import InputInfo

__all__ = ["describe_input", "report_text", "write_report_json"]


def describe_input(info: InputInfo) -> dict[str, Any]:
    """The facts of an input as plain data: the keys of ``input`` in ``report.json`` (without ``sha256``) and some more.

    ``fps`` is a number, ``fps_exact`` the fraction as text; ``start_offset_seconds`` is the time of the container that
    counts as zero, which layers start from; ``audio`` lists the codecs of the audio streams. ``paths``
    is there where several images are one input: all of them, ``path`` being the first.
    """
    facts = {
        "path": str(info.path),
        "kind": info.kind,
        "width": info.width,
        "height": info.height,
        "frames": info.frames,
        "fps": round(float(info.fps), 6),
        "fps_exact": str(info.fps),
        "vfr": info.is_vfr,
        "duration_seconds": info.duration_seconds,
        "codec": info.codec,
        "pix_fmt": info.pix_fmt,
        "bit_depth": info.bit_depth,
        "rotation_degrees": info.rotation_degrees,
        "sample_aspect_ratio": str(info.sample_aspect_ratio),
        "colour_space": info.colour_space,
        "colour_range": info.colour_range,
        "chroma_location": info.chroma_location,
        "field_order": info.field_order,
        "deinterlaced": info.is_deinterlaced,
        "has_alpha": info.has_alpha,
        "start_offset_seconds": round(float(info.origin_seconds), 6),
        "audio": list(info.audio),
        "warnings": list(info.warnings),
    }
    return facts | {"paths": [str(path) for path in info.paths]} if info.paths else facts


def report_text(report: Any) -> str:
    """Plain data as JSON of ASCII characters only; numbers that are not finite become null, as JSON has none."""
    return json.dumps(_finite(report), indent=2, allow_nan=False) + "\n"


def write_report_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write ``report.json`` atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write_bytes(path, report_text(report).encode("ascii"))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
