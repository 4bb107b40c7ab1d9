"""One decomposition in a process of its own, so that its peak memory is that of the run and of nothing before it.

``python -m benchmarks.once CLIP --out DIR --preset fast --seed 0 --device auto --variant full``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from ddvideo.config import PRESETS, Preset

__all__ = ["VARIANTS", "Run", "RunError", "RunOptions", "Variant", "in_own_process", "main"]

ROOT = Path(__file__).resolve().parent.parent
CHILD = (sys.executable, "-m", "benchmarks.once")

Variant = Literal["full", "seeds"]
VARIANTS: tuple[Variant, ...] = ("full", "seeds")


class RunError(Exception):
    """A decomposition failed; the last lines it said."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a clip is decomposed. ``seeds`` is the same run with the coupled networks switched off."""

    preset: Preset = "balanced"
    seed: int = 0
    device: str = "auto"
    variant: Variant = "full"


Run: TypeAlias = Callable[[Path, Path, RunOptions], Path]
"""Decomposes a clip into a folder and returns the folder of its results, with ``alpha.mp4`` and ``report.json``."""


def in_own_process(clip: Path, out: Path, options: RunOptions) -> Path:
    """Decompose ``clip`` afresh into ``out/<stem>/``, and return that folder.

    Raises:
        RunError: it failed, or was killed.
    """
    flags = [text for name, value in asdict(options).items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [*CHILD, str(clip.resolve()), "--out", str(out.resolve()), *flags],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " | ".join(done.stderr.strip().splitlines()[-2:]) or "it said nothing"
        raise RunError(f"exit code {done.returncode}: {said}")
    return out / clip.stem


def main(argv: Sequence[str] | None = None) -> int:
    """What the process does; returns its exit code."""
    from ddvideo.errors import DDVideoError

    parser = argparse.ArgumentParser(prog="python -m benchmarks.once", description="One decomposition.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", choices=PRESETS, default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--variant", choices=VARIANTS, default="full")
    given = parser.parse_args(argv)
    options = RunOptions(preset=given.preset, seed=given.seed, device=given.device, variant=given.variant)
    try:
        _decompose(given.clip, given.out, options)
    except DDVideoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _decompose(clip: Path, out: Path, options: RunOptions) -> None:
    from ddvideo.hardware import resolve_device, thread_count
    from ddvideo.pipeline import decompose
    from ddvideo.recipes import load_recipe, settings_for

    settings = None
    if options.variant == "seeds":
        settings = settings_for(
            load_recipe("segment"),
            options.preset,
            device=resolve_device(options.device),
            seed=options.seed,
            threads=thread_count(),
        )
        settings = replace(settings, options={**settings.options, "coupled": False})
    decompose(
        [clip],
        task="segment",
        out=out,
        preset=options.preset,
        device=options.device,
        seed=options.seed,
        fresh=True,
        settings=settings,
    )


if __name__ == "__main__":
    sys.exit(main())
