"""Reading a written layer back for the Python interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.media.container import open_input, video_stream
from ddvideo.media.image_header import is_image
from ddvideo.media.image_source import list_frames
from ddvideo.media.images import read_png_layer
from ddvideo.media.index import decode_all
from ddvideo.media.video_source import VideoSource

__all__ = ["read_layer"]


def read_layer(path: str | Path) -> Iterator[FloatArray]:
    """Stream a layer that ddvideo wrote as float32 in [0, 1].

    Gives ``(H, W)`` for alpha, ``(H, W, 3)`` for colour, ``(H, W, 4)`` for RGBA, one array a frame.

    Raises:
        InputError: the layer cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        for file in list_frames(path):
            yield _unit(read_png_layer(file))
    elif is_image(path):
        yield _unit(read_png_layer(path))
    else:
        yield from _read_video(path)


def _read_video(path: Path) -> Iterator[FloatArray]:
    with VideoSource(path) as source:
        if not source.info.pix_fmt.startswith("gray"):
            for frame in source.frames():
                yield _unit(frame.rgb)
            return
    with open_input(path) as container:
        for picture in decode_all(container, video_stream(container, path)):
            yield _unit(np.array(picture.to_ndarray()))


def _unit(pixels: AnyArray) -> FloatArray:
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
