"""The frames of an animation, one after another on the whole canvas, and whether the file has its end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.gif import gif_frames, has_end
from ddvideo.media.pillow import decoding, open_image

__all__ = ["Picture", "composed", "file_bytes", "missing_end", "open_animation"]

_PILLOW = {"gif": "GIF", "webp": "WEBP", "png": "PNG", "avis": "AVIF"}
_SHORTEST, _SHORTEST_SHOWN = Fraction(1, 100), Fraction(1, 10)
"""Browsers show a frame that asks for 10 ms or less for 100 ms; many files count on that."""
_LARGEST_DELAY_PART = 65535  # an APNG tells a delay as a fraction of two 16 bit numbers


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame ``(H, W, 4)``, straight RGBA, as it stands on the whole canvas; its duration and time in seconds."""

    rgba: AnyArray
    seconds: Fraction
    stamp: Fraction


def composed(path: Path, format: str) -> Iterator[Picture]:
    """Every frame of an animation in ``format`` (``gif``, ``webp``, ``png``, ``avis``).

    Raises:
        InputError: a frame is damaged or cut off.
    """
    if format == "gif":
        for rgba, hundredths in gif_frames(file_bytes(path), path):
            yield Picture(rgba, _as_shown(Fraction(hundredths, 100)), Fraction(0))
        return
    with open_animation(path, format) as image:
        place = 1 if image.info.get("default_image") else 0  # an APNG's picture for programs that know no APNG
        while True:
            with decoding(path):
                try:
                    image.seek(place)
                except EOFError:
                    return
                image.load()
                rgba = np.asarray(image.convert("RGBA"))
            yield Picture(rgba, _duration(image, format), Fraction(image.info.get("timestamp") or 0) / 1000)
            place += 1


def _duration(image: Image.Image, format: str) -> Fraction:
    milliseconds = float(image.info.get("duration") or 0)
    seconds = Fraction(milliseconds / 1000).limit_denominator(_LARGEST_DELAY_PART)
    return seconds if format == "avis" and seconds else _as_shown(seconds)


def _as_shown(seconds: Fraction) -> Fraction:
    """What a frame asks for, as browsers take it."""
    return seconds if seconds > _SHORTEST else _SHORTEST_SHOWN


def open_animation(path: Path, format: str) -> Image.Image:
    """The animation in Pillow's hands; of a WebP that is cut off, what is whole.

    Raises:
        InputError: it cannot be read or its header is damaged.
    """
    data = file_bytes(path)
    return open_image(io.BytesIO(_whole_webp(data)[0] if format == "webp" else data), path, _PILLOW[format])


def file_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error


def _whole_webp(data: bytes) -> tuple[bytes, bool]:
    """The file up to its last whole chunk, as libwebp reads it, and whether that is all of it."""
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= min(end, len(data)):
        after = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        after += after % 2
        if after > len(data):
            break
        at = after
    return data[:4] + (at - 8).to_bytes(4, "little") + data[8:at], at >= end


def missing_end(path: Path, format: str, count: int) -> str:
    """What tells that frames are missing although all that are there can be decoded; empty where nothing does."""
    with open_animation(path, format) as image:
        promised = int(getattr(image, "n_frames", 1)) - bool(image.info.get("default_image"))
    data = file_bytes(path)
    no_end = (format == "webp" and not _whole_webp(data)[1]) or (format == "gif" and not has_end(data))
    if promised > count:
        return f"the animation is cut off: {count} of {promised} frames are there"
    return f"the animation is cut off: {count} frames are there, and its end is missing" if no_end else ""
