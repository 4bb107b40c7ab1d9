"""Animated GIF, WebP, APNG and AVIF as clips: every frame as a viewer shows it, at its own time."""

from __future__ import annotations

import math
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, islice, pairwise
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

import numpy as np

from ddvideo.errors import InputError, UsageError
from ddvideo.media.animation_frames import composed, file_bytes, missing_end, open_animation
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.icc import profile_space
from ddvideo.media.image_header import image_format
from ddvideo.media.stills_heif import avif_bits
from ddvideo.media.transparency import TRANSPARENCY, over_black
from ddvideo.types import InputInfo

__all__ = ["AnimationSource"]

_NAMES = {"png": "apng", "avis": "avif"}
_MILLISECOND = Fraction(1, 1000)
_PNG_DEPTH_AT = 24


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
        pictures = composed(self.info.path, image_format(self.info.path) or "")
        for index, picture in enumerate(islice(pictures, wanted.stop)):
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
    with open_animation(path, format) as image:
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
        for picture in composed(path, format):
            durations.append(picture.seconds)
            stamps.append(picture.stamp)
            has_alpha = has_alpha or int(picture.rgba[..., 3].min()) < 255
    except InputError:
        if not durations:
            raise
        wrong = f"the animation is damaged or cut off: it ends after {len(durations)} frames"
    if not durations:
        raise InputError(f"{path}: no frame can be decoded; the file is damaged or cut off")
    shown = (Fraction(0), *accumulate(durations))
    if format == "avis" and all(a < b for a, b in pairwise(stamps)):  # durations are rounded there, and add up wrongly
        shown = tuple(at - stamps[0] for at in (*stamps, stamps[-1] + durations[-1]))
    wrong = wrong or missing_end(path, format, len(durations))
    return _Times(shown, has_alpha, (wrong,) if wrong else ())


def _shallow(path: Path, format: str) -> tuple[str, ...]:
    """What is said of samples deeper than the 8 bits that animations are read with."""
    data = file_bytes(path)
    bits = avif_bits(data) if format == "avis" else data[_PNG_DEPTH_AT] if format == "png" else 8
    return (f"its {bits} bits are read as 8, as all animations are",) if bits > 8 else ()
