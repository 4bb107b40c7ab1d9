"""Reading PNG, JPEG, BMP and WebP: samples through OpenCV, what they carry besides through their own structure."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import imagecodecs
import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.limits import check_size
from ddvideo.media.pillow import decoding, open_image
from ddvideo.media.png_chunks import inflated_profile, png_chunks
from ddvideo.media.still import Header, Raw

__all__ = ["bmp_header", "jpeg_header", "png_header", "read_bmp", "read_jpeg", "read_png", "read_webp", "webp_header"]

_GREY, _GREY_ALPHA, _RGB_ALPHA = 0, 4, 6  # PNG's colour types
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_JPEG_END, _JPEG_ALONE = 0xD9, frozenset({0x01, *range(0xD0, 0xD9)})


def png_header(file: BinaryIO, path: Path) -> Header:
    """Size, transparency and profile of a PNG.

    Raises:
        InputError: the header is damaged, or claims a size that ddvideo does not read.
    """
    return _png_header(dict(png_chunks(file)), path)


def _png_header(chunks: dict[bytes, bytes], path: Path) -> Header:
    start = chunks.get(b"IHDR", b"")
    if len(start) != 13:
        raise InputError(f"{path}: the image's header is damaged or cut off; try to open it in a viewer")
    width, height = int.from_bytes(start[:4]), int.from_bytes(start[4:8])
    check_size(width, height, path)
    return Header(
        codec="png",
        width=width,
        height=height,
        may_be_transparent=start[9] in (_GREY_ALPHA, _RGB_ALPHA) or b"tRNS" in chunks,
        icc_profile=inflated_profile(chunks[b"iCCP"]) if b"iCCP" in chunks else b"",
    )


def read_png(data: bytes, path: Path) -> Raw:
    """Decode a PNG of any depth; what follows its end is left alone."""
    chunks = dict(png_chunks(io.BytesIO(data)))
    header = _png_header(chunks, path)
    _check_whole(b"IEND" in chunks, path)
    alpha = None
    if header.may_be_transparent:
        with decoding(path):
            samples = imagecodecs.png_decode(data)
        samples, alpha = samples[..., :-1], samples[..., -1]
        samples = samples[..., 0] if samples.shape[2] == 1 else samples
    else:
        samples = _decoded(data, path)
        samples = samples[..., 0] if chunks[b"IHDR"][9] == _GREY else samples
    tag = chunks.get(b"cICP", b"")
    warnings = []
    if b"iCCP" in chunks and not header.icc_profile:
        warnings.append("its colour profile is damaged and left out")
    if (count := int.from_bytes(chunks.get(b"acTL", b"")[:4])) > 1:
        warnings.append(_moves(count))
    return Raw(
        samples=samples,
        alpha=alpha,
        icc_profile=header.icc_profile,
        exif=chunks.get(b"eXIf", b""),
        cicp=(tag[0], tag[1]) if len(tag) == 4 else None,
        warnings=tuple(warnings),
    )


def jpeg_header(file: BinaryIO, path: Path) -> Header:
    """Size and profile of a JPEG's first picture."""
    with open_image(file, path, "JPEG") as image:
        return Header(codec="jpeg", width=image.width, height=image.height, icc_profile=_profile(image.info))


def read_jpeg(data: bytes, path: Path) -> Raw:
    """Decode the first picture of a JPEG file; a clip or further pictures behind it are left alone."""
    end = _jpeg_end(data)
    _check_whole(end is not None, path)
    data = data[:end]
    with open_image(io.BytesIO(data), path, "JPEG") as image:
        if image.mode == "CMYK":
            with decoding(path):
                samples = np.asarray(image)
        else:
            samples = _decoded(data, path)
            samples = samples[..., 0] if image.mode == "L" else samples
        return Raw(samples=samples, icc_profile=_profile(image.info), exif=image.info.get("exif", b""))


def _jpeg_end(data: bytes) -> int | None:
    """Where the first picture ends: behind its own end marker, not one of a thumbnail in its header."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _JPEG_END:
            return at
        if marker not in _JPEG_ALONE:
            at += int.from_bytes(data[at : at + 2])
    return None


def bmp_header(file: BinaryIO, path: Path) -> Header:
    """Size of a BMP, and whether it names a channel as its alpha."""
    with open_image(file, path, "BMP") as image:
        return Header(codec="bmp", width=image.width, height=image.height, may_be_transparent=image.mode == "RGBA")


def read_bmp(data: bytes, path: Path) -> Raw:
    """Decode a BMP."""
    with open_image(io.BytesIO(data), path, "BMP") as image, decoding(path):
        image.load()  # tells a cut-off file without a word on the terminal
        if image.mode == "RGBA":
            samples = np.asarray(image)
            return Raw(samples=samples[..., :3], alpha=samples[..., 3])
    return Raw(samples=_decoded(data, path))


def webp_header(file: BinaryIO, path: Path) -> Header:
    """Size, transparency and profile of a WebP."""
    with open_image(file, path, "WEBP") as image:
        return Header(
            codec="webp",
            width=image.width,
            height=image.height,
            may_be_transparent=image.mode == "RGBA",
            icc_profile=_profile(image.info),
        )


def read_webp(data: bytes, path: Path) -> Raw:
    """Decode a WebP; of an animated one its first frame."""
    _check_whole(len(data) >= 8 + int.from_bytes(data[4:8], "little"), path)
    with open_image(io.BytesIO(data), path, "WEBP") as image:
        count = getattr(image, "n_frames", 1)
        alpha = None
        if image.mode == "RGBA" or count > 1:
            with decoding(path):
                samples = np.asarray(image.convert("RGBA"))
            samples, alpha = samples[..., :3], samples[..., 3]
        else:
            samples = _decoded(data, path)
        return Raw(
            samples=samples,
            alpha=alpha,
            icc_profile=_profile(image.info),
            exif=image.info.get("exif", b""),
            warnings=(_moves(count),) if count > 1 else (),
        )


def _moves(count: int) -> str:
    return f"it is an animation of {count} frames, and only the first is read"


def _check_whole(is_whole: bool, path: Path) -> None:
    if not is_whole:
        raise InputError(f"{path}: the image is cut off; was it copied or downloaded whole?")


def _profile(info: Mapping[Any, Any]) -> bytes:
    found = info.get("icc_profile")
    return found if isinstance(found, bytes) else b""


def _decoded(data: bytes, path: Path) -> AnyArray:
    """``(H, W, 3)`` RGB as OpenCV decodes it, not turned."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise InputError(f"{path}: the image cannot be decoded; try to open it in a viewer") from error
    if pixels is None:
        raise InputError(f"{path}: the image is damaged or cut off; try to open it in a viewer")
    return np.asarray(pixels)
