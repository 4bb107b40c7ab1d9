"""Reading TIFF: any depth, layout and byte order, through tifffile."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import tifffile
from tifffile import PHOTOMETRIC as SPACE

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.exif import exif_of_tiff
from ddvideo.media.icc import lab_to_rgb
from ddvideo.media.limits import MAX_PIXELS, check_size
from ddvideo.media.pillow import decoding
from ddvideo.media.still import Header, Raw, full_range
from ddvideo.media.tiff_samples import stretched

__all__ = ["read_tiff", "tiff_header"]

_ORIENTATION, _ICC, _COLOUR_MAP, _EXIF, _GPS = 274, 34675, 320, 34665, 34853
_ASSOCIATED, _STRAIGHT = 1, 2
_COLOURS = {SPACE.RGB: 3, SPACE.YCBCR: 3, SPACE.CIELAB: 3, SPACE.SEPARATED: 4, SPACE.PALETTE: 1}
_GREYS = frozenset({SPACE.MINISBLACK, SPACE.MINISWHITE, SPACE.MASK})
_JPEG = frozenset({6, 7, 34892})
_MOST_SAMPLES = 4 * MAX_PIXELS  # RGB and alpha of the largest picture that is read

# What tifffile logs on damaged files is told in our own words; without a handler Python would print it.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def tiff_header(file: BinaryIO, path: Path) -> Header:
    """What the first full-resolution page tells; its samples are not decoded.

    Raises:
        InputError: the file is damaged, or claims a size that ddvideo does not read.
    """
    with decoding(path), tifffile.TiffFile(file) as tiff:
        page = _pages(tiff)[0]
        check_size(page.imagewidth, page.imagelength, path)
        return Header(
            codec="tiff",
            width=page.imagewidth,
            height=page.imagelength,
            may_be_transparent=_alpha_place(page) is not None,
            icc_profile=_bytes(page, _ICC),
        )


def read_tiff(data: bytes, path: Path) -> Raw:
    """Decode the first full-resolution page; further ones are told in a warning.

    Raises:
        InputError: it is damaged, or holds what no picture can show (see :mod:`ddvideo.media.tiff_samples`).
    """
    with decoding(path), tifffile.TiffFile(io.BytesIO(data)) as tiff:
        pages = _pages(tiff)
        page = pages[0]
        _check(page, len(data), path)
        planes = _planes(page, data)
        warnings = list(_page_warnings(tiff, pages))
        colours, place = _COLOURS.get(page.photometric, 1), _alpha_place(page)
        unused = planes.shape[2] - colours - (place is not None)
        if unused:
            warnings.append(f"{unused} of its {planes.shape[2]} channels are no colours and are not read")
        samples = _colours(page, planes[..., :colours], path)
        alpha = None if place is None else stretched(planes[..., place], page.bitspersample, path)
        if alpha is not None and alpha.dtype != samples.dtype:
            alpha = full_range(alpha, 8 * alpha.itemsize, dtype="uint16")
        exif, wrong = (b"", "") if tiff.is_bigtiff else exif_of_tiff(data)
        if wrong or (tiff.is_bigtiff and (_EXIF in page.tags or _GPS in page.tags)):
            warnings.append(wrong or "its EXIF data is left out of the layers: it is not read from a BigTIFF")
        orientation = page.tags.valueof(_ORIENTATION, 1)
        return Raw(
            samples=samples,
            alpha=alpha,
            is_associated=place is not None and int(page.extrasamples[place - colours]) == _ASSOCIATED,
            orientation=int(orientation) if orientation in range(1, 9) else 1,
            icc_profile=b"" if page.photometric == SPACE.CIELAB else _bytes(page, _ICC),  # these are sRGB already
            exif=exif,
            warnings=tuple(warnings),
        )


def _pages(tiff: tifffile.TiffFile) -> list[Any]:
    """The pages at full resolution. Thumbnails, smaller copies and masks are none, nor is what lies in sub-IFDs.

    Camera files keep a thumbnail where others keep the picture, and the picture below it.
    """
    pages: list[Any] = list(tiff.pages)
    full = [page for page in pages if not (page.is_reduced or page.is_mask)]
    below = [page for first in pages[:1] if not full for page in first.pages or () if not page.is_reduced]
    found = full or below or pages[:1]
    if not found:
        raise ValueError("no page")
    return [page.aspage() for page in found[:1]] + found[1:]


def _page_warnings(tiff: tifffile.TiffFile, pages: Sequence[Any]) -> Sequence[str]:
    planes = int((tiff.imagej_metadata or {}).get("images", 1)) if tiff.is_imagej else 1
    count = max(len(pages), planes, pages[0].imagedepth)
    return [f"it holds {count} pages or planes, and only the first is read"] if count > 1 else []


def _check(page: Any, file_bytes: int, path: Path) -> None:
    """Refuse what would take too much memory, lacks its end, or has no colours that can be shown."""
    check_size(page.imagewidth, page.imagelength, path)
    if page.imagewidth * page.imagelength * page.imagedepth * page.samplesperpixel > _MOST_SAMPLES:
        raise InputError(
            f"{path}: {page.samplesperpixel} channels of {page.imagewidth}x{page.imagelength} pixels are more than "
            "ddvideo reads; save it as RGB"
        )
    if page.photometric not in _GREYS and page.photometric not in _COLOURS:
        name = getattr(page.photometric, "name", page.photometric)
        raise InputError(f"{path}: a TIFF of {name} samples is no finished picture; develop or save it as RGB")
    if page.samplesperpixel < _COLOURS.get(page.photometric, 1):
        raise InputError(f"{path}: the image is damaged: it has too few channels; try to open it in a viewer")
    ends = [at + size for at, size in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > file_bytes:
        raise InputError(f"{path}: the image is cut off; was it copied or downloaded whole?")


def _planes(page: Any, data: bytes) -> AnyArray:
    """The samples as ``(H, W, S)``; of a volume the first plane."""
    if page.photometric == SPACE.YCBCR and page.compression not in _JPEG:
        # Their conversion is libtiff's work: tifffile leaves them as they are, and cannot read subsampled ones.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
        if pixels is None or pixels.shape[:2] != (page.imagelength, page.imagewidth):
            raise ValueError("YCbCr samples of this layout are not read")
        return np.asarray(pixels)
    array = np.asarray(page.asarray())
    shape = (page.imagedepth, page.imagelength, page.imagewidth, page.samplesperpixel)
    if page.axes.startswith("S"):
        array = np.moveaxis(array, 0, -1)
    return np.asarray(array.reshape(shape)[0])


def _alpha_place(page: Any) -> int | None:
    """Which sample is the alpha. What a file does not call so is none."""
    colours = _COLOURS.get(page.photometric, 1)
    for place, kind in enumerate(page.extrasamples):
        if int(kind) in (_ASSOCIATED, _STRAIGHT) and colours + place < page.samplesperpixel:
            return colours + place
    return None


def _colours(page: Any, planes: AnyArray, path: Path) -> AnyArray:
    if page.photometric == SPACE.PALETTE:
        colours = np.asarray(page.tags.valueof(_COLOUR_MAP), np.uint16).reshape(3, -1).T
        # Written with 16 bits; some programs write 8 into them, as libtiff knows too.
        return np.asarray(colours if colours.max() < 256 else colours >> 8, np.uint8)[planes[..., 0]]
    if page.photometric == SPACE.CIELAB:
        if planes.dtype != np.uint8:
            planes = np.asarray(planes.astype(np.int32) >> 8, np.int32).astype(np.uint8)
        return lab_to_rgb(planes)
    samples = stretched(planes if planes.shape[2] > 1 else planes[..., 0], page.bitspersample, path)
    if page.photometric == SPACE.MINISWHITE:
        samples = np.iinfo(samples.dtype).max - samples
    return samples


def _bytes(page: Any, tag: int) -> bytes:
    value = page.tags.valueof(tag)
    return bytes(value) if isinstance(value, bytes) else b""
