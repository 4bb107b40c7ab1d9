"""Reading GIF, TGA, PNM and JPEG 2000 stills through Pillow, and the deep ones of them at their depth."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

from ddvideo.arrays import AnyArray
from ddvideo.media.limits import check_size
from ddvideo.media.pillow import decoding, open_image
from ddvideo.media.still import Header, Raw, full_range

__all__ = ["j2k_header", "pillow_header", "read_j2k", "read_with_pillow"]

_TRANSPARENT = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_PROFILE_BOX = b"colr\x02"
_CODESTREAM = b"\xff\x4f\xff\x51"
_DEPTH_AT = 42  # of the first component's depth less 1, in the codestream (ISO/IEC 15444-1, A.5.1)


def pillow_header(file: BinaryIO, path: Path, format: str) -> Header:
    """Size and transparency of an image in ``format`` (Pillow's name)."""
    with open_image(file, path, format) as image:
        return Header(
            codec={"PPM": "pnm", "JPEG2000": "jpeg2000"}.get(format, format.lower()),
            width=image.width,
            height=image.height,
            may_be_transparent=image.mode in _TRANSPARENT or "transparency" in image.info,
        )


def j2k_header(file: BinaryIO, path: Path) -> Header:
    """Size, transparency and profile of a JPEG 2000."""
    header = pillow_header(file, path, "JPEG2000")
    file.seek(0)
    return replace(header, icc_profile=_j2k_profile(file.read()))


def _j2k_profile(data: bytes) -> bytes:
    """The ICC profile in the colour box of a JP2 file (ISO/IEC 15444-1, I.5.3.3), which lies before the samples."""
    at = data.find(_PROFILE_BOX, 0, max(data.find(_CODESTREAM), 0))
    return data[at + 7 : at - 4 + int.from_bytes(data[at - 4 : at])] if at >= 4 else b""


def read_with_pillow(data: bytes, path: Path, format: str) -> Raw:
    """Decode the first picture of an image in ``format`` (Pillow's name)."""
    with open_image(io.BytesIO(data), path, format) as image, decoding(path):
        deep = _deep_pnm(data, image) if format == "PPM" else None
        image.load()  # tells a cut-off file
        return _raw(image) if deep is None else Raw(samples=deep)


def _raw(image: Image.Image) -> Raw:
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        return Raw(samples=pixels[..., :3], alpha=pixels[..., 3])
    if image.mode == "CMYK":
        return Raw(samples=np.asarray(image))
    if image.mode.startswith("I"):
        return Raw(samples=np.asarray(image).astype(np.uint16))
    return Raw(samples=np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")))


def _deep_pnm(data: bytes, image: Image.Image) -> AnyArray | None:
    """The samples of a PGM or PPM of more than 8 bits, which Pillow cuts; None for every other PNM."""
    if data[:2] not in (b"P2", b"P3", b"P5", b"P6") or not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return None
    tile = image.tile[0]
    largest = tile.args[-1] if isinstance(tile.args, tuple) else tile.args
    if not isinstance(largest, int) or largest < 256:
        return None
    channels = 3 if data[:2] in (b"P3", b"P6") else 1
    count = image.width * image.height * channels
    if data[:2] in (b"P5", b"P6"):
        samples = np.frombuffer(data, ">u2", count, tile.offset).astype(np.float64)
    else:
        samples = np.array(data[tile.offset :].split(maxsplit=count)[:count], np.float64)
    deep = np.asarray(np.rint(np.minimum(samples / largest, 1) * 65535), np.uint16)
    return deep.reshape(image.height, image.width, *([3] if channels == 3 else []))


def read_j2k(data: bytes, path: Path) -> Raw:
    """Decode a JPEG 2000 at its own depth."""
    start = data.find(_CODESTREAM)
    bits = (data[start + _DEPTH_AT] & 0x7F) + 1 if 0 <= start < len(data) - _DEPTH_AT else 8
    with open_image(io.BytesIO(data), path, "JPEG2000") as image:
        check_size(*image.size, path)
        mode = image.mode
        if bits <= 8 or mode not in ("I;16", "LA", "RGB", "RGBA"):
            with decoding(path):
                image.load()
                return replace(_raw(image), icc_profile=_j2k_profile(data))
    with decoding(path):
        samples = full_range(imagecodecs.jpeg2k_decode(data), bits)
    if mode in ("LA", "RGBA"):
        colours = samples[..., 0] if mode == "LA" else samples[..., :3]
        return Raw(samples=colours, alpha=samples[..., -1], icc_profile=_j2k_profile(data))
    return Raw(samples=samples, icc_profile=_j2k_profile(data))
