"""Split any video into its layers with temporally coupled deep image priors, without training data.

>>> import ddvideo
>>> result = ddvideo.segment("clip.mp4", out="results", preset="fast")    # doctest: +SKIP
>>> result.layers["alpha"].path, result.report["seconds_per_frame"]        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddvideo.errors import DDVideoError, DecompositionError, InputError, OutputError, UsageError

if TYPE_CHECKING:
    import os

    from ddvideo.config import OutputFormat, Preset
    from ddvideo.pipeline import Result
    from ddvideo.types import Progress

__all__ = [
    "DDVideoError",
    "DecompositionError",
    "InputError",
    "OutputError",
    "UsageError",
    "__version__",
    "segment",
]

__version__ = "0.1.0"


def segment(
    path: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] = "ddvideo-out",
    preset: Preset = "balanced",
    device: str = "auto",
    seed: int = 0,
    format: OutputFormat = "auto",
    frames: tuple[int, int | None] | None = None,
    fresh: bool = False,
    keep_work: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Split a video, an image or a folder of numbered frames into foreground, background and alpha.

    Does the same work and writes the same files as ``ddvideo segment``.

    Args:
        path: the input.
        out: results go to ``out/<input stem>/``.
        preset: fast, balanced or quality.
        device: auto, cpu, cuda, cuda:N or mps.
        seed: start of the random numbers; equal seeds and thread counts give equal layers.
        format: how layers are written: auto, mp4 or png.
        frames: part of the input: first frame and the first one not taken (None: to the end), counted from 0.
        fresh: forget an earlier unfinished run instead of going on with it.
        keep_work: keep the chunk files.
        progress: called with a ``ddvideo.types.ProgressEvent`` at every step.

    Returns:
        Layers by name, each with ``path`` and a streaming ``frames()``, and the ``report``.

    Raises:
        UsageError: a wrong setting.
        InputError: the input cannot be read.
        OutputError: the results cannot be written.
        DecompositionError: the fit failed.
    """
    from pathlib import Path

    from ddvideo.pipeline import decompose

    results = decompose(
        [Path(path)],
        task="segment",
        out=Path(out),
        preset=preset,
        device=device,
        seed=seed,
        format=format,
        frames=frames,
        fresh=fresh,
        keep_work=keep_work,
        progress=progress or _ignore,
    )
    return results[0]


def _ignore(event: object) -> None:
    """Take a progress event and do nothing."""
