"""Which files are still images, and which are animations: told from their content, not from their names."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from PIL import Image

from ddvideo.errors import InputError
from ddvideo.media.pillow import decoding
from ddvideo.media.png_chunks import PNG, png_chunks

__all__ = ["IMAGE_SUFFIXES", "ImageFormat", "image_format", "is_animation", "is_image"]

ImageFormat: TypeAlias = Literal[
    "png", "jpeg", "bmp", "webp", "tiff", "gif", "tga", "pnm", "jpeg2000", "heif", "heif-sequence", "avif", "avis"
]

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".tif", ".tiff", ".btf", ".webp", ".tga"}
    | {".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm"}
)

_MAGIC: tuple[tuple[bytes, ImageFormat], ...] = (
    (PNG, "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    *((magic, "tiff") for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
)
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_HEIF_STILLS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"mif3"})
_HEIF_SEQUENCES = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})
_MJPEG_SUFFIXES = frozenset({".mjpg", ".mjpeg"})
_HEAD_BYTES = 1024


def image_format(path: Path) -> ImageFormat | None:
    """The format that a file begins as, still or animated, whatever its name; None where it is none of ours.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    for magic, format in _MAGIC:
        if head.startswith(magic):
            return None if format == "jpeg" and path.suffix.lower() in _MJPEG_SUFFIXES else format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "pnm"
    if head[4:8] == b"ftyp":
        return _heif_format(head)
    # TGA has no mark of its own: the name must tell.
    return "tga" if path.suffix.lower() == ".tga" and head else None


def _heif_format(head: bytes) -> ImageFormat | None:
    """By the major brand; a general one is AVIF where that is among the compatible ones."""
    brands = [head[at : at + 4] for at in range(16, int.from_bytes(head[:4]), 4)]
    major = head[8:12]
    if major in _HEIF_SEQUENCES:
        return "avis" if b"avis" in brands else "heif-sequence"
    if major == b"avis":
        return "avis"
    if major == b"avif" or (major in _HEIF_STILLS and b"avif" in brands):
        return "avif"
    return "heif" if major in _HEIF_STILLS else None


def is_image(path: Path) -> bool:
    """Whether the file is a still image that ddvideo reads.

    Raises:
        InputError: the file cannot be read.
    """
    format = image_format(path)
    return format is not None and format != "heif-sequence" and not _moves(path, format)


def is_animation(path: Path) -> bool:
    """Whether the file is an image format's animation: GIF, WebP, APNG or AVIF of several frames.

    Raises:
        InputError: the file cannot be read.
    """
    format = image_format(path)
    return format is not None and _moves(path, format)


def _moves(path: Path, format: ImageFormat) -> bool:
    if format == "avis":
        return True
    if format not in ("png", "gif", "webp"):
        return False
    with path.open("rb") as file:
        return _is_apng(file) if format == "png" else _has_frames(file, path, format)


def _is_apng(file: BinaryIO) -> bool:
    for kind, content in png_chunks(file):
        if kind == b"acTL":
            return int.from_bytes(content[:4]) > 1
        if kind == b"IDAT":  # what says that it moves stands before
            return False
    return False


def _has_frames(file: BinaryIO, path: Path, format: ImageFormat) -> bool:
    head = file.read(21)
    if format == "webp" and not (head[12:16] == b"VP8X" and head[20:] and head[20] & 2):
        return False
    file.seek(0)
    try:
        with decoding(path), Image.open(file, formats=[format.upper()]) as image:
            return bool(getattr(image, "is_animated", False))
    except InputError:
        return format == "webp"  # it says so itself; what is wrong with it is told on reading
