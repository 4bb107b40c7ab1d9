"""What a pixel format says of itself: its depth, its chroma, its transparency."""

from __future__ import annotations

import numpy as np
from av import VideoFormat, VideoFrame

__all__ = ["bit_depth", "chroma_divisors", "has_alpha_channel", "is_rgb", "is_transparent"]

_SIDE = 64


def bit_depth(pix_fmt: str) -> int:
    """Bits of the deepest component of a pixel format."""
    return max(component.bits for component in VideoFormat(pix_fmt).components)


def is_rgb(pix_fmt: str) -> bool:
    """Whether samples are red, green and blue, directly or through a palette."""
    pixels = VideoFormat(pix_fmt)
    return bool(pixels.is_rgb or pixels.has_palette)


def has_alpha_channel(pix_fmt: str) -> bool:
    """Whether the format carries transparency."""
    pixels = VideoFormat(pix_fmt)
    return bool(pixels.has_palette or any(component.is_alpha for component in pixels.components))


def chroma_divisors(pix_fmt: str) -> tuple[int, int]:
    """How many luma pixels lie beside, and above, each other for one of chroma; (1, 1) for RGB and grey."""
    pixels = VideoFormat(pix_fmt, _SIDE, _SIDE)
    if is_rgb(pix_fmt) or len(pixels.components) < 3:
        return 1, 1
    chroma = pixels.components[1]
    return _SIDE // chroma.width, _SIDE // chroma.height


def is_transparent(frame: VideoFrame) -> bool:
    """Whether any pixel of a frame is not opaque."""
    if not has_alpha_channel(frame.format.name):
        return False
    deep = bit_depth(frame.format.name) > 8
    pixels = frame.reformat(format="rgba64le" if deep else "rgba").to_ndarray()[..., 3]
    top = ((1 << bit_depth(frame.format.name)) - 1) << (16 - bit_depth(frame.format.name)) if deep else 255
    return bool(np.asarray(pixels).min() < top)
