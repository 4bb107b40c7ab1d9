"""Animated GIF, WebP, APNG and AVIF as clips: every frame as a viewer shows it, at its own time."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

import numpy as np
from PIL import Image

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError, UsageError
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.icc import profile_space
from ddvideo.media.image_header import image_format
from ddvideo.media.pillow import decoding, open_image
from ddvideo.media.still import TRANSPARENCY, over_black
from ddvideo.media.stills_heif import avif_bits
from ddvideo.types import InputInfo

__all__ = ["AnimationSource"]

_PILLOW = {"gif": "GIF", "webp": "WEBP", "png": "PNG", "avis": "AVIF"}
_NAMES = {"png": "apng", "avis": "avif"}
_MILLISECOND = Fraction(1, 1000)
_SHORTEST, _SHORTEST_SHOWN = Fraction(1, 100), Fraction(1, 10)
"""Browsers show a frame that asks for 10 ms or less for 100 ms; many files count on that."""
_PNG_DEPTH_AT = 24
_GIF_TAIL = 16  # bytes that may follow a GIF's end mark as padding
_LARGEST_DELAY_PART = 65535  # an APNG tells a delay as a fraction of two 16 bit numbers


@dataclass(frozen=True)
class _Times:
    """When frames are shown, in seconds: one more than there are frames, the last is the end."""

    shown: tuple[Fraction, ...]
    has_alpha: bool
    warnings: tuple[str, ...]


class AnimationSource:
    """An animation. Frames build on each other, so that every range is read from the start."""

    def __init__(self, path: Path) -> None:
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path}: there is no such file that can be read ({error.strerror})") from error
        identity = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        self.info, self._shown = _inspect(os.fspath(path), identity)
        self._readers: WeakSet[Generator[Frame, None, None]] = WeakSet()
        self._closed = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the animation."""
        return self.info.warnings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every reader that is still open; iterators that are not at their end stop."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Stream frames ``start`` to ``stop`` (excluded), frame-exact; see :class:`~ddvideo.media.frame.Source`."""
        if self._closed:
            raise UsageError(f"{self.info.path}: the source is closed")
        reader = self._read(frame_range(self.info, start, stop))
        self._readers.add(reader)
        return reader

    def _read(self, wanted: range) -> Generator[Frame, None, None]:
        if not wanted:
            return
        composed = _composed(self.info.path, image_format(self.info.path) or "")
        for index, picture in enumerate(islice(composed, wanted.stop)):
            if index >= wanted.start:
                alpha = np.ascontiguousarray(picture.rgba[..., 3])
                yield Frame(
                    index=index,
                    pts_seconds=self._shown[index],
                    duration_seconds=self._shown[index + 1] - self._shown[index],
                    rgb=over_black(picture.rgba[..., :3], alpha),
                    alpha=alpha if self.info.has_alpha else None,
                )


@lru_cache(maxsize=32)
def _inspect(name: str, identity: tuple[int, int, int]) -> tuple[InputInfo, tuple[Fraction, ...]]:
    """Go through an animation once a process; ``identity`` makes a changed file a new one."""
    path = Path(name)
    format = image_format(path) or ""
    with _opened(path, format) as image:
        width, height = image.size
        profile = image.info.get("icc_profile") or b""
    times = _times(path, format)
    shown, count = times.shown, len(times.shown) - 1
    length = shown[-1]
    is_vfr = any(abs(at - length * n / count) > _MILLISECOND for n, at in enumerate(shown))
    fits = profile_space(profile) == "RGB" if profile else True
    lost = () if fits else ("its colour profile is damaged or not of RGB colours, and left out",)
    info = InputInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frames=count,
        fps=(count / length).limit_denominator(1001),
        duration_seconds=float(length),
        codec=_NAMES.get(format, format),
        pix_fmt="rgba" if times.has_alpha else "rgb24",
        colour_range="full",
        is_vfr=is_vfr,
        time_base=Fraction(1, math.lcm(_MILLISECOND.denominator, *(at.denominator for at in shown))),
        has_alpha=times.has_alpha,
        icc_profile=profile if fits else b"",
        warnings=(
            *times.warnings,
            *([TRANSPARENCY] if times.has_alpha else []),
            *lost,
            *_shallow(path, format),
        ),
    )
    return info, shown


def _times(path: Path, format: str) -> _Times:
    """Decode all of it. What is damaged ends it: the frames before are there.

    Raises:
        InputError: not even the first frame can be decoded.
    """
    durations: list[Fraction] = []
    stamps: list[Fraction] = []
    has_alpha, wrong = False, ""
    try:
        for picture in _composed(path, format):
            durations.append(picture.seconds)
            stamps.append(picture.stamp)
            has_alpha = has_alpha or int(picture.rgba[..., 3].min()) < 255
    except InputError:
        if not durations:
            raise
        wrong = f"the animation is damaged or cut off: it ends after {len(durations)} frames"
    if not durations:
        raise InputError(f"{path}: no frame can be decoded; the file is damaged or cut off")
    shown = (*stamps, stamps[-1] + durations[-1]) if format == "avis" else (Fraction(0), *accumulate(durations))
    wrong = wrong or _cut_off(path, format, len(durations))
    return _Times(shown, has_alpha, (wrong,) if wrong else ())


def _cut_off(path: Path, format: str, count: int) -> str:
    """What tells that frames are missing although all that are there can be decoded; empty where nothing does."""
    with _opened(path, format) as image:
        promised = int(getattr(image, "n_frames", 1)) - bool(image.info.get("default_image"))
    data = path.read_bytes()
    no_end = (format == "webp" and not _whole_webp(data)[1]) or (format == "gif" and b";" not in data[-_GIF_TAIL:])
    if promised > count:
        return f"the animation is cut off: {count} of {promised} frames are there"
    return f"the animation is cut off: {count} frames are there, and its end is missing" if no_end else ""


@dataclass(frozen=True, eq=False)
class _Picture:
    """A frame ``(H, W, 4)``, straight RGBA, as it stands on the whole canvas; its duration and time in seconds."""

    rgba: AnyArray
    seconds: Fraction
    stamp: Fraction


def _composed(path: Path, format: str) -> Iterator[_Picture]:
    with _opened(path, format) as image:
        place = 1 if image.info.get("default_image") else 0  # an APNG's picture for programs that know no APNG
        while True:
            with decoding(path):
                try:
                    image.seek(place)
                except EOFError:
                    return
                image.load()
                rgba = np.asarray(image.convert("RGBA"))
            yield _Picture(rgba, _duration(image, format), Fraction(image.info.get("timestamp") or 0) / 1000)
            place += 1


def _duration(image: Image.Image, format: str) -> Fraction:
    """What a frame asks for, as browsers take it."""
    milliseconds = float(image.info.get("duration") or 0)
    seconds = Fraction(milliseconds / 1000).limit_denominator(_LARGEST_DELAY_PART)
    return seconds if seconds > (0 if format == "avis" else _SHORTEST) else _SHORTEST_SHOWN


def _opened(path: Path, format: str) -> Image.Image:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    return open_image(io.BytesIO(_whole_webp(data)[0] if format == "webp" else data), path, _PILLOW[format])


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


def _shallow(path: Path, format: str) -> tuple[str, ...]:
    """What is said of samples deeper than the 8 bits that animations are read with."""
    data = path.read_bytes()
    bits = avif_bits(data) if format == "avis" else data[_PNG_DEPTH_AT] if format == "png" else 8
    return (f"its {bits} bits are read as 8, as all animations are",) if bits > 8 else ()
