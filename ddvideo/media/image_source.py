"""Reading stills, folders of numbered frames, and several images that are one input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media import colour
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.image_header import IMAGE_SUFFIXES, is_image
from ddvideo.media.images import read_header, read_still
from ddvideo.media.samples import to_depth
from ddvideo.media.still import Still
from ddvideo.media.transparency import TRANSPARENCY, over_black
from ddvideo.types import InputInfo, InputKind, InputPath, first_path

__all__ = ["FOLDER_FPS", "NUMBERED", "ImageSource", "list_frames"]

FOLDER_FPS = Fraction(25)
"""Frames in a folder have no times; they are taken to be 25 a second, as FFmpeg does."""

_UNSPECIFIED = 2  # a code point of ITU-T H.273


NUMBERED = re.compile(r"(?:frame|f)?[ _.-]?[0-9]+", re.IGNORECASE)
"""Stems that frames of a video have, and photographs do not: ``0001``, ``frame_12``."""


class ImageSource:
    """One still image; or several of one size: a folder of numbered frames, or a tuple of files in their order."""

    def __init__(self, source: InputPath) -> None:
        path, together = first_path(source), isinstance(source, tuple)
        folder = path.is_dir()
        self._files = list(source) if isinstance(source, tuple) else list_frames(path) if folder else [path]
        first = read_still(self._files[0])
        whole = _looked_through(tuple((file, _identity(file)) for file in self._files), together)
        kind: InputKind = "frames" if folder or together else "image"
        deep = first.rgb.dtype != np.uint8
        primaries, transfer = first.cicp or (_UNSPECIFIED, _UNSPECIFIED)
        self.info = InputInfo(
            path=path,
            kind=kind,
            width=first.rgb.shape[1],
            height=first.rgb.shape[0],
            frames=len(self._files),
            fps=FOLDER_FPS,
            duration_seconds=float(len(self._files) / FOLDER_FPS),
            codec=whole.codec,
            pix_fmt=("rgba64le" if deep else "rgba") if whole.has_alpha else "rgb48le" if deep else "rgb24",
            bit_depth=8 * first.rgb.dtype.itemsize,
            colour_range="full",
            colour_primaries=colour.name_of(primaries, colour.PRIMARIES),
            colour_transfer=colour.name_of(transfer, colour.TRANSFERS),
            warnings=(
                *(_number_gaps(self._files) if folder else ()),
                *(_named(self._files[0], first) if kind == "frames" else first.warnings),
                *whole.warnings,
            ),
            paths=tuple(self._files) if together else (),
            has_alpha=whole.has_alpha,
            icc_profile=first.icc_profile,
            exif=first.exif if kind == "image" else b"",
        )
        self._noticed: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed about the files: all of them, and those that were read so far."""
        return (*self.info.warnings, *(text for text in self._noticed if text not in self.info.warnings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing stays open between frames."""

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Stream frames ``start`` to ``stop`` (excluded); see :class:`~ddvideo.media.frame.Source`."""
        return self._read(frame_range(self.info, start, stop))

    def _read(self, wanted: range) -> Iterator[Frame]:
        for index in wanted:
            rgb, alpha = self._fit(read_still(self._files[index]), self._files[index])
            yield Frame(
                index=index,
                pts_seconds=index / FOLDER_FPS,
                duration_seconds=1 / FOLDER_FPS,
                rgb=rgb,
                alpha=alpha,
            )

    def _fit(self, still: Still, file: Path) -> tuple[AnyArray, AnyArray | None]:
        """Colours and alpha as all frames of the input have them."""
        if still.rgb.shape[:2] != (self.info.height, self.info.width):
            raise InputError(f"{file}: it is turned otherwise than the first frame; all frames must be alike")
        dtype: type[np.uint8] | type[np.uint16] = np.uint8 if self.info.bit_depth == 8 else np.uint16
        if len(self._files) > 1:
            self._noticed.update(dict.fromkeys(_named(file, still)))
            if dtype is np.uint8 and still.rgb.dtype != np.uint8:
                self._noticed[f"{file.name} has 16 bits, and the first frame 8: all are read with 8"] = None
        rgb = still.rgb
        if still.alpha is not None:
            rgb = over_black(rgb, still.alpha, is_associated=still.is_associated)
        if not self.info.has_alpha:
            return to_depth(rgb, dtype), None
        opaque = np.full(rgb.shape[:2], np.iinfo(dtype).max, dtype)
        return to_depth(rgb, dtype), opaque if still.alpha is None else to_depth(still.alpha, dtype)


@dataclass(frozen=True)
class _Whole:
    """What only all files of an input together tell."""

    codec: str
    has_alpha: bool
    warnings: tuple[str, ...]


@lru_cache(maxsize=8)
def _looked_through(files: tuple[tuple[Path, tuple[int, int, int]], ...], together: bool) -> _Whole:
    """Look through the files of an input once a process; a changed file is another one.

    Raises:
        InputError: a file cannot be read, or has another size than the first.
    """
    paths = [path for path, _ in files]
    headers = [read_header(path) for path in paths]
    first = headers[0]
    for path, header in zip(paths, headers, strict=True):
        if (header.width, header.height) != (first.width, first.height):
            raise InputError(
                f"{path}: {header.width}x{header.height} pixels, but {paths[0].name} has "
                f"{first.width}x{first.height}; "
                f"all {'images taken together' if together else 'frames of a folder'} must have one size"
            )
    # Whether a channel that may be transparent is, only its samples tell: up to the first file where it is.
    may_be = (path for path, header in zip(paths, headers, strict=True) if header.may_be_transparent)
    has_alpha = any(read_still(path).alpha is not None for path in may_be)
    warnings = [TRANSPARENCY] if has_alpha else []
    profile = first.icc_profile
    other = next((path for path, header in zip(paths, headers, strict=True) if header.icc_profile != profile), None)
    if other is not None:
        warnings.append(
            f"the files have different colour profiles ({paths[0].name}, {other.name}): "
            "their numbers are taken as they are, and layers get the first one's"
        )
    return _Whole(first.codec, has_alpha, tuple(warnings))


def _identity(file: Path) -> tuple[int, int, int]:
    try:
        stat = file.stat()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check its name and mode") from error
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _named(file: Path, still: Still) -> tuple[str, ...]:
    """The warnings about one of several files, with its name."""
    return tuple(f"{file.name}: {text}" for text in still.warnings)


def list_frames(folder: Path) -> list[Path]:
    """The image files of a folder in natural order (2 before 10); hidden files and others are left out.

    Raises:
        InputError: the folder cannot be read or holds no image.
    """
    try:
        files = [file for file in folder.iterdir() if file.is_file() and _is_frame(file)]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror}); check its mode and owner") from error
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise InputError(f"{folder}: the folder holds no frames ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return sorted(files, key=lambda file: (_natural(file.stem), file.name))


def _is_frame(file: Path) -> bool:
    """By its name; where that is a number without a suffix (which any program may write), by its content."""
    if file.suffix:
        return file.suffix.lower() in IMAGE_SUFFIXES
    return NUMBERED.fullmatch(file.name) is not None and is_image(file)


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", text)]


def _number_gaps(files: list[Path]) -> tuple[str, ...]:
    """Tell numbers that are missing from an otherwise regular row of names."""
    found = [re.search(r"([0-9]+)\D*$", file.stem) for file in files]
    numbers = np.array([int(match[1]) for match in found if match], dtype=object)
    if len(numbers) != len(files) or len(numbers) < 3:
        return ()
    steps = np.diff(numbers)
    usual = int(np.median(steps.astype(float)))
    holes = [int(place) for place in np.flatnonzero(steps != usual)]
    if not holes or len(holes) > len(steps) // 4:
        return ()
    where = ", ".join(f"after {files[place].name}" for place in holes[:5])
    return (f"the frames' numbers do not follow each other ({where}): frames may be missing",)
