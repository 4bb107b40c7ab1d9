"""One colour policy for reading and writing: which matrix and range, explicitly, and high-quality conversion.

A stream that tells its matrix and range is believed. One that does not is read as players do: BT.709 from 1280 px
width or more than 576 lines on, BT.601 below; limited range. The matrix that was used to read is used, and tagged, when
layers are written, so that a colour that goes in comes out; and so is the place of the chroma samples. Layers are
written in limited range, which every player understands, and which swscale writes without bias (into full range it is
off by up to one level: measured).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from ddvideo.arrays import AnyArray
from ddvideo.media.filters import FilterChain
from ddvideo.media.pixels import bit_depth, has_alpha_channel, is_rgb
from ddvideo.media.siting import DEFAULT_LOCATION, UNSPECIFIED, Siting
from ddvideo.media.transparency import over_black
from ddvideo.types import InputInfo

__all__ = [
    "FULL_RANGE",
    "GREY",
    "LIMITED_RANGE",
    "PRIMARIES",
    "SPACES",
    "TRANSFERS",
    "Colour",
    "RgbReader",
    "RgbWriter",
    "name_of",
]

LIMITED_RANGE: Final = 1
FULL_RANGE: Final = 2
_QUALITY: Final = (
    Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
)

# ISO/IEC 23091-2 code points, which are also FFmpeg's.
SPACES: Final = {
    "gbr": 0,
    "bt709": 1,
    "unspecified": 2,
    "fcc": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "ycgco": 8,
    "bt2020nc": 9,
    "bt2020c": 10,
    "ictcp": 14,
}
PRIMARIES: Final = {
    "bt709": 1,
    "unspecified": 2,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "film": 8,
    "bt2020": 9,
    "smpte428": 10,
    "smpte431": 11,
    "smpte432": 12,
    "ebu3213": 22,
}
TRANSFERS: Final = {
    "bt709": 1,
    "unspecified": 2,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "linear": 8,
    "iec61966-2-1": 13,
    "bt2020-10": 14,
    "bt2020-12": 15,
    "smpte2084": 16,
    "arib-std-b67": 18,
}
# Code point of the matrix -> swscale's number for it.
_SWS_MATRIX: Final = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_SPACE_OF_PRIMARIES: Final = {"bt709": "bt709", "bt470bg": "bt470bg", "smpte170m": "smpte170m", "bt2020": "bt2020nc"}
_YUV_GRAY_CODECS: Final = ("h264", "hevc", "vp9", "libdav1d", "av1", "mpeg2video", "mpeg4")


def name_of(code: int, table: dict[str, int]) -> str:
    """The name of a code point; ``unspecified`` where the table has none."""
    return next((name for name, value in table.items() if value == code), "unspecified")


@dataclass(frozen=True)
class Colour:
    """How YUV numbers mean colours: matrix (code point), full or limited range; primaries and transfer pass through."""

    space: int
    full_range: bool
    primaries: int = 2
    transfer: int = 2
    chroma_location: str = DEFAULT_LOCATION
    by_field: bool = False
    """Whether the chroma of interlaced frames belongs to fields, not to frames."""

    @classmethod
    def of(cls, info: InputInfo) -> Colour:
        """The colour description that ``info``'s frames are read with, and its layers are written with."""
        space = info.colour_space
        if SPACES.get(space) not in _SWS_MATRIX:
            by_size = "bt709" if info.width >= 1280 or info.height > 576 else "smpte170m"
            space = _SPACE_OF_PRIMARIES.get(info.colour_primaries, by_size)
        return cls(
            space=SPACES[space],
            full_range=info.colour_range == "full",
            primaries=PRIMARIES.get(info.colour_primaries, 2),
            transfer=TRANSFERS.get(info.colour_transfer, 2),
            by_field=info.is_interlaced,
            chroma_location=DEFAULT_LOCATION if info.chroma_location == UNSPECIFIED else info.chroma_location,
        )

    @property
    def range_code(self) -> int:
        """1 for limited, 2 for full range."""
        return FULL_RANGE if self.full_range else LIMITED_RANGE

    @property
    def matrix(self) -> int:
        """The matrix by swscale's numbers."""
        return _SWS_MATRIX[self.space]


GREY: Final = Colour(space=1, full_range=True, primaries=1, transfer=1)
"""How grey layers are tagged (BT.709), whatever the input: they are shares, not light of the scene."""


