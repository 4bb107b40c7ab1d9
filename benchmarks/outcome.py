"""The folder of one run's results, read as a user would find it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.once import read_report
from benchmarks.score import ScoreError
from ddvideo.arrays import FloatArray
from ddvideo.media import read_layer

__all__ = ["Outcome", "told_together"]

REPORTED = ("seconds_per_frame", "peak_rss_mib", "timings_seconds", "warnings")


@dataclass(frozen=True)
class Outcome:
    """The folder of one run's results."""

    folder: Path

    @cached_property
    def report(self) -> dict[str, Any]:
        """``report.json``."""
        return read_report(self.folder)

    def told(self) -> dict[str, Any]:
        """What the run says of itself."""
        return {**self.report["quality"], **{key: self.report[key] for key in REPORTED}}

    def layer(self, name: str) -> Iterator[FloatArray]:
        """The frames of a layer in [0, 1], from a still, a video, or a folder of frames.

        Raises:
            ScoreError: there is no such layer.
        """
        for path in (self.folder / f"{name}.png", self.folder / f"{name}.mp4", self.folder / name):
            if path.exists():
                return read_layer(path)
        raise ScoreError(f"{self.folder} has no {name}")


def told_together(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What one run says of itself, or the mean of many."""
    if len(outcomes) == 1:
        return outcomes[0].told()
    several = [outcome.told() for outcome in outcomes]
    means = {key: fmean(told[key] for told in several) for key in ("seconds_per_frame", "recomposition_psnr_db")}
    return means | {"peak_rss_mib": max(told["peak_rss_mib"] for told in several)}
