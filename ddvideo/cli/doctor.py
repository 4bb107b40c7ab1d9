"""``ddvideo doctor``: what this machine offers, and what is missing."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import click

from ddvideo.cli.console import emit, table
from ddvideo.text import size_mib
from ddvideo.version import __version__

__all__ = ["doctor"]

PACKAGES = (
    "torch", "av", "numpy", "opencv-python-headless", "kornia", "ray", "scipy", "scikit-image", "scenedetect-headless"
)  # fmt: skip
ENCODERS = {"libx264": "mp4 layers cannot be written: install av from PyPI, whose build has libx264"}
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg4", "prores", "mjpeg", "ffv1", "png")


@click.command(short_help="What this machine offers, and what is missing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def doctor(as_json: bool) -> None:
    """Show what this machine offers (cores, bf16, GPUs, codecs, Ray) and what is missing."""
    from ddvideo.report.data import report_text

    facts = examine()
    emit(report_text(facts) if as_json else _page(facts))


def examine() -> dict[str, Any]:
    """Everything the command tells, as plain data; a part that cannot be examined is told under ``missing``."""
    missing: list[str] = []
    versions = {name: _version(name) for name in PACKAGES}
    missing += [f"{name} is not installed: pip install {name}" for name in PACKAGES if versions[name] is None]
    facts: dict[str, Any] = {
        "ddvideo": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": versions,
        "ray": versions["ray"],
        "free_disk_mib": shutil.disk_usage(Path.cwd()).free // 2**20,
    }
    facts |= _tried(_compute, "PyTorch", missing) | _tried(_codecs, "PyAV", missing)
    for name, consequence in ENCODERS.items():
        if "encoders" in facts and name not in facts["encoders"]:
            missing.append(f"no {name} encoder: {consequence}")
    absent = [name for name in DECODERS if "decoders" in facts and name not in facts["decoders"]]
    if absent:
        missing.append(f"no decoder for {', '.join(absent)}: such inputs cannot be read")
    return facts | {"missing": missing}


def _tried(part: Callable[[], dict[str, Any]], name: str, missing: list[str]) -> dict[str, Any]:
    try:
        return part()
    except (ImportError, OSError) as error:
        missing.append(f"{name} does not load: {error}")
        return {}


def _compute() -> dict[str, Any]:
    from ddvideo import hardware

    device = hardware.resolve_device("auto")
    return {
        "cores": hardware.usable_cores(),
        "threads": hardware.thread_count(),
        "memory_mib": hardware.memory_mib(),
        "device": device,
        "bf16": hardware.supports_bf16(device),
        "gpus": hardware.gpu_names(),
    }


def _codecs() -> dict[str, Any]:
    import av
    import av.codec

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            av.codec.Codec(name, mode)
        except av.codec.codec.UnknownCodecError:
            return False
        return True

    return {
        "ffmpeg": av.ffmpeg_version_info,
        "encoders": [name for name in ENCODERS if has(name, "w")],
        "decoders": [name for name in DECODERS if has(name, "r")],
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _page(facts: dict[str, Any]) -> str:
    rows = [
        ("ddvideo", facts["ddvideo"]),
        ("python", facts["python"]),
        ("system", facts["system"]),
    ]
    if "device" in facts:
        rows += [
            ("cores", f"{facts['cores']} usable, {facts['threads']} threads by default"),
            ("memory", size_mib(facts["memory_mib"]) if facts["memory_mib"] else "not known"),
            ("device", f"{facts['device']} (what --device auto takes)"),
            ("bf16", "yes, in hardware" if facts["bf16"] else "no: sums are done in float32, which is slower"),
            ("GPUs", ", ".join(f"cuda:{n} {name}" for n, name in enumerate(facts["gpus"])) or "none"),
        ]
    if "ffmpeg" in facts:
        rows += [
            ("FFmpeg", facts["ffmpeg"]),
            ("writes", ", ".join(facts["encoders"]) or "none"),
            ("reads", ", ".join(facts["decoders"]) or "none"),
        ]
    rows += [
        ("Ray", facts["ray"] or "not installed: pip install ray, for several workers"),
        ("free disk", size_mib(facts["free_disk_mib"]) + " in the current folder"),
        ("packages", ", ".join(f"{name} {version}" for name, version in facts["versions"].items() if version)),
    ]
    lines = [table(rows), ""]
    lines += (
        ["missing:", table([[item] for item in facts["missing"]], indent="  ")]
        if facts["missing"]
        else ["nothing is missing"]
    )
    return "\n".join(lines)
