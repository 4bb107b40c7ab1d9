"""Split any video into its layers with temporally coupled deep image priors, without training data.

>>> import ddvideo
>>> result = ddvideo.segment("clip.mp4", out="results", preset="fast")    # doctest: +SKIP
>>> result.layers["alpha"].path, result.report["seconds_per_frame"]        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, Unpack

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
    "Options",
    "OutputError",
    "UsageError",
    "__version__",
    "dehaze",
    "segment",
]

__version__ = "0.1.0"


class Options(TypedDict, total=False):
    """What every task can be told, by keyword; the same as the options of the command."""

    out: str | os.PathLike[str]
    """Results go to ``out/<input stem>/``; ``ddvideo-out`` unless told."""
    preset: Preset
    """``fast``, ``balanced`` (unless told) or ``quality``."""
    device: str
    """``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``."""
    seed: int
    """Start of the random numbers; equal seeds and thread counts give equal layers."""
    format: OutputFormat
    """How layers are written: ``auto``, ``mp4`` or ``png``."""
    frames: tuple[int, int | None] | None
    """Part of the input: first frame and the first one not taken (None: to the end), counted from 0."""
    fresh: bool
    """Forget an earlier unfinished run instead of going on with it."""
    keep_work: bool
    """Keep the chunk files."""
    runner: str
    """``auto``, ``inprocess`` or ``ray``."""
    workers: int | None
    """Chunks fitted at once; more than one asks for Ray."""
    address: str | None
    """Of a Ray cluster to join (``auto`` finds one on this machine)."""
    progress: Progress | None
    """Called with a ``ddvideo.types.ProgressEvent`` at every step."""


def segment(path: str | os.PathLike[str], **options: Unpack[Options]) -> Result:
    """Split a video, an image or a folder of numbered frames into foreground, background and alpha.

    Does the same work and writes the same files as ``ddvideo segment``.

    Args:
        path: the input.
        options: see :class:`Options`.

    Returns:
        Layers by name, each with ``path`` and a streaming ``frames()``, and the ``report``.

    Raises:
        UsageError: a wrong setting.
        InputError: the input cannot be read.
        OutputError: the results cannot be written.
        DecompositionError: the fit failed.
    """
    return _decompose("segment", path, {}, options)


def dehaze(
    path: str | os.PathLike[str],
    *,
    airlight: tuple[float, float, float] | None = None,
    **options: Unpack[Options],
) -> Result:
    """Take haze off a video, an image or a folder of numbered frames: radiance and transmission map.

    Does the same work and writes the same files as ``ddvideo dehaze``. The airlight of every shot is in the report.

    Args:
        path: the input.
        airlight: colour of the haze where nothing shows through, RGB in [0, 1]; None: it is found.
        options: see :class:`Options`.

    Returns, Raises: as :func:`segment`.
    """
    return _decompose("dehaze", path, {"airlight": list(airlight)} if airlight else {}, options)


def _decompose(task: str, path: str | os.PathLike[str], task_options: dict[str, Any], options: Options) -> Result:
    from pathlib import Path

    from ddvideo.pipeline import decompose

    return decompose([Path(path)], task=task, options=task_options, **options)[0]
