"""Writing PNG: one file for an image, a folder ``000000.png`` on for a video or a folder of frames."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import UsageError
from ddvideo.media import colour
from ddvideo.media.files import part_of, publish_file, publish_folder, remove_part, writing
from ddvideo.media.images import encode_png
from ddvideo.media.png_chunks import add_chunks, deflated_profile
from ddvideo.media.samples import check_frame, to_depth
from ddvideo.types import InputInfo

__all__ = ["PngSink"]

_RGB_MATRIX, _FULL_RANGE, _UNSPECIFIED = 0, 1, 2  # code points of ITU-T H.273


class PngSink:
    """Frames as PNG, 8 bits, or 16 where the input is deeper; grey for alpha, RGB or RGBA for colour.

    Colour layers of images carry the input's colour profile or tag; those of a single image its EXIF data too.
    """

    codec = "png"

    def __init__(self, path: Path, *, like: InputInfo, alpha: bool) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._like = like
        self._channels = (1,) if alpha else (3, 4)
        self._dtype: type[np.uint8] | type[np.uint16] = np.uint8 if like.bit_depth <= 8 else np.uint16
        self._format = "gray" if alpha else "rgb24"
        self._single = like.kind == "image"
        self._part = part_of(path)
        self._chunks = _chunks(like)
        self._written = 0
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_part(self._part)
            if not self._single:
                self._part.mkdir()

    @property
    def pix_fmt(self) -> str:
        """Pixel format by FFmpeg's name; RGBA is known from the first frame on."""
        deep = {"gray": "gray16be", "rgb24": "rgb48be", "rgba": "rgba64be"}
        return self._format if self._dtype is np.uint8 else deep[self._format]

    def write(
        self, frame: AnyArray, pts_seconds: Fraction | None = None, duration_seconds: Fraction | None = None
    ) -> None:
        """Write the next frame; a folder of pictures has no times, so they are not kept."""
        if self._single and self._written:
            raise UsageError(f"{self.path}: an image holds one frame, a second one was given")
        frame = to_depth(check_frame(frame, self._like.width, self._like.height, self._channels), self._dtype)
        if frame.ndim == 3:
            self._format = "rgba" if frame.shape[2] == 4 else "rgb24"
        file = self._part if self._single else self._part / f"{self._written:06d}.png"
        with writing(self.path), file.open("wb") as target:
            target.write(add_chunks(encode_png(frame), self._chunks) if frame.ndim == 3 else encode_png(frame))
            target.flush()
            os.fsync(target.fileno())
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not self._written:
            remove_part(self._part)
            if kind is None:
                raise UsageError(f"{self.path}: no frame was written")
            return
        with writing(self.path):
            if self._single:
                publish_file(self._part, self.path)
            else:
                publish_folder(self._part, self.path)


def _chunks(like: InputInfo) -> list[tuple[bytes, bytes]]:
    """What colour layers carry besides their samples (PNG 3, 11.3): ``cICP``, ``iCCP``, ``eXIf``."""
    chunks = []
    primaries = colour.PRIMARIES.get(like.colour_primaries, _UNSPECIFIED)
    transfer = colour.TRANSFERS.get(like.colour_transfer, _UNSPECIFIED)
    if like.kind != "video" and _UNSPECIFIED not in (primaries, transfer):
        chunks.append((b"cICP", bytes([primaries, transfer, _RGB_MATRIX, _FULL_RANGE])))
    if like.icc_profile:
        chunks.append((b"iCCP", deflated_profile(like.icc_profile)))
    if like.exif and like.kind == "image":
        chunks.append((b"eXIf", like.exif))
    return chunks
