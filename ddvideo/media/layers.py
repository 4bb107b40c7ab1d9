"""Reading a written layer back for the Python interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.media.container import open_input, video_stream
from ddvideo.media.decoding import Decoding
from ddvideo.media.image_header import is_image
from ddvideo.media.image_source import list_frames
from ddvideo.media.images import read_png_layer
from ddvideo.media.video_source import VideoSource

__all__ = ["read_layer"]


def read_layer(path: str | Path, *, size: tuple[int, int] | None = None) -> Iterator[FloatArray]:
    """Stream a layer that ddvideo wrote as float32 in [0, 1].

    Args:
        path: the file, or the folder of pictures.
        size: width and height of the input in pixels; what the layer has beyond them, at its right and lower edge, is
            there to make it even, and is cut off.

    Yields:
        ``(H, W)`` for alpha, ``(H, W, 3)`` for colour, ``(H, W, 4)`` for RGBA, one array a frame.

    Raises:
        InputError: the layer cannot be read.
    """
    for values in _read(Path(path)):
        yield values if size is None else values[: size[1], : size[0]]


def _read(path: Path) -> Iterator[FloatArray]:
    if path.is_dir():
        for file in list_frames(path):
            yield _unit(read_png_layer(file))
    elif is_image(path):
        yield _unit(read_png_layer(path))
    else:
        yield from _read_video(path)


def _read_video(path: Path) -> Iterator[FloatArray]:
    with open_input(path) as container:
        stream = video_stream(container, path)
        if _is_monochrome(stream.codec_context.extradata):
            for _, picture in Decoding(container, stream).frames():
                # FFmpeg decodes 4:0:0 with a neutral chroma beside it; full-range luma is the alpha itself.
                luma = np.frombuffer(bytes(picture.planes[0]), np.uint8).reshape(-1, picture.planes[0].line_size)
                yield _unit(luma[: picture.height, : picture.width])
            return
    with VideoSource(path, interlaced="keep") as source:
        for frame in source.frames():
            yield _unit(frame.rgb)


def _is_monochrome(avcc: bytes | None) -> bool:
    """Whether an ``avcC`` box describes 4:0:0 (ISO/IEC 14496-15, 5.3.3; 14496-10, 7.3.2.1.1).

    After profile, constraints and level the sequence header begins with its id (0) and ``chroma_format_idc`` (0), each
    a single set bit in Exp-Golomb code.
    """
    return avcc is not None and len(avcc) > 12 and avcc[0] == 1 and avcc[9] >= 100 and avcc[12] >> 6 == 0b11


def _unit(pixels: AnyArray) -> FloatArray:
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
