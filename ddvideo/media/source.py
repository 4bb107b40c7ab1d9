"""One door to every kind of input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ddvideo.errors import InputError
from ddvideo.media.frame import Source
from ddvideo.media.image_header import is_image
from ddvideo.media.image_source import ImageSource
from ddvideo.media.video_source import VideoSource
from ddvideo.types import InputInfo

__all__ = ["open_source", "probe"]

_CHECK_PIXELS = 1_000_000_000
"""As many pixels are decoded to find damage before anything is begun: about three seconds' work."""


def open_source(path: str | Path) -> Source:
    """Open a video, a still or a folder of numbered frames; a context manager.

    Raises:
        InputError: it is missing, empty, unreadable, too large, without video, or no frame of it can be decoded.
    """
    path = Path(path)
    if path.is_dir():
        return ImageSource(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: it is neither a file nor a folder")
    return ImageSource(path) if path.is_file() and is_image(path) else VideoSource(path)


def probe(path: str | Path) -> InputInfo:
    """What the reader sees in an input; the frame count is exact.

    Decodes a short video once to find damaged frames, of a long one only the end; ``warnings`` tells what was found.

    Raises:
        InputError: as :func:`open_source`.
    """
    with open_source(path) as source:
        info = source.info
        if isinstance(source, VideoSource):
            whole = info.frames * info.width * info.height <= _CHECK_PIXELS
            source.check(0 if whole else info.frames - 1)
        return replace(info, warnings=source.warnings)
