"""Reading stills, folders of numbered frames, and several images that are one input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.image_header import IMAGE_SUFFIXES, check_header, is_image
from ddvideo.media.images import read_image
from ddvideo.types import InputInfo, InputKind, InputPath, first_path

__all__ = ["FOLDER_FPS", "NUMBERED", "ImageSource", "list_frames"]

FOLDER_FPS = Fraction(25)
"""Frames in a folder have no times; they are taken to be 25 a second, as FFmpeg does."""


NUMBERED = re.compile(r"(?:frame|f)?[ _.-]?[0-9]+", re.IGNORECASE)
"""Stems that frames of a video have, and photographs do not: ``0001``, ``frame_12``."""


class ImageSource:
    """One still image; or several of one size: a folder of numbered frames, or a tuple of files in their order."""

    def __init__(self, source: InputPath) -> None:
        path, together = first_path(source), isinstance(source, tuple)
        folder = path.is_dir()
        self._files = list(source) if isinstance(source, tuple) else list_frames(path) if folder else [path]
        first = read_image(self._files[0])
        sizes = [check_header(file) for file in self._files]
        for file, size in zip(self._files, sizes, strict=True):
            if size != sizes[0]:
                raise InputError(
                    f"{file}: {size[0]}x{size[1]} pixels, but {self._files[0].name} has {sizes[0][0]}x{sizes[0][1]}; "
                    f"all {'images taken together' if together else 'frames of a folder'} must have one size"
                )
        kind: InputKind = "frames" if folder or together else "image"
        suffix = self._files[0].suffix.lower().lstrip(".") or "image"
        self.info = InputInfo(
            path=path,
            kind=kind,
            width=first.shape[1],
            height=first.shape[0],
            frames=len(self._files),
            fps=FOLDER_FPS,
            duration_seconds=float(len(self._files) / FOLDER_FPS),
            codec={"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff"}.get(suffix, suffix),
            pix_fmt="rgb24" if first.dtype == np.uint8 else "rgb48le",
            bit_depth=8 * first.dtype.itemsize,
            colour_range="full",
            warnings=_number_gaps(self._files) if folder else (),
            paths=tuple(self._files) if together else (),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was noticed about the files."""
        return self.info.warnings

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
            yield Frame(
                index=index,
                pts_seconds=index / FOLDER_FPS,
                duration_seconds=1 / FOLDER_FPS,
                rgb=self._fit(read_image(self._files[index]), self._files[index]),
            )

    def _fit(self, rgb: AnyArray, file: Path) -> AnyArray:
        expected = (self.info.height, self.info.width)
        if rgb.shape[:2] != expected:
            raise InputError(f"{file}: it is turned otherwise than the first frame; all frames must be alike")
        if self.info.bit_depth == 16 and rgb.dtype == np.uint8:
            return rgb.astype(np.uint16) * np.uint16(257)
        if self.info.bit_depth == 8 and rgb.dtype == np.uint16:
            return np.asarray((rgb.astype(np.uint32) + 128) // 257, dtype=np.uint8)
        return rgb


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
