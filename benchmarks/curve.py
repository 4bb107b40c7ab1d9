"""What time buys: presets of ``segment`` measured on DAVIS-2016 and drawn: ``python -m benchmarks.curve --help``.

Every preset is measured as ``benchmarks.segment`` measures it; with ``--seeds`` also without the coupled networks, a
line of its own. ``--redraw`` draws from numbers that are there. Beside stands u2netp, a trained saliency network, with
what was measured of it on one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.asking import names, some_of
from benchmarks.curve_plot import Point, draw_curve
from benchmarks.davis import DataError, load_published, load_sequences
from benchmarks.measure import Bench
from benchmarks.once import ROOT, VARIANTS, Run, RunOptions, in_own_process
from benchmarks.provenance import provenance
from benchmarks.table import cell, render_grid
from ddvideo.config import PRESETS
from ddvideo.store import write_bytes, write_json

__all__ = ["REFERENCE", "main", "points_of"]

REFERENCE = Point("u2netp", seconds=0.49, j=0.733, f=0.755)
"""A trained network on one thread, means over eight sequences; J over the measured ones, where it is published."""
NUMBERS = (("J", "j", ".3f"), ("F", "f", ".3f"), ("s/frame", "seconds_per_frame", ".2f"), ("flicker", "flicker", ".4f"))
FAULTS = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What reading numbers fails with that are no such numbers."""


def main(argv: Sequence[str] | None = None, run: Run = in_own_process) -> int:
    """Measure, print and draw; returns the exit code: 1 where a sequence failed, 2 where there is nothing to go by."""
    given = _parse(argv)
    whole = given.sequences is None and given.frames is None and given.presets == list(PRESETS)
    # The repository keeps whole measurements; a part of one does not take their place.
    results = given.json or (ROOT / "benchmarks" / "results" if whole else given.out) / "segment-curve.json"
    picture = given.svg or (ROOT / "docs" if whole else given.out) / "segment-curve.svg"
    for file in (results, picture):
        file.parent.mkdir(parents=True, exist_ok=True)
    if given.redraw:
        try:
            _draw(json.loads(results.read_text(encoding="utf-8")), picture)
        except FAULTS as error:
            print(f"benchmark: {results} cannot be drawn: {error!r}", file=sys.stderr)
            return 2
        return 0
    try:
        sequences = load_sequences(given.data, given.sequences, limit=given.frames)
        published = load_published(given.data)
    except DataError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    told: dict[str, Any] = provenance() | {"seed": given.seed, "frames_limit": given.frames, "presets": {}}
    failures = 0
    for preset in given.presets:
        print(f"{preset}:", flush=True)
        bench = Bench(
            out=given.out / preset,
            options=RunOptions(preset=preset, seed=given.seed, device=given.device),
            variants=VARIANTS if given.seeds else ("full",),
            published=published,
            run=run,
            sheets=False,
        )
        for sequence in sequences:
            bench.measure(sequence)
            told["presets"][preset] = bench.as_dict()
            told["reference"] = _reference(told["presets"])
            write_json(results, told)
        failures += len(bench.failures)
    print(f"\n{_table(told)}")
    if given.frames is not None:
        print("What is told of the trained network is that of whole sequences, not of their first frames.")
    print(f"\nnumbers: {results}")
    if any(points_of(told)):
        _draw(told, picture)
    return 1 if failures else 0


def points_of(told: Mapping[str, Any], variant: str = "full") -> list[Point]:
    """A point for each preset of which something was measured: means over its sequences, of one variant."""
    points = []
    for preset, numbers in told["presets"].items():
        means = _means(numbers, variant)
        if "seconds_per_frame" in means:
            points.append(Point(preset, means["seconds_per_frame"], means.get("j"), means.get("f")))
    return points


def _means(numbers: Mapping[str, Any], variant: str = "full") -> dict[str, float]:
    known = numbers["summary"] if variant == "full" else {variant: {}} | numbers["summary"]
    return {key: spread["mean"] for key, spread in known[variant].items()}


def _reference(presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The reference for the measured sequences; all presets have the same."""
    known = [numbers["published_mean_j"].get(REFERENCE.name) for numbers in presets.values()]
    j = next((value for value in known if value is not None), REFERENCE.j)
    return {"name": REFERENCE.name, "seconds_per_frame": REFERENCE.seconds, "j": j, "f": REFERENCE.f}


def _table(told: Mapping[str, Any]) -> str:
    lines = [["preset", *(title for title, _, _ in NUMBERS)]]
    rows = [(preset, _means(numbers)) for preset, numbers in told["presets"].items()]
    rows += [
        (f"{preset}, seeds", seeds)
        for preset, numbers in told["presets"].items()
        if (seeds := _means(numbers, "seeds"))
    ]
    reference = told["reference"]
    for name, means in [*rows, (f"{reference['name']} (trained)", reference)]:
        lines.append([name, *(cell(means.get(key), form) for _, key, form in NUMBERS)])
    return render_grid(lines)


def _draw(told: Mapping[str, Any], picture: Path) -> None:
    """Write the plot.

    Raises:
        ValueError: nothing was measured.
    """
    points = points_of(told)
    if not points:
        raise ValueError("no preset was measured")
    given = told["reference"]
    reference = Point(given["name"], given["seconds_per_frame"], given["j"], given["f"])
    sequences = max(len(numbers["sequences"]) for numbers in told["presets"].values())
    limit = f", first {told['frames_limit']} frames" if told["frames_limit"] else ""
    run = next(settings for numbers in told["presets"].values() for settings in numbers["settings"].values())
    machine = f"{run['device']}, {run['threads']} thread{'s' if run['threads'] > 1 else ''}"
    title = f"DAVIS-2016, {sequences} sequence{'s' if sequences > 1 else ''}{limit}; {machine}"
    write_bytes(picture, draw_curve(points, reference, title, seeds=points_of(told, "seeds")).encode())
    print(f"plot: {picture}")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve", description="Quality of segment over time.")
    data = ROOT.parent / "shared" / "data" / "davis"
    parser.add_argument("--data", type=Path, default=data, help="frames/SEQ/*.jpg and masks/SEQ/*.png (%(default)s)")
    parser.add_argument("--sequences", type=names, metavar="A,B", help="only these (all)")
    parser.add_argument(
        "--presets", type=some_of(PRESETS), default=list(PRESETS), metavar="A,B", help=f"({','.join(PRESETS)})"
    )
    parser.add_argument("--seeds", action="store_true", help="also each without the coupled networks (coupled=false)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--device", default="auto", help="(%(default)s)")
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each sequence (all)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-out" / "curve", help="clips and layers")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="numbers (benchmarks/results/segment-curve.json; for a part, in --out)",
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="plot (docs/segment-curve.svg; for a part, in --out)")
    parser.add_argument("--redraw", action="store_true", help="only draw, from the numbers that are there")
    given = parser.parse_args(argv)
    if given.frames is not None and given.frames < 3:
        parser.error("--frames: at least 3, for the first and the last are not counted")
    if not given.presets:
        parser.error("--presets: at least one")
    return given


if __name__ == "__main__":
    sys.exit(main())
