"""The options that the measurements of several sections share on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from benchmarks.once import ROOT, RunOptions, parse_override
from benchmarks.provenance import provenance
from ddvideo.config import PRESETS

__all__ = ["add_run_options", "facts_of", "names", "results_file", "run_options", "some_of"]


def add_run_options(parser: argparse.ArgumentParser, task: str, *, folder: Path, has_data: bool = True) -> None:
    """Add where the data is, how it is decomposed, and where results go.

    Args:
        parser: gets them.
        task: what is measured.
        folder: for what is made, if nothing else is said.
        has_data: whether data from outside the repository is measured.
    """
    if has_data:
        data = ROOT.parent / "shared" / "data"
        parser.add_argument("--data", type=Path, default=data, help="root of the evaluation data (%(default)s)")
    parser.add_argument("--preset", choices=PRESETS, default="balanced", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="(%(default)s)")
    parser.add_argument(
        "--set",
        type=parse_override,
        action="append",
        default=[],
        dest="overrides",
        metavar="NAME=JSON",
        help="an option of the task, in place of its recipe's; may be repeated",
    )
    parser.add_argument("--out", type=Path, default=folder, help="inputs, layers, sheets")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help=f"numbers (benchmarks/results/{task}-PRESET.json; for a part, in --out)",
    )
    parser.add_argument("--sheets", action=argparse.BooleanOptionalAction, default=True, help="contact sheets")


def run_options(given: argparse.Namespace, task: str) -> RunOptions:
    """What a decomposition is asked for."""
    return RunOptions(
        task=task, preset=given.preset, seed=given.seed, device=given.device, overrides=tuple(given.overrides)
    )


def facts_of(given: argparse.Namespace) -> dict[str, Any]:
    """What is kept with the numbers, so that they can be measured again: provenance and options."""
    return provenance() | {
        "seed": given.seed,
        "preset": given.preset,
        "frames_limit": given.frames,
        "overrides": dict(given.overrides),
    }


def results_file(given: argparse.Namespace, task: str, *, is_whole: bool, root: Path) -> Path:
    """Where the numbers go, its folder made: the repository keeps whole measurements, whose place no part takes."""
    folder = root / "benchmarks" / "results" if is_whole and not given.overrides else given.out
    file: Path = given.json or folder / f"{task}-{given.preset}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def names(text: str) -> list[str]:
    """Reads ``A,B``."""
    return text.split(",")


def some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Reads ``A,B``, in the order of the known ones; ``none`` is nothing."""

    def read(text: str) -> list[str]:
        given = [] if text == "none" else names(text)
        if unknown := sorted(set(given) - set(known)):
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; known: {', '.join(known)}")
        return [name for name in known if name in given]

    return read
