"""EXIF: how a picture must be turned, and what is handed on to its layers."""

from __future__ import annotations

import warnings

from PIL import Image
from PIL.ExifTags import IFD, Base

from ddvideo.media.pillow import DECODER_ERRORS

__all__ = ["DAMAGED_EXIF", "exif_of_tiff", "read_exif"]

DAMAGED_EXIF = "its EXIF data is damaged and left out of the layers"

_PREFIX = b"Exif\0\0"
_UPRIGHT = 1
_FROM_TIFF = (Base.Make, Base.Model, Base.DateTime, Base.Artist, Base.Copyright, IFD.Exif, IFD.GPSInfo)


def read_exif(block: bytes) -> tuple[int, bytes, str]:
    """What an EXIF block tells.

    Returns:
        The orientation (1 to 8); the block with its orientation set to upright, without a prefix and without the
        thumbnail, which would show the picture as it was; and what is wrong with the block, empty where nothing is.
        Of a damaged block the orientation alone is taken, as far as it can be read.
    """
    orientation = _UPRIGHT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation = _load(block).get(Base.Orientation, _UPRIGHT)
        with warnings.catch_warnings(record=True) as told:  # Pillow steps over damage, and says so
            warnings.simplefilter("always")
            exif = _load(block)
            if Base.Orientation in exif:
                exif[Base.Orientation] = _UPRIGHT
            kept = exif.tobytes().removeprefix(_PREFIX) if len(exif) else b""
        kept, wrong = (b"", DAMAGED_EXIF) if told else (kept, "")
    except DECODER_ERRORS:
        kept, wrong = b"", DAMAGED_EXIF
    return orientation if orientation in range(1, 9) else _UPRIGHT, kept, wrong


def exif_of_tiff(data: bytes) -> tuple[bytes, str]:
    """What a TIFF file tells of its making (camera, times, place, author) as an EXIF block; and what is wrong with it.

    The block is empty where the file tells nothing of the kind.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags, exif = _load(data), Image.Exif()
            for tag in _FROM_TIFF:
                if tag in tags:
                    exif[tag] = tags.get_ifd(tag) if tag in (IFD.Exif, IFD.GPSInfo) else tags[tag]
            return exif.tobytes().removeprefix(_PREFIX) if len(exif) else b"", ""
    except DECODER_ERRORS:
        return b"", DAMAGED_EXIF


def _load(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(_PREFIX + block.removeprefix(_PREFIX))
    return exif