class RgbReader:
    """Turns decoded frames of one input into ``(H, W, 3)`` RGB, uint8 or full-range uint16, of the input's size."""

    def __init__(self, info: InputInfo) -> None:
        self._size = (info.width, info.height)
        self._colour = Colour.of(info)
        self._is_deep = info.bit_depth > 8
        self._codec = info.codec
        self._reformatter = VideoReformatter()
        self._sited = Siting(info.chroma_location)
        self._apart = FilterChain([("il", "luma_mode=deinterleave:chroma_mode=deinterleave:alpha_mode=deinterleave")])

    def __call__(self, frame: VideoFrame) -> tuple[AnyArray, AnyArray | None]:
        """Convert one frame.

        Returns:
            The picture, over black where the frame carries transparency, and that as ``(H, W)``, 0 is transparent. Both
            are the caller's own.
        """
        name = frame.format.name
        carries_alpha = has_alpha_channel(name)
        if self._colour.by_field and frame.interlaced_frame:
            pixels = woven(self._convert(self._apart.push(self._sited(frame))[0], carries_alpha=carries_alpha))
        else:
            pixels = self._convert(self._sited(frame), carries_alpha=carries_alpha)
        if pixels.dtype == np.uint8:
            rgb, alpha = pixels[..., :3], pixels[..., 3:]
        elif is_rgb(name):
            rgb, alpha = pixels[..., :3], scale_uint16(pixels[..., 3:], 65535 / _shifted_white(name))
        else:
            white = 255 << 8 if self._range(frame) == LIMITED_RANGE else _shifted_white(name)
            rgb = scale_uint16(pixels[..., :3], 65535 / white)
            alpha = scale_uint16(pixels[..., 3:], 65535 / _shifted_white(name))
        if not carries_alpha:
            return np.array(rgb), None
        return over_black(rgb, alpha[..., 0]), np.array(alpha[..., 0])

    def _convert(self, frame: VideoFrame, *, carries_alpha: bool) -> AnyArray:
        names = ("rgba64le", "rgb48le") if self._is_deep else ("rgba", "rgb24")
        return self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format=names[0] if carries_alpha else names[1],
            src_colorspace=self._colour.matrix,
            dst_colorspace=self._colour.matrix,
            src_color_range=self._range(frame),
            dst_color_range=FULL_RANGE,
            interpolation=_QUALITY,
            threads=1,
        ).to_ndarray()

    def _range(self, frame: VideoFrame) -> int:
        name = frame.format.name
        image_gray = name.startswith("gray") and self._codec not in _YUV_GRAY_CODECS
        if is_rgb(name) or (image_gray and frame.color_range == 0):
            return FULL_RANGE
        return self._colour.range_code


def woven(fields: AnyArray) -> AnyArray:
    """A frame ``(H, W, C)`` from its fields, the one of the first line above the other."""
    top = -(-len(fields) // 2)
    frame = np.empty_like(fields)
    frame[::2], frame[1::2] = fields[:top], fields[top:]
    return frame


def _shifted_white(pix_fmt: str) -> int:
    """The uint16 value that swscale gives white: it shifts deep samples to 16 bits and does not stretch them."""
    bits = bit_depth(pix_fmt)
    return ((1 << bits) - 1) << (16 - bits)


class RgbWriter:
    """Turns ``(H, W, 3)`` RGB arrays (uint8 or uint16) into limited-range frames of a pixel format."""

    def __init__(self, colour: Colour, pix_fmt: str) -> None:
        self._colour = colour
        self._pix_fmt = pix_fmt
        self._reformatter = VideoReformatter()
        self._sited = Siting(colour.chroma_location)
        self._together = FilterChain([("il", "luma_mode=interleave:chroma_mode=interleave")])

    def __call__(self, rgb: AnyArray) -> VideoFrame:
        """Convert one frame."""
        if not self._colour.by_field:
            return self._convert(rgb)
        return self._together.push(self._convert(np.concatenate([rgb[::2], rgb[1::2]])))[0]

    def _convert(self, rgb: AnyArray) -> VideoFrame:
        name = "rgb24"
        if rgb.dtype == np.uint16:
            name, rgb = "rgb48le", scale_uint16(rgb, (255 << 8) / 65535)
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format=name)
        frame.pts = 0
        return self._reformatter.reformat(
            self._sited(frame),
            format=self._pix_fmt,
            src_colorspace=self._colour.matrix,
            dst_colorspace=self._colour.matrix,
            src_color_range=FULL_RANGE,
            dst_color_range=LIMITED_RANGE,
            interpolation=_QUALITY,
            threads=1,
        )


def scale_uint16(array: AnyArray, factor: float) -> AnyArray:
    """``array`` times ``factor``, rounded and held in 0..65535."""
    scaled = np.rint(array.astype(np.float32) * np.float32(factor))
    return np.asarray(np.minimum(scaled, 65535), dtype=np.uint16)
