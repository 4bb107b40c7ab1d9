"""Opening images with Pillow: the formats that are allowed, and its many errors as one clear line."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from ddvideo.errors import InputError
from ddvideo.media.limits import MAX_PIXELS, check_size

__all__ = ["DECODER_ERRORS", "decoding", "open_image"]

DECODER_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(AssertionError, RuntimeError, MemoryError, struct.error, zlib.error),
)
"""What Pillow, tifffile, imagecodecs and pillow-heif raise on files that are damaged. None of them has a root class."""


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn what a decoder raises inside the block into an :class:`InputError`; its warnings are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: more than the {MAX_PIXELS} pixels that ddvideo reads; make it smaller first"
        ) from error
    except DECODER_ERRORS as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{path}: the image is damaged or cut off ({why}); try to open it in a viewer") from error


def open_image(file: BinaryIO, path: Path, format: str) -> Image.Image:
    """Open a file as ``format`` (Pillow's name) and as nothing else; its samples are not decoded yet.

    Raises:
        InputError: its header is damaged, or claims a size that ddvideo does not read.
    """
    with decoding(path):
        try:
            image = Image.open(file, formats=[format])
        except UnidentifiedImageError as error:
            raise InputError(f"{path}: the image's header is damaged; try to open it in a viewer") from error
    check_size(*image.size, path)
    return image
