"""What a measurement of dehazing has found so far, and how the results of a run are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmarks.haze_score import INPUT, Estimate
from benchmarks.measure import FAILURES
from benchmarks.once import RunAll, RunOptions, Variant, read_report
from benchmarks.score import ScoreError
from benchmarks.table import spread
from ddvideo.media import read_layer

__all__ = ["DARK_CHANNEL", "IDEAL", "OURS", "PER_FRAME", "VARIANT_ORDER", "Bench", "Ours", "Outcome"]

DARK_CHANNEL = "dcp"
IDEAL = "ideal"
"""The haze taken out of a clip by its true map and airlight: what could be reached, compression and all."""
PER_FRAME: Literal["per-frame"] = "per-frame"
Ours: TypeAlias = Literal["per-frame", "seeds", "full"]
OURS: tuple[Ours, ...] = (PER_FRAME, "seeds", "full")
"""``full``; ``seeds``, without the coupled networks; ``per-frame``, clips frame by frame as if each were a still."""
VARIANT_ORDER = (INPUT, IDEAL, DARK_CHANNEL, *OURS)
REPORTED = ("seconds_per_frame", "peak_rss_mib", "timings_seconds", "warnings")


@dataclass(frozen=True)
class Outcome:
    """The folder of one run's results."""

    folder: Path

    @cached_property
    def report(self) -> dict[str, Any]:
        """``report.json``."""
        return read_report(self.folder)

    def airlight(self, index: int = 0) -> list[float]:
        """RGB of the shot that has the frame.

        Raises:
            ScoreError: there is none.
        """
        for shot in self.report.get("airlight", ()):
            if shot["start"] <= index < shot["stop"]:
                return [float(value) for value in shot["rgb"]]
        raise ScoreError(f"{self.folder}: the report has no airlight for frame {index}")

    def estimates(self) -> Iterator[Estimate]:
        """What was made of every frame."""
        layers = zip(self._layer("radiance"), self._layer("transmission_map"), strict=True)
        for index, (radiance, through) in enumerate(layers):
            yield Estimate(radiance[..., :3], through, self.airlight(index))

    def told(self) -> dict[str, Any]:
        """What the run says of itself."""
        return {**self.report["quality"], **{key: self.report[key] for key in REPORTED}}

    def _layer(self, name: str) -> Iterator[Any]:
        """A still, a video, or a folder of frames."""
        for path in (self.folder / f"{name}.png", self.folder / f"{name}.mp4", self.folder / name):
            if path.exists():
                return read_layer(path)
        raise ScoreError(f"{self.folder} has no {name}")


class Bench:
    """What has been measured so far, by section."""

    def __init__(
        self, *, out: Path, options: RunOptions, variants: Sequence[Ours], run: RunAll, sheets: bool = True
    ) -> None:
        self.out, self.options, self.variants, self.run, self.sheets = out, options, variants, run, sheets
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.failures: list[dict[str, str]] = []
        self.settings: dict[str, Any] = {}

    def ours(self, section: str, name: str, inputs: Sequence[Path], variant: Ours) -> list[Outcome]:
        """Decompose inputs in one process; none where that failed, which is named and remembered.

        A clip's single frames go through the full method: without a neighbour, no term of it looks at time.
        """
        outcomes: list[Outcome] = []
        switch: Variant = "seeds" if variant == "seeds" else "full"
        with self.watched(section, name, variant):
            folders = self.run(inputs, self.out / section / variant / name, replace(self.options, variant=switch))
            outcomes = [Outcome(folder) for folder in folders]
            self.settings.setdefault(variant, {key: outcomes[0].report[key] for key in ("recipe", "device", "threads")})
        return outcomes

    def add(self, section: str, name: str, variants: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what was measured of one input, and print it."""
        rounded = {variant: _rounded(variants[variant]) for variant in VARIANT_ORDER if variant in variants}
        self.rows.setdefault(section, []).append({"input": name, "variants": rounded})
        print(f"{section}: {name} measured ({', '.join(rounded)})", flush=True)

    @contextmanager
    def watched(self, section: str, name: str, what: str) -> Iterator[None]:
        """Name and remember what fails inside, and go on."""
        try:
            yield
        except FAILURES as error:
            self.failures.append({"section": section, "name": name, "what": what, "reason": str(error)})
            print(f"benchmark: {section}: {name}: {what} failed: {error}", file=sys.stderr, flush=True)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        sections = {}
        for section, rows in self.rows.items():
            told = {}
            for variant in VARIANT_ORDER:
                values = [row["variants"][variant] for row in rows if variant in row["variants"]]
                keys = sorted(
                    {key for value in values for key, number in value.items() if isinstance(number, int | float)}
                )
                if values:
                    told[variant] = spread(values, keys)
            sections[section] = {"summary": told, "rows": rows}
        return {"settings": self.settings, "sections": sections, "failures": self.failures}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, 6) if isinstance(value, float) else _rounded(value) if isinstance(value, dict) else value
        for key, value in values.items()
    }
