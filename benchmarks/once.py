"""One call of the pipeline in a process of its own, so that its peak memory is that of the run alone.

``python -m benchmarks.once CLIP... --out DIR --task segment --preset fast --variant seeds --set rounds=3``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ddvideo.config import PRESETS, Preset
from ddvideo.store import result_names

__all__ = [
    "VARIANTS",
    "Run",
    "RunAll",
    "RunError",
    "RunOptions",
    "Variant",
    "all_in_own_process",
    "in_own_process",
    "main",
    "parse_override",
    "read_report",
]

ROOT = Path(__file__).resolve().parent.parent
CHILD = (sys.executable, "-m", "benchmarks.once")

Variant = Literal["full", "seeds"]
VARIANTS: tuple[Variant, ...] = ("full", "seeds")
SWITCHES: Mapping[Variant, Mapping[str, Any]] = {"full": {}, "seeds": {"coupled": False}}
"""The options of the task that make a variant of it."""


class RunError(Exception):
    """A decomposition failed; the last lines it said."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a clip is decomposed. ``seeds`` is the same run with the coupled networks switched off.

    ``together`` takes several images as one input; ``overrides`` are options of the task, by name, that take the place
    of those of its recipe.
    """

    task: str = "segment"
    preset: Preset = "balanced"
    seed: int = 0
    device: str = "auto"
    variant: Variant = "full"
    together: bool = False
    overrides: tuple[tuple[str, Any], ...] = ()

    def flags(self) -> list[str]:
        """The same as arguments of the process."""
        plain = ("task", "preset", "seed", "device", "variant")
        pairs = [(f"--{name}", str(getattr(self, name))) for name in plain]
        pairs += [("--set", f"{name}={json.dumps(value)}") for name, value in self.overrides]
        return [text for pair in pairs for text in pair] + (["--together"] if self.together else [])


Run: TypeAlias = Callable[[Path, Path, RunOptions], Path]
"""Decomposes a clip into a folder and returns the folder of its results, with the layers and ``report.json``."""
RunAll: TypeAlias = Callable[[Sequence[Path], Path, RunOptions], list[Path]]
"""The same for several inputs, one after the other; one folder for all of them where they go together."""


def all_in_own_process(inputs: Sequence[Path], out: Path, options: RunOptions) -> list[Path]:
    """Decompose inputs afresh, all in one process, into ``out/<stem>/``, and return those folders.

    Inputs that go together have one folder, with the stem of the first.

    Raises:
        RunError: one of them failed, or the process was killed.
    """
    done = subprocess.run(
        [*CHILD, *(str(path.resolve()) for path in inputs), "--out", str(out.resolve()), *options.flags()],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " | ".join(done.stderr.strip().splitlines()[-2:]) or "it said nothing"
        raise RunError(f"exit code {done.returncode}: {said}")
    return [out / name for name in result_names(inputs[:1] if options.together else inputs)]


def in_own_process(clip: Path, out: Path, options: RunOptions) -> Path:
    """Decompose ``clip`` afresh into ``out/<stem>/``, and return that folder.

    Raises:
        RunError: it failed, or was killed.
    """
    return all_in_own_process([clip], out, options)[0]


def read_report(folder: Path) -> dict[str, Any]:
    """What a run says of itself, from the folder of its results."""
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def parse_override(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` as name and value, which is JSON.

    Raises:
        ValueError: there is no ``=``, or the value is not JSON.
    """
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name, json.loads(value)


def main(argv: Sequence[str] | None = None) -> int:
    """What the process does; returns its exit code."""
    from ddvideo.errors import DDVideoError

    parser = argparse.ArgumentParser(prog="python -m benchmarks.once", description="One call of the pipeline.")
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--task", default="segment")
    parser.add_argument("--preset", choices=PRESETS, default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--variant", choices=VARIANTS, default="full")
    parser.add_argument("--together", action="store_true")
    parser.add_argument("--set", type=parse_override, action="append", default=[], dest="overrides")
    given = vars(parser.parse_args(argv))
    inputs, out = given.pop("inputs"), given.pop("out")
    try:
        failed = _decompose(inputs, out, RunOptions(**given | {"overrides": tuple(given["overrides"])}))
    except DDVideoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for reason in failed:
        print(reason, file=sys.stderr)
    return 1 if failed else 0


def _decompose(inputs: Sequence[Path], out: Path, options: RunOptions) -> list[Exception]:
    from ddvideo.hardware import resolve_device, thread_count
    from ddvideo.pipeline import decompose
    from ddvideo.recipes import load_recipe, settings_for

    settings = None
    if changed := {**SWITCHES[options.variant], **dict(options.overrides)}:
        settings = settings_for(
            load_recipe(options.task),
            options.preset,
            device=resolve_device(options.device),
            seed=options.seed,
            threads=thread_count(),
        )
        settings = replace(settings, options={**settings.options, **changed})
    together: dict[str, Any] = {"together": True} if options.together else {}
    results = decompose(
        inputs,
        task=options.task,
        out=out,
        preset=options.preset,
        device=options.device,
        seed=options.seed,
        fresh=True,
        settings=settings,
        **together,
    )
    return [result.error for result in results if result.error is not None]


if __name__ == "__main__":
    sys.exit(main())
