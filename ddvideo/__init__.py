"""Split any video into its layers with temporally coupled deep image priors, without training data.

>>> import ddvideo
>>> result = ddvideo.segment("clip.mp4", out="results", preset="fast")    # doctest: +SKIP
>>> result.layers["alpha"].path, result.report["seconds_per_frame"]        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from ddvideo.errors import DDVideoError, DecompositionError, InputError, OutputError, UsageError
from ddvideo.types import Common
from ddvideo.version import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

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
    "dewatermark",
    "segment",
    "separate",
]


class Options(Common, total=False):
    """What every task can be told, by keyword; besides this, what :class:`ddvideo.types.Common` lists."""

    out: str | os.PathLike[str]
    """Results go to ``out/<input stem>/``; ``ddvideo-out`` unless told."""
    runner: str
    """``auto``, ``inprocess`` or ``ray``."""
    progress: Progress | None
    """Called with a ``ddvideo.types.ProgressEvent`` at every step."""


def segment(
    path: str | os.PathLike[str],
    *,
    fg_hint: str | os.PathLike[str] | None = None,
    bg_hint: str | os.PathLike[str] | None = None,
    box: tuple[int, int, int, int] | None = None,
    hint_frame: int | None = None,
    keep_alpha: bool = False,
    **options: Unpack[Options],
) -> Result:
    """Split a video, an image or a folder of numbered frames into foreground, background and alpha.

    Does the same work and writes the same files as ``ddvideo segment``.

    Args:
        path: the input.
        fg_hint: an image of one frame, or a video or folder of all, in which white is foreground for certain.
        bg_hint: likewise for the background.
        box: left, top, width and height in pixels around the foreground in one frame.
        hint_frame: the frame that an image or the box is of, counted from 0; None: the first that is done.
        keep_alpha: multiply the input's own transparency into the alpha.
        options: see :class:`Options`.

    Returns:
        Layers by name, each with ``path`` and a streaming ``frames()``, and the ``report``.

    Raises:
        UsageError: a wrong setting.
        InputError: the input cannot be read.
        OutputError: the results cannot be written.
        DecompositionError: the fit failed.
    """
    from ddvideo.pipeline.hints import hint_options

    told = hint_options(fg_hint, bg_hint, box, hint_frame)
    return _decompose("segment", path, told, options, keep_alpha=keep_alpha)


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


def dewatermark(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    box: tuple[int, int, int, int] | None = None,
    **options: Unpack[Options],
) -> Result:
    """Take a watermark off a video, an image, or several images that share it: clean picture, mark and alpha.

    Does the same work and writes the same files as ``ddvideo dewatermark``.

    Args:
        path: the input; several paths are images that share a mark (``--together``).
        box: left, top, width and height in pixels around the mark; a single image, or a scene that stands still,
            needs it.
        options: see :class:`Options`.

    Returns, Raises: as :func:`segment`.
    """
    return _decompose("dewatermark", path, {"box": list(box)} if box else {}, options)


def separate(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    **options: Unpack[Options],
) -> Result:
    """Separate the scene behind a pane from what the pane reflects: transmission and reflection.

    Does the same work and writes the same files as ``ddvideo separate``.

    Args:
        path: the input; several paths are images of one scene behind glass (``--together``).
        options: see :class:`Options`.

    Returns, Raises: as :func:`segment`.
    """
    return _decompose("separate", path, {}, options)


def _decompose(
    task: str,
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    task_options: dict[str, Any],
    options: Options,
    *,
    keep_alpha: bool = False,
) -> Result:
    import os
    from pathlib import Path

    from ddvideo.pipeline import decompose

    if isinstance(path, str | os.PathLike):
        return decompose([Path(path)], task=task, options=task_options, keep_alpha=keep_alpha, **options)[0]
    return decompose([Path(one) for one in path], task=task, together=True, options=task_options, **options)[0]
