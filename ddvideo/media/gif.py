"""Animated GIF: its frames put onto the canvas one after another, as browsers do (GIF89a, 23).

Pillow decodes the frames. It composes them as well, but wrong where frames differ in how they are taken away.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.media.limits import check_size
from ddvideo.media.pillow import decoding, open_image

__all__ = ["gif_frames", "has_end"]

_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL = b"\xf9"
_END = b";"
_CLEAR, _RESTORE = 2, 3
_FIRST_BLOCK = 13


@dataclass(frozen=True)
class _Part:
    """One frame as it is stored: where it lies, how long it is shown, how it goes, and its own bytes."""

    left: int
    top: int
    width: int
    height: int
    delay: int
    disposal: int
    transparent: int | None
    packed: bytes
    """From the flags of its descriptor on: colours and samples."""


def gif_frames(data: bytes, path: Path) -> Iterator[tuple[AnyArray, int]]:
    """Every frame on the whole canvas, ``(H, W, 4)`` straight RGBA, and its delay in hundredths of a second.

    Raises:
        InputError: a frame is damaged or cut off.
    """
    with decoding(path):
        width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
        colours = data[_FIRST_BLOCK : _FIRST_BLOCK + _table_bytes(data[10])]
    check_size(width, height, path)
    parts = list(_parts(data))
    canvas = np.empty((height, width, 4), np.uint8)
    canvas[:] = empty = _background(data, colours, parts)
    for part in parts:
        before = canvas.copy()
        part_of_canvas = canvas[part.top : part.top + part.height, part.left : part.left + part.width]
        pixels = _decoded(part, data[10], colours, path)[: part_of_canvas.shape[0], : part_of_canvas.shape[1]]
        np.copyto(part_of_canvas, pixels, where=pixels[..., 3:] > 0)
        yield canvas.copy(), part.delay
        if part.disposal == _CLEAR:
            part_of_canvas[:] = empty
        elif part.disposal == _RESTORE:
            canvas = before


def _background(data: bytes, colours: bytes, parts: list[_Part]) -> tuple[int, int, int, int]:
    """What an empty canvas shows: nothing, or the background colour where no frame knows transparency."""
    at = 3 * data[11]
    if any(part.transparent is not None for part in parts) or at + 3 > len(colours):
        return 0, 0, 0, 0
    return colours[at], colours[at + 1], colours[at + 2], 255


def has_end(data: bytes) -> bool:
    """Whether a GIF has its end mark behind its last frame."""
    end = max((end for _, _, end in _blocks(data)), default=0)
    return data[end : end + 1] == _END


def _parts(data: bytes) -> Iterator[_Part]:
    """The frames in a GIF; a last one that is cut off comes too, and cannot be decoded."""
    delay, disposal, transparent = 0, 0, None
    for kind, at, end in _blocks(data):
        if kind == _IMAGE:
            left, top, width, height = (int.from_bytes(data[at + k : at + k + 2], "little") for k in (1, 3, 5, 7))
            yield _Part(left, top, width, height, delay, disposal, transparent, data[at + 9 : end])
            delay, disposal, transparent = 0, 0, None
        elif data[at + 1 : at + 2] == _CONTROL and end <= len(data):
            flags = data[at + 3]
            delay, disposal = int.from_bytes(data[at + 4 : at + 6], "little"), flags >> 2 & 7
            transparent = data[at + 6] if flags & 1 else None


def _blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of every image and extension."""
    at = _FIRST_BLOCK + _table_bytes(data[10])
    while at < len(data) and data[at] in (_IMAGE, _EXTENSION):
        if data[at] == _IMAGE:
            if at + 10 > len(data):
                return
            end = _after_blocks(data, at + 11 + _table_bytes(data[at + 9]))
        else:
            end = _after_blocks(data, at + 2)
        yield data[at], at, end
        at = end


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _decoded(part: _Part, flags: int, colours: bytes, path: Path) -> AnyArray:
    """The frame's own pixels, through Pillow: as the only frame of a GIF of its size."""
    size = part.width.to_bytes(2, "little") + part.height.to_bytes(2, "little")
    control = b""
    if part.transparent is not None:
        control = bytes([_EXTENSION, *_CONTROL, 4, 1, 0, 0, part.transparent, 0])
    head = b"GIF89a" + size + bytes([flags, 0, 0]) + colours + control
    alone = head + bytes([_IMAGE]) + bytes(4) + size + part.packed + b";"
    with open_image(io.BytesIO(alone), path, "GIF") as image, decoding(path):
        return np.asarray(image.convert("RGBA"))
