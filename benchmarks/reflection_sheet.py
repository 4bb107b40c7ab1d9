"""The contact sheet of one run: what was given, both layers that came of it, and both as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.material import unit
from benchmarks.mixtures import Moment
from benchmarks.reflection_score import Estimate
from benchmarks.sheets import small_picture, stack_sheet, write_sheet
from ddvideo.arrays import ByteArray, FloatArray

__all__ = ["Panels"]

COLUMNS = ("input", "transmission", "true transmission", "reflection x 2", "true reflection x 2")
FOUND, TRUE = COLUMNS[1::2], COLUMNS[2::2]
GIVEN = COLUMNS[0]
BRIGHTER = 2


class Panels:
    """Small pictures of chosen frames, a line each, taken on their way to the scores.

    ``names`` are those of the lines, by frame number.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names
        self.lines: dict[int, dict[str, ByteArray]] = {index: {} for index in names}

    def given(self, pictures: Iterable[ByteArray]) -> Iterator[ByteArray]:
        """Hand on frames that nobody knows the layers of."""
        for index, picture in enumerate(pictures):
            self._keep(index, [GIVEN], [unit(picture)])
            yield picture

    def moments(self, moments: Iterable[Moment], start: int = 0) -> Iterator[Moment]:
        """Hand on frames with their true layers, the first as frame ``start``."""
        for index, moment in enumerate(moments, start):
            pictures = [unit(moment.mixture), unit(moment.transmission), BRIGHTER * unit(moment.reflection)]
            self._keep(index, (GIVEN, *TRUE), pictures)
            yield moment

    def estimates(self, estimates: Iterable[Estimate], start: int = 0) -> Iterator[Estimate]:
        """Hand on what was made of the frames, the first as frame ``start``."""
        for index, estimate in enumerate(estimates, start):
            self._keep(index, FOUND, [estimate.transmission, BRIGHTER * estimate.reflection])
            yield estimate

    def write(self, path: Path, title: str) -> None:
        """Draw the sheet, where there is anything to show beside what was given."""
        lines = {index: line for index, line in self.lines.items() if GIVEN in line and FOUND[0] in line}
        if lines:
            columns = [name for name in COLUMNS if all(name in line for line in lines.values())]
            first, *rest = (self.names[index] for index in lines)
            titles = [f"{title}, {first}: {' | '.join(columns)}", *rest]
            shown = [[line[name] for name in columns] for line in lines.values()]
            write_sheet(path, stack_sheet(list(zip(titles, shown, strict=True))))

    def _keep(self, index: int, names: Sequence[str], pictures: Sequence[FloatArray]) -> None:
        if index in self.lines:
            self.lines[index] |= dict(zip(names, map(small_picture, pictures), strict=True))
