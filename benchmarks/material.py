"""The files that a measurement takes from the data folder, and pictures on their way from and to files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.davis import DataError, read_frame
from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.media import open_source

__all__ = ["files", "is_coloured", "needed", "pictures_of", "unit", "write_png"]


def files(folder: Path, *patterns: str) -> list[Path]:
    """The files of a folder that have one of the patterns, by name.

    Raises:
        DataError: there is none.
    """
    found = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if not found:
        raise DataError(f"there is no {' or '.join(patterns)} in {folder}; see --data")
    return found


def needed(file: Path) -> Path:
    """The file itself.

    Raises:
        DataError: it is missing.
    """
    if not file.is_file():
        raise DataError(f"{file} is missing; see --data")
    return file


def is_coloured(path: Path) -> bool:
    """Whether a picture has a pixel that is not grey."""
    picture = read_frame(path)
    return bool((picture != picture[..., :1]).any())


def pictures_of(path: Path) -> Iterator[ByteArray]:
    """The frames of a video, a still or a folder, ``(H, W, 3)`` uint8 RGB, as every method gets them."""
    with open_source(path) as source:
        for frame in source.frames():
            yield frame.rgb


def unit(picture: ByteArray) -> FloatArray:
    """The same as float32 in [0, 1]."""
    return picture.astype(np.float32) / np.float32(255)


def write_png(path: Path, picture: ByteArray) -> Path:
    """Write ``(H, W, 3)`` uint8 RGB; returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])
    return path
