"""The contact sheet of one run: what was given, what came of it, what was there, and the mark that was taken off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.mark_score import Found, Moment
from benchmarks.marks import Mark, grown_box
from benchmarks.material import unit
from benchmarks.sheets import small_picture, stack_sheet, write_sheet
from ddvideo.arrays import ByteArray

__all__ = ["COLUMNS", "Panels"]

COLUMNS = "marked | clean result | true clean | alpha x mark of the result"
ROWS = ("whole", "around the mark")
AROUND_PX = 16


class Panels:
    """Small pictures of chosen frames, taken on their way to the scores: each whole, and the mark's surroundings."""

    def __init__(self, indices: Sequence[int], mark: Mark) -> None:
        self.indices = indices
        left, top, width, height = grown_box(mark, AROUND_PX)
        self.around = np.s_[top : top + height, left : left + width]
        self.lines: list[list[ByteArray]] = []

    def watch(self, moments: Iterable[Moment]) -> Iterator[Moment]:
        """Hand moments on; of the chosen ones that have a result, pictures are kept."""
        for index, moment in enumerate(moments):
            if index in self.indices and moment.found is not None:
                self._keep(moment, moment.found)
            yield moment

    def write(self, path: Path, title: str) -> None:
        """Draw the sheet, where there is anything to show."""
        if self.lines:
            names = [f"{title}: {COLUMNS}", *(ROWS[k % len(ROWS)] for k in range(1, len(self.lines)))]
            write_sheet(path, stack_sheet(list(zip(names, self.lines, strict=True))))

    def _keep(self, moment: Moment, found: Found) -> None:
        pictures = [unit(moment.given), found.clean, unit(moment.clean), found.alpha[..., None] * found.mark]
        self.lines.append([small_picture(picture) for picture in pictures])
        self.lines.append([small_picture(picture[self.around]) for picture in pictures])
