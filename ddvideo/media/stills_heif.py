"""Reading HEIC, HEIF and AVIF: whole pictures, grids included, at their depth."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import pillow_heif

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.limits import check_size
from ddvideo.media.pillow import decoding, open_image
from ddvideo.media.still import Header, Raw, full_range

__all__ = ["avif_bits", "avif_header", "heif_header", "read_avif", "read_heif"]


def heif_header(file: BinaryIO, path: Path) -> Header:
    """Size, transparency and profile of the primary picture, as it is after turning."""
    with decoding(path):
        image = _primary(file)[0]
    check_size(image.size[0], image.size[1], path)
    profile = image.info.get("icc_profile") or b""
    return Header(
        codec="heif",
        width=image.size[0],
        height=image.size[1],
        may_be_transparent=image.has_alpha,
        icc_profile=profile,
    )


def read_heif(data: bytes, path: Path) -> Raw:
    """Decode the primary picture. It comes turned: what EXIF tells of that repeats what the file itself does."""
    with decoding(path):
        image, count = _primary(io.BytesIO(data))
    check_size(image.size[0], image.size[1], path)
    with decoding(path):
        samples = full_range(np.asarray(image), image.info.get("bit_depth", 8))
    colours, alpha = _split(samples, has_alpha=image.has_alpha)
    profile = image.info.get("icc_profile") or b""  # goes before the tag, which then tells the matrix alone
    return Raw(
        samples=colours,
        alpha=alpha,
        orientation=1,
        is_associated=image.premultiplied_alpha,
        icc_profile=profile,
        exif=image.info.get("exif") or b"",
        cicp=None if profile else _of_nclx(image.info.get("nclx_profile")),
        warnings=(f"it holds {count} pictures, and only the main one is read",) if count > 1 else (),
    )


def _primary(file: BinaryIO) -> tuple[Any, int]:
    """The main picture, not decoded yet, and how many pictures there are."""
    pictures = pillow_heif.open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    return pictures[pictures.primary_index], len(pictures)


def _of_nclx(nclx: dict[str, Any] | None) -> tuple[int, int] | None:
    return (int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])) if nclx else None


def avif_header(file: BinaryIO, path: Path) -> Header:
    """Size, transparency and profile of an AVIF, before it is turned."""
    with open_image(file, path, "AVIF") as image:
        return Header(
            codec="avif",
            width=image.width,
            height=image.height,
            may_be_transparent=image.mode == "RGBA",
            icc_profile=image.info.get("icc_profile") or b"",
        )


def read_avif(data: bytes, path: Path) -> Raw:
    """Decode an AVIF still at its own depth."""
    bits = avif_bits(data)
    with open_image(io.BytesIO(data), path, "AVIF") as image, decoding(path):
        exif = image.info.get("exif") or b""
        profile, has_alpha = image.info.get("icc_profile") or b"", image.mode == "RGBA"
        pixels = imagecodecs.avif_decode(data) if bits > 8 else np.asarray(image)
    if pixels.ndim not in (2, 3) or pixels.shape[:2] != (image.height, image.width):
        raise InputError(f"{path}: {bits}-bit AVIF of this layout is not read; save it with 8 bits")
    colours, alpha = _split(full_range(pixels, bits), has_alpha=has_alpha)
    return Raw(
        samples=colours,
        alpha=alpha,
        icc_profile=profile,
        exif=exif,  # Pillow tells the file's own turning in it, and not what EXIF told before
        cicp=None if profile else _avif_colours(data),
    )


def avif_bits(data: bytes) -> int:
    """Bits of a sample: the flags ``high_bitdepth`` and ``twelve_bit`` of the ``av1C`` box (AV1 in ISOBMFF, 2.3)."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _avif_colours(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer function of the ``nclx`` colour box (ISO/IEC 14496-12, 12.1.5)."""
    at = data.find(b"colrnclx") + 8
    return (int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])) if at >= 8 else None


def _split(samples: AnyArray, *, has_alpha: bool) -> tuple[AnyArray, AnyArray | None]:
    """Colours and alpha; one channel alone is grey."""
    if samples.ndim == 2:
        return samples, None
    colours, alpha = (samples[..., :-1], samples[..., -1]) if has_alpha else (samples, None)
    return (colours[..., 0] if colours.shape[2] == 1 else colours), alpha
