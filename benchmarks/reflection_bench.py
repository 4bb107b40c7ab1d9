"""The variants of a measurement of reflection removal, and how the results of a run are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.outcome import Outcome as PlainOutcome
from benchmarks.record import Record
from benchmarks.reflection_baselines import INPUT, MEAN, MINUS
from benchmarks.reflection_score import Estimate

__all__ = ["ABLATIONS", "FULL", "OURS", "SINGLE", "USUAL", "VARIANT_ORDER", "Bench", "Outcome"]

FULL = "full"
"""What a user gets."""
SINGLE = "single"
"""The same for single frames of a clip, as if each were a still: without a neighbour, no term of it looks at time."""
ABLATIONS: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "uncoupled": (("coupled", False),),
    "fixed-motion": (("learned_motion", False),),
    "one-round": (("rounds", 1),),
    "no-gaps": (("far", False),),
}
"""The same with a part switched off, by options of the task: the coupled networks; motion that is learned; all but the
first round; pairs of frames far apart."""
OURS = (SINGLE, *ABLATIONS, FULL)
USUAL = (SINGLE, FULL)
"""What is measured unless more is asked for."""
VARIANT_ORDER = (INPUT, MINUS, MEAN, *OURS)


class Outcome(PlainOutcome):
    """The folder of one run's results."""

    def estimates(self) -> Iterator[Estimate]:
        """What was made of every frame."""
        for transmission, reflection in zip(self.layer("transmission"), self.layer("reflection"), strict=True):
            yield Estimate(transmission[..., :3], reflection[..., :3])

    def told(self) -> dict[str, Any]:
        """What the run says of itself, and how many warnings it gave."""
        told = super().told()
        return told | {"warned": len(told["warnings"])}


class Bench(Record):
    """What has been measured so far, by section."""

    order = VARIANT_ORDER

    def ours(self, section: str, name: str, inputs: Sequence[Path], variant: str) -> list[Outcome]:
        """Decompose inputs in one process; none where that failed, which is named and remembered."""
        options = replace(self.options, overrides=(*self.options.overrides, *ABLATIONS.get(variant, ())))
        return [Outcome(folder) for folder in self.decomposed(section, name, variant, inputs, options)]
