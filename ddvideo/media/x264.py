"""How x264 is set: quality that holds on any content, at a speed that fits the budget.

Layers are written with a constant quantiser, not a constant rate factor: the rate factor takes bits away exactly where
texture is rich, and a layer's fidelity must not depend on its content. Chroma is quantised finer than usual because
its error is amplified on the way to RGB. Measured on 854x480 DAVIS frames, one thread: 15 to 18 ms a frame, 43 dB in
RGB on the hardest (grass and noise; 4:2:0 alone costs down to 49 dB), 47 dB on the usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final, Literal

from av import VideoFormat

from ddvideo.config import Chroma
from ddvideo.media.colour import Colour
from ddvideo.media.siting import DEFAULT_LOCATION
from ddvideo.types import InputInfo

__all__ = [
    "Quality",
    "container_options_for",
    "options_for",
    "pix_fmt_for",
    "signalled",
    "sited",
    "size_for",
    "time_base_for",
]

Quality = Literal["layer", "preview"]

_LAYER_QP: Final = 10
_ALPHA_QP: Final = 4
_PREVIEW_CRF: Final = 18
_TEN_BIT_QP_OFFSET: Final = 12
_FAITHFUL: Final = "aq-mode=0:psy=0:mbtree=0:ipratio=1.1:pbratio=1.1:deadzone-inter=6:deadzone-intra=6"
_LONGEST_STAY_TICKS: Final = 2**31 - 1
_FINE_TIMESCALE: Final = 10_000_000
"""MP4 counts how long a frame stays in 31 bits: of these ticks (Windows' own), three minutes."""
_BLOCK: Final = 64
"""Pixels to a side of the picture in which the planes of a pixel format are measured; any multiple of 4 would do."""


def options_for(pix_fmt: str, *, alpha: bool, quality: Quality) -> dict[str, str]:
    """Encoder options for a pixel format."""
    deeper = _TEN_BIT_QP_OFFSET if pix_fmt.endswith("10le") else 0
    if alpha:
        return {"preset": "superfast", "qp": str(_ALPHA_QP), "x264-params": _FAITHFUL}
    if quality == "preview":
        return {"preset": "veryfast", "crf": str(_PREVIEW_CRF)}
    return {"preset": "superfast", "qp": str(_LAYER_QP + deeper), "x264-params": f"{_FAITHFUL}:chroma-qp-offset=-8"}


def signalled(options: Mapping[str, str], like: InputInfo, pix_fmt: str, chroma_location: str) -> dict[str, str]:
    """Encoder options, and with them those that say how a layer's samples are meant.

    Matrix, range, primaries and transfer are set on the encoder; here go where subsampled chroma lies, which field
    comes first where interlaced frames are kept, and the mastering of PQ footage.

    Args:
        options: the encoder's others.
        like: the input.
        pix_fmt: the layer's.
        chroma_location: FFmpeg's name of it.
    """
    told = dict(options)
    if pix_fmt.startswith("yuv420"):
        told["chroma_sample_location"] = chroma_location
    params = [options["x264-params"]] if "x264-params" in options else []
    if like.is_interlaced:
        params.append(f"{like.field_order}=1")
    if pix_fmt != "gray" and like.mastering_display:
        params.append(f"mastering-display={like.mastering_display}")
    if pix_fmt != "gray" and like.content_light:
        params.append(f"cll={like.content_light}")
    return told | {"x264-params": ":".join(params)} if params else told


def sited(colour: Colour, pix_fmt: str) -> Colour:
    """The colour description with its chroma where H.264 can say that it lies: of 4:2:2 it can not, but at the left."""
    return replace(colour, chroma_location=DEFAULT_LOCATION) if pix_fmt.startswith("yuv422") else colour


def pix_fmt_for(like: InputInfo, *, alpha: bool, quality: Quality = "layer", chroma: Chroma = "auto") -> str:
    """The pixel format of a layer: the input's depth (8 or 10 bits), and its chroma unless another is asked for."""
    if alpha:
        return "gray"
    if quality == "preview":
        return "yuv420p"
    name = f"yuv{_own_chroma(like) if chroma == 'auto' else chroma}p"
    return f"{name}10le" if like.bit_depth > 8 else name


def size_for(like: InputInfo, *, quality: Quality = "layer", chroma: Chroma = "auto") -> tuple[int, int]:
    """Width and height of an input's layers, alpha included: its own, made even where chroma is subsampled.

    Of interlaced frames, this holds for each of the two fields.
    """
    planes = _planes(pix_fmt_for(like, alpha=False, quality=quality, chroma=chroma))
    across, down = _BLOCK // planes[1].width, _BLOCK // planes[1].height * (2 if like.is_interlaced else 1)
    return -(-like.width // across) * across, -(-like.height // down) * down


def _own_chroma(like: InputInfo) -> str:
    """How finely an input holds colour.

    RGB video has it at every pixel, as 4:4:4 does. Folders of pictures count as 4:2:0, which is what their mp4 is for:
    to be played; and so does 4:4:0, which browsers and QuickTime do not play. 4:1:1 is held whole by 4:2:2 alone.
    """
    if like.kind != "video":
        return "420"
    pixels, planes = VideoFormat(like.pix_fmt, _BLOCK, _BLOCK), _planes(like.pix_fmt)
    if pixels.is_rgb or pixels.has_palette:
        return "444"
    if len(planes) < 3 or planes[1].height < _BLOCK:
        return "420"
    return "444" if planes[1].width == _BLOCK else "422"


def _planes(pix_fmt: str) -> tuple[Any, ...]:
    """The components of a pixel format, as they are in a picture of ``_BLOCK`` x ``_BLOCK`` pixels."""
    return VideoFormat(pix_fmt, _BLOCK, _BLOCK).components


def time_base_for(like: InputInfo) -> Fraction:
    """A tick in which every timestamp of the input is a whole number, as far as MP4 can hold it."""
    ticks = (like.time_base or 1 / like.fps).denominator
    is_held = ticks <= _FINE_TIMESCALE or ticks * like.duration_seconds < _LONGEST_STAY_TICKS
    return Fraction(1, ticks if is_held else 1_000_000)


def container_options_for(base: Fraction, quality: Quality = "layer") -> dict[str, str]:
    """MP4 keeps a late start in its movie's own tick, which is a millisecond unless it is told otherwise.

    A preview has its index in front, so that a browser can play it before it is loaded. Layers have it at the end: to
    bring it to the front, all of a file is read and written once more.
    """
    tick = {"movie_timescale": str(base.denominator)} if base.denominator > 1 else {}
    return tick | ({"movflags": "faststart"} if quality == "preview" else {})
