"""Still images as arrays, both ways: 8 and 16 bit, upright, with what they carry besides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.exif import read_exif
from ddvideo.media.icc import grey_to_rgb, ink_to_rgb, profile_space
from ddvideo.media.image_header import ImageFormat, image_format
from ddvideo.media.samples import to_depth
from ddvideo.media.still import Header, Raw, Still
from ddvideo.media.stills_common import (
    bmp_header,
    jpeg_header,
    png_header,
    read_bmp,
    read_jpeg,
    read_png,
    read_webp,
    webp_header,
)
from ddvideo.media.stills_heif import avif_header, heif_header, read_avif, read_heif
from ddvideo.media.stills_other import j2k_header, pillow_header, read_j2k, read_with_pillow
from ddvideo.media.tiff import read_tiff, tiff_header

__all__ = ["encode_png", "read_header", "read_png_layer", "read_still"]

_PNG_LEVEL = 3

_READERS: dict[ImageFormat, tuple[Callable[[BinaryIO, Path], Header], Callable[[bytes, Path], Raw]]] = {
    "png": (png_header, read_png),
    "jpeg": (jpeg_header, read_jpeg),
    "bmp": (bmp_header, read_bmp),
    "webp": (webp_header, read_webp),
    "tiff": (tiff_header, read_tiff),
    "heif": (heif_header, read_heif),
    "avif": (avif_header, read_avif),
    "jpeg2000": (j2k_header, read_j2k),
    "gif": (partial(pillow_header, format="GIF"), partial(read_with_pillow, format="GIF")),
    "tga": (partial(pillow_header, format="TGA"), partial(read_with_pillow, format="TGA")),
    "pnm": (partial(pillow_header, format="PPM"), partial(read_with_pillow, format="PPM")),
}


def read_header(path: Path) -> Header:
    """What a still image tells before its samples are decoded.

    Raises:
        InputError: it cannot be read, is damaged, or claims a size that ddvideo does not read.
    """
    readers = _readers(path)
    try:
        with path.open("rb") as file:
            return readers[0](file, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error


def read_still(path: Path) -> Still:
    """Read a still image, upright, as RGB of 8 or 16 bits, with its transparency, profile and EXIF.

    Raises:
        InputError: it cannot be read, is damaged, absurdly large, or holds numbers that no picture can show.
    """
    readers = _readers(path)
    try:
        with path.open("rb") as file:
            readers[0](file, path)  # its size is checked before anything of that size is made
            file.seek(0)
            data = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    return _finished(readers[1](data, path))


def read_png_layer(path: Path) -> AnyArray:
    """Read one of our own layers as it is: ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA.

    Raises:
        InputError: it cannot be read or is damaged.
    """
    read_header(path)
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputError(f"{path}: the image is damaged or cut off; try to open it in a viewer")
    if pixels.ndim == 2:
        return np.asarray(pixels)
    swap = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    return np.asarray(cv2.cvtColor(pixels, swap))


def encode_png(pixels: AnyArray) -> bytes:
    """PNG bytes of ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA, uint8 or uint16."""
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA))
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])
    if not done:
        raise ValueError(f"no PNG can hold an array of {pixels.shape} {pixels.dtype}")
    return encoded.tobytes()


def _readers(path: Path) -> tuple[Callable[[BinaryIO, Path], Header], Callable[[bytes, Path], Raw]]:
    format = image_format(path)
    if format in _READERS:
        return _READERS[format]
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; was it copied or downloaded whole?")
    raise InputError(f"{path}: the image's header is damaged; try to open it in a viewer")


def _finished(raw: Raw) -> Still:
    """Colours as RGB, all of it upright, and what is carried along made fit for RGB layers."""
    rgb, profile, warnings = _as_rgb(raw)
    orientation, exif, wrong = read_exif(raw.exif) if raw.exif else (1, b"", "")
    alpha = raw.alpha
    if alpha is not None:
        alpha = None if alpha.min() == np.iinfo(alpha.dtype).max else to_depth(alpha, rgb.dtype.type)
    turn = raw.orientation if raw.orientation is not None else orientation
    return Still(
        rgb=_upright(rgb, turn),
        alpha=None if alpha is None else _upright(alpha, turn),
        is_associated=raw.is_associated,
        icc_profile=profile,
        exif=exif,
        cicp=raw.cicp,
        warnings=(*raw.warnings, *warnings, *([wrong] if wrong else [])),
    )


def _as_rgb(raw: Raw) -> tuple[AnyArray, bytes, list[str]]:
    samples, profile = raw.samples, raw.icc_profile
    if samples.ndim == 3 and samples.shape[2] == 4:
        rgb, warning = ink_to_rgb(samples, profile)
        return rgb, b"", [warning]
    space = profile_space(profile) if profile else ""
    if samples.ndim == 2 and space == "GRAY":
        return grey_to_rgb(samples, profile), b"", []
    rgb = np.repeat(samples[..., None], 3, axis=2) if samples.ndim == 2 else samples
    if not profile or space == "RGB":
        return rgb, profile, []
    why = f"is of {space} colours, which the picture does not have," if space else "is damaged"
    return rgb, b"", [f"its colour profile {why} and left out"]


def _upright(pixels: AnyArray, orientation: int) -> AnyArray:
    """Undo an EXIF orientation: 5 to 8 swap the axes first; then rows, columns or both are turned round."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
