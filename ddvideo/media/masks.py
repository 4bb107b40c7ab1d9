"""Masks that a user has drawn or made, read as numbers: white is 1, whatever kind of file they come in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.errors import InputError
from ddvideo.media.image_source import list_frames
from ddvideo.media.images import read_still
from ddvideo.media.source import open_source

__all__ = ["read_mask", "read_masks"]


def read_mask(path: Path) -> FloatArray:
    """A still image as a mask: its transparency where that is not the same everywhere, else its brightest channel.

    The brightest channel, not the luma: a stroke of pure red or blue is meant as one.

    Returns:
        ``(H, W)`` float32 in [0, 1], upright.

    Raises:
        InputError: it cannot be read as an image.
    """
    still = read_still(path)
    return _mask(still.rgb, still.alpha)


def read_masks(path: Path, wanted: Sequence[int]) -> Iterator[FloatArray]:
    """Frames of a still, a folder of numbered frames, or a video, as masks.

    Args:
        path: the file or folder.
        wanted: which frames, ascending.

    Returns:
        ``(H, W)`` float32 in [0, 1] for each; see :func:`read_mask`.

    Raises:
        InputError: one of them cannot be read.
    """
    if not wanted:
        return
    with open_source(path) as source:
        if source.info.kind != "video":
            files = [path] if source.info.kind == "image" else list_frames(path)
            yield from (read_mask(files[index]) for index in wanted)
            return
        left = set(wanted)
        for frame in source.frames(wanted[0], wanted[-1] + 1):
            if frame.index in left:
                left.remove(frame.index)
                yield _mask(frame.rgb, frame.alpha)
        if left:
            raise InputError(f"{path}: frame {min(left)} could not be read; was it changed?")


def _mask(rgb: AnyArray, alpha: AnyArray | None) -> FloatArray:
    tells = alpha is not None and alpha.min() < alpha.max()
    return _unit(alpha if alpha is not None and tells else rgb.max(2))


def _unit(values: AnyArray) -> FloatArray:
    return np.asarray(values, np.float32) / np.float32(np.iinfo(values.dtype).max)
