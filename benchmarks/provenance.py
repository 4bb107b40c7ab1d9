"""Where numbers come from: the commit, the machine, the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ddvideo import __version__
from ddvideo.hardware import gpu_names, memory_mib, thread_count, usable_cores

__all__ = ["provenance"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "av", "opencv-python-headless", "numpy", "scipy", "kornia", "scikit-image")


def provenance() -> dict[str, Any]:
    """Plain data for JSON; ask at the start of a run, before the working tree can change."""
    return {
        "ddvideo": __version__,
        "commit": _git("rev-parse", "HEAD"),
        # The results of earlier measurements do not change what is measured.
        "dirty": bool(_git("status", "--porcelain", "--", ".", ":!benchmarks/results")),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "hardware": {
            "cpu": _cpu_model(),
            "cores": usable_cores(),
            "threads": thread_count(),
            "memory_mib": memory_mib(),
            "gpus": gpu_names(),
            "load_average": round(os.getloadavg()[0], 2),
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
