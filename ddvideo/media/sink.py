"""One door to every kind of output."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from ddvideo.arrays import AnyArray
from ddvideo.config import Chroma
from ddvideo.errors import UsageError
from ddvideo.media.png_sink import PngSink
from ddvideo.media.video_sink import VideoSink
from ddvideo.media.x264 import Quality
from ddvideo.types import InputInfo

__all__ = ["Sink", "open_sink"]


class Sink(Protocol):
    """A layer that is being written: a context manager. It gets its name on a clean exit, and vanishes on an error."""

    path: Path
    codec: str
    warnings: list[str]

    @property
    def pix_fmt(self) -> str:
        """Pixel format by FFmpeg's name."""
        ...

    def write(
        self, frame: AnyArray, pts_seconds: Fraction | None = None, duration_seconds: Fraction | None = None
    ) -> None:
        """Write the next frame: float in [0, 1], uint8 or uint16; ``(H, W, 3)``, or ``(H, W)`` for alpha."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_sink(
    path: str | Path,
    *,
    like: InputInfo,
    kind: Literal["colour", "alpha"] = "colour",
    format: Literal["mp4", "png"] = "mp4",
    source: Path | None = None,
    audio: bool = False,
    quality: Quality = "layer",
    chroma: Chroma = "auto",
) -> Sink:
    """Open an output for one layer.

    Args:
        path: the file, or with ``png`` and an input that is no still, the folder.
        like: the input whose size, depth, times, turning and colour description the layer takes over.
        kind: ``colour`` is ``(H, W, 3)`` (with ``png`` also RGBA), ``alpha`` is ``(H, W)`` or ``(H, W, 1)``.
        format: ``mp4`` (H.264) or ``png``.
        source: the input file that sound, subtitles, chapters, timecode and tags are taken from.
        audio: take them over from ``source`` (a preview: sound alone); ``warnings`` tells what cannot be kept as it is.
        quality: ``layer`` is visually lossless; ``preview`` is small, 8 bits and 4:2:0 whatever the input, and begins
            to play before it is loaded.
        chroma: of MP4 layers: ``420``, ``422``, ``444``, or ``auto``, which is the input's own. Where it is subsampled
            an odd width or height becomes even, by repeating the last column or row, and ``warnings`` says so.

    Raises:
        UsageError: the format is unknown.
        OutputError: the output cannot be created.
    """
    if format == "png":
        return PngSink(Path(path), like=like, alpha=kind == "alpha")
    if format != "mp4":
        raise UsageError(f"format {format!r} is unknown; choose mp4 or png")
    dressed_from = source if audio and like.has_tracks else None
    return VideoSink(Path(path), like=like, alpha=kind == "alpha", source=dressed_from, quality=quality, chroma=chroma)
