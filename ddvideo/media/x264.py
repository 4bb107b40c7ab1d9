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
from typing import Final, Literal

from av import VideoFormat

from ddvideo.media.colour import Colour
from ddvideo.media.siting import DEFAULT_LOCATION
from ddvideo.types import InputInfo

__all__ = ["Quality", "container_options_for", "options_for", "pix_fmt_for", "signalled", "sited", "time_base_for"]

Quality = Literal["layer", "preview"]

_LAYER_QP: Final = 10
_ALPHA_QP: Final = 4
_PREVIEW_CRF: Final = 18
_TEN_BIT_QP_OFFSET: Final = 12
_FAITHFUL: Final = "aq-mode=0:psy=0:mbtree=0:ipratio=1.1:pbratio=1.1:deadzone-inter=6:deadzone-intra=6"
_LONGEST_STAY_TICKS: Final = 2**31 - 1
_FINE_TIMESCALE: Final = 10_000_000
"""MP4 counts how long a frame stays in 31 bits: of these ticks (Windows' own), three minutes."""


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


def pix_fmt_for(like: InputInfo, *, alpha: bool) -> str:
    """The pixel format of a layer: the input's depth (8 or 10 bits) and chroma; odd sizes need full chroma."""
    if alpha:
        return "gray"
    name = "yuv420p"
    if like.kind == "video":
        pixels = VideoFormat(like.pix_fmt, 64, 64)
        planes = pixels.components
        if pixels.is_rgb or pixels.has_palette:
            name = "yuv444p"
        elif len(planes) >= 3 and planes[1].height == 64:
            name = "yuv444p" if planes[1].width == 64 else "yuv422p"
    if like.width % 2 or (like.height % 2 and name == "yuv420p"):
        name = "yuv444p"
    return f"{name}10le" if like.bit_depth > 8 else name


def time_base_for(like: InputInfo) -> Fraction:
    """A tick in which every timestamp of the input is a whole number, as far as MP4 can hold it."""
    ticks = (like.time_base or 1 / like.fps).denominator
    is_held = ticks <= _FINE_TIMESCALE or ticks * like.duration_seconds < _LONGEST_STAY_TICKS
    return Fraction(1, ticks if is_held else 1_000_000)


def container_options_for(base: Fraction) -> dict[str, str]:
    """MP4 keeps a late start in its movie's own tick, which is a millisecond unless it is told otherwise."""
    return {"movie_timescale": str(base.denominator)} if base.denominator > 1 else {}
