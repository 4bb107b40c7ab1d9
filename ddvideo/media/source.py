"""One door to every kind of input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ddvideo.config import Interlaced
from ddvideo.errors import InputError, UsageError
from ddvideo.media.animation import AnimationSource
from ddvideo.media.frame import Source
from ddvideo.media.image_header import IMAGE_SUFFIXES, image_format, is_animation, is_image
from ddvideo.media.image_source import ImageSource
from ddvideo.media.images import read_header
from ddvideo.media.video_source import VideoSource
from ddvideo.types import InputInfo, InputPath

__all__ = ["open_source", "probe"]


def open_source(path: str | InputPath, *, interlaced: Interlaced = "deinterlace") -> Source:
    """Open an input: a context manager.

    It is a video, an animation, a still, a folder of numbered frames, or a tuple of stills that are one input.

    ``interlaced`` says what becomes of interlaced frames of a video.

    Raises:
        InputError: it is missing, empty, unreadable, too large, without video, or no frame of it can be decoded; or
            stills of a tuple differ in size.
        UsageError: a tuple holds something else than stills, one of them twice, or less than two.
    """
    if isinstance(path, tuple):
        _check_together(path)
        return ImageSource(path)
    path = Path(path)
    if path.is_dir():
        return ImageSource(path)
    _check_file(path)
    if not path.is_file():
        return VideoSource(path)  # which tells what is missing
    if is_image(path):
        return ImageSource(path)
    return AnimationSource(path) if is_animation(path) else _video(path, interlaced)


def probe(path: str | InputPath, *, interlaced: Interlaced = "deinterlace") -> InputInfo:
    """What the reader sees in an input; the frame count is exact.

    A short video is decoded once, which finds damaged frames; of a long one, the beginning and the end.

    Raises:
        InputError, UsageError: as :func:`open_source`.
    """
    with open_source(path, interlaced=interlaced) as source:
        info = source.info
        if isinstance(source, VideoSource):
            source.check(info.frames - 1)
        return replace(info, warnings=source.warnings)


def _video(path: Path, interlaced: Interlaced) -> VideoSource:
    try:
        return VideoSource(path, interlaced=interlaced)
    except InputError as error:
        if image_format(path) != "heif-sequence":
            raise
        raise InputError(f"{path}: a HEIF image sequence that cannot be read; export it as a video") from error


def _check_file(path: Path) -> None:
    """Refuse what would block or never end when it is opened."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: it is neither a file nor a folder")


def _check_together(paths: Sequence[Path]) -> None:
    """Refuse paths that do not stand for several different images."""
    named: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path}: a folder cannot be one of several images; name the images themselves")
        _check_file(path)
        if not is_image(path):
            if path.suffix.lower() in IMAGE_SUFFIXES and image_format(path) is None:
                read_header(path)  # an image that is damaged is told as what it is
            raise UsageError(f"{path}: it is no still image, and only images can be taken together")
        real = os.path.realpath(path)
        if real in named:
            raise UsageError(f"{path}: the same image as {named[real]}; name every image once")
        named[real] = path
    if len(paths) < 2:
        which = " ".join(map(str, paths)) or "no image"
        raise UsageError(f"{which}: two images or more can be taken together; name more, or leave --together out")
