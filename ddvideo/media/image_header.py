"""The size of a still image from its header, before its pixels take memory."""

from __future__ import annotations

import struct
from pathlib import Path

from ddvideo.errors import InputError
from ddvideo.media.limits import check_size

__all__ = ["IMAGE_SUFFIXES", "check_header", "is_image"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".tif", ".tiff", ".webp"})

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\x00", b"MM\x00*")
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MJPEG_SUFFIXES = frozenset({".mjpg", ".mjpeg"})
_HEAD_BYTES = 1 << 16
_DAMAGED = (struct.error, IndexError, KeyError)


def is_image(path: Path) -> bool:
    """Whether the file begins as a still image does (PNG, JPEG, BMP, TIFF, WebP), whatever its name."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    if head.startswith(_JPEG):
        return path.suffix.lower() not in _MJPEG_SUFFIXES
    animated_webp = head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP" and not animated_webp
    return head.startswith((_PNG, *_TIFF)) or webp or (head[:2] == b"BM" and path.suffix.lower() == ".bmp")


def check_header(path: Path) -> tuple[int, int]:
    """Width and height as the file's header tells them, before any turning; refused where absurd.

    Raises:
        InputError: the header is damaged, or claims a size that ddvideo does not read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if not head:
                raise InputError(f"{path}: the file is empty; was it copied or downloaded whole?")
            try:
                width, height = _size(head)
            except _DAMAGED:  # a long preface (EXIF, thumbnails), or a TIFF whose directory lies at its end
                width, height = _size(head + file.read())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    except _DAMAGED as error:
        raise InputError(f"{path}: the image's header is damaged; try to open it in a viewer") from error
    check_size(width, height, path)
    return width, height


def _size(head: bytes) -> tuple[int, int]:
    if head.startswith(_PNG):
        return struct.unpack_from(">II", head, 16)
    if head.startswith(_JPEG):
        return _jpeg_size(head)
    if head.startswith(_TIFF):
        return _tiff_size(head)
    if head[:2] == b"BM":
        width, height = struct.unpack_from("<ii", head, 18)
        return width, abs(height)
    if head[8:12] == b"WEBP":
        return _webp_size(head)
    raise KeyError("no image that ddvideo knows")


def _jpeg_size(head: bytes) -> tuple[int, int]:
    at = 2
    while True:
        while head[at] != 0xFF:
            at += 1
        marker = head[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        standalone = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if standalone else 2 + struct.unpack_from(">H", head, at + 2)[0]


def _tiff_size(head: bytes) -> tuple[int, int]:
    order = "<" if head[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", head, 4)
    (count,) = struct.unpack_from(f"{order}H", head, at)
    values = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", head, entry)
        if tag in (256, 257):
            (values[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", head, entry + 8)
    return values[256], values[257]


def _webp_size(head: bytes) -> tuple[int, int]:
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF
