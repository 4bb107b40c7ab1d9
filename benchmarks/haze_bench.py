"""What a measurement of dehazing has found so far, and how the results of a run are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.haze_score import INPUT, Estimate
from benchmarks.once import RunAll, RunOptions, Variant
from benchmarks.outcome import Outcome as PlainOutcome
from benchmarks.record import Record
from benchmarks.score import ScoreError

__all__ = ["DARK_CHANNEL", "IDEAL", "OURS", "PER_FRAME", "VARIANT_ORDER", "Bench", "Ours", "Outcome"]

DARK_CHANNEL = "dcp"
IDEAL = "ideal"
"""The haze taken out of a clip by its true map and airlight: what could be reached, compression and all."""
PER_FRAME: Literal["per-frame"] = "per-frame"
Ours: TypeAlias = Literal["per-frame", "seeds", "full"]
OURS: tuple[Ours, ...] = (PER_FRAME, "seeds", "full")
"""``full``; ``seeds``, without the coupled networks; ``per-frame``, clips frame by frame as if each were a still."""
VARIANT_ORDER = (INPUT, IDEAL, DARK_CHANNEL, *OURS)


class Outcome(PlainOutcome):
    """The folder of one run's results."""

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
        layers = zip(self.layer("radiance"), self.layer("transmission_map"), strict=True)
        for index, (radiance, through) in enumerate(layers):
            yield Estimate(radiance[..., :3], through, self.airlight(index))


class Bench(Record):
    """What has been measured so far, by section."""

    order = VARIANT_ORDER

    def __init__(
        self, *, out: Path, options: RunOptions, variants: Sequence[Ours], run: RunAll, sheets: bool = True
    ) -> None:
        super().__init__(out=out, options=options, run=run, sheets=sheets)
        self.variants = variants

    def ours(self, section: str, name: str, inputs: Sequence[Path], variant: Ours) -> list[Outcome]:
        """Decompose inputs in one process; none where that failed, which is named and remembered.

        A clip's single frames go through the full method: without a neighbour, no term of it looks at time.
        """
        switch: Variant = "seeds" if variant == "seeds" else "full"
        options = replace(self.options, variant=switch)
        return [Outcome(folder) for folder in self.decomposed(section, name, variant, inputs, options)]
