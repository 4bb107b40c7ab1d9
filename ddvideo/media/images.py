"""Still images as arrays, both ways: 8 and 16 bit, EXIF orientation applied."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.image_header import check_header

__all__ = ["encode_png", "read_image", "read_png_layer"]

_PNG_LEVEL = 3


def read_image(path: Path) -> AnyArray:
    """Read an image upright as ``(H, W, 3)`` RGB, uint8 or uint16; transparency is dropped, grey becomes RGB.

    Raises:
        InputError: it cannot be read, is damaged, absurdly large, or of a depth other than 8 or 16 bits.
    """
    check_header(path)
    return _decode(path, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH)


def read_png_layer(path: Path) -> AnyArray:
    """Read one of our own layers as it is: ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA."""
    check_header(path)
    pixels = _decode(path, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels
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


def _is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG lacks its end: decoders fill the rest with grey and say nothing."""
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(b"\x89PNG") and b"IEND" not in data[-4096:]


def _decode(path: Path, flags: int) -> AnyArray:
    try:
        data = path.read_bytes()
        if _is_cut_off(data):
            raise InputError(f"{path}: the image is cut off; was it copied or downloaded whole?")
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its name and mode") from error
    except cv2.error as error:
        raise InputError(f"{path}: the image cannot be decoded; try to open it in a viewer") from error
    if pixels is None:
        raise InputError(f"{path}: the image is damaged or cut off; try to open it in a viewer")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: {pixels.dtype} samples are not read; save it with 8 or 16 bits")
    return np.asarray(pixels)
