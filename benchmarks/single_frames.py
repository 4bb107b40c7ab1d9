"""A clip segmented frame by frame, every frame as a picture of its own: what knowing the other frames is worth.

The weights of trained networks are not at hand here; this is our own method where it knows a single image, so that
appearance alone decides (``ddvideo segment FRAME.png``).
"""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

from benchmarks.material import pictures_of, write_png
from benchmarks.once import RunAll, RunOptions
from benchmarks.outcome import Outcome, told_together

__all__ = ["PER_FRAME", "segment_frames"]

PER_FRAME = "per-frame"


def segment_frames(
    clip: Path, out: Path, options: RunOptions, run: RunAll, *, frames: int
) -> tuple[Path, dict[str, float]]:
    """Segment the first frames of a clip one by one, all in one process.

    Args:
        clip: the video, whose frames are taken as it shows them.
        out: for what is made.
        options: as for the whole clip.
        run: decomposes the pictures.
        frames: so many, or as many as there are.

    Returns:
        Folder of the alphas, numbered PNG files as a matte of the clip's; and what the runs say of themselves, on the
        mean.

    Raises:
        RunError: one of them failed.
        ScoreError: one of them has no alpha.
    """
    pictures, alphas = out / "pictures" / clip.stem, out / "alpha" / clip.stem
    for folder in (pictures, alphas):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    files = [
        write_png(pictures / f"{index:05d}.png", picture)
        for index, picture in enumerate(islice(pictures_of(clip), frames))
    ]
    outcomes = [Outcome(folder) for folder in run(files, out / "layers" / clip.stem, options)]
    for file, outcome in zip(files, outcomes, strict=True):
        shutil.copyfile(outcome.folder / "alpha.png", alphas / file.name)
    return alphas, told_together(outcomes)
