"""A few frames of a written layer, decoded again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.media.image_header import is_image
from ddvideo.media.images import read_png_layer
from ddvideo.media.video_source import VideoSource

__all__ = ["sample_layer"]


def sample_layer(path: Path, wanted: Sequence[int], *, width: int, height: int, channels: int) -> Iterator[FloatArray]:
    """Some frames of a layer that ddvideo wrote, as a player shows them.

    Args:
        path: its file, or its folder of pictures.
        wanted: which frames, rising, counted from the layer's first.
        width: of the input in pixels; what a layer is padded by is cut off.
        height: likewise.
        channels: of the layer, 1 or 3; transparency that lies beside its colours is left out.

    Yields:
        ``(H, W, channels)`` float32 in [0, 1], one for each that is wanted.

    Raises:
        InputError: the layer cannot be read.
    """
    for samples in _read(path, wanted):
        unit = samples.astype(np.float32) / np.float32(np.iinfo(samples.dtype).max)
        yield np.atleast_3d(unit)[:height, :width, :channels]


def _read(path: Path, wanted: Sequence[int]) -> Iterator[AnyArray]:
    if path.is_dir():
        yield from (read_png_layer(path / f"{index:06d}.png") for index in wanted)
    elif is_image(path):
        yield read_png_layer(path)
    else:
        with VideoSource(path, interlaced="keep") as source:
            for index in wanted:
                yield next(iter(source.frames(index, index + 1))).rgb
