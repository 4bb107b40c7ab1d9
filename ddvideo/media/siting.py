"""Where subsampled chroma lies among the luma pixels (ITU-T H.273, chroma_sample_loc_type), read and said.

FFmpeg's converter places chroma where the frame says; PyAV shows that neither of a frame nor lets it be set. So it is
measured, with a ramp in the chroma planes, and set by a filter that changes nothing else.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from ddvideo.arrays import FloatArray
from ddvideo.media.filters import FilterChain
from ddvideo.media.pixels import bit_depth, chroma_divisors

__all__ = ["DEFAULT_LOCATION", "UNSPECIFIED", "Siting", "chroma_location"]

UNSPECIFIED: Final = "unspecified"
DEFAULT_LOCATION: Final = "left"
"""What players, and FFmpeg, take a stream for that does not say it (MPEG-2 and all after it)."""

# How far the chroma sample lies right and down in the block of luma pixels that share it: 0 at the first pixel, 1 in
# the middle of the block, 2 at the last pixel.
_PLACES: Final = {
    (0, 1): "left",
    (1, 1): "center",
    (0, 0): "topleft",
    (1, 0): "top",
    (0, 2): "bottomleft",
    (1, 2): "bottom",
}
_PERIOD_PX: Final = 64
_EDGE_PX: Final = 8
_LEAST_PX: Final = 24
_LOW: Final = 96
_SMOOTH: Final = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
# The converter takes a frame that says nothing for one whose chroma lies in the middle. These codecs do say so: by
# their standard (JPEG, MPEG-1, Theora), or in the stream, left being what their decoders say where that does not.
_SAY_CENTRE: Final = frozenset(
    {"amv", "h264", "hevc", "jpegls", "ljpeg", "mjpeg", "mjpegb", "mpeg1video", "theora", "vvc", "yuv4mpeg"}
)


class Siting:
    """Marks frames with a chroma location, so that conversion and encoders use it.

    Args:
        location: FFmpeg's name of it; ``unspecified`` leaves frames as they are.
    """

    def __init__(self, location: str) -> None:
        self._chain = FilterChain([("setparams", f"chroma_location={location}")]) if location != UNSPECIFIED else None

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The frame, marked; its pixels are shared."""
        if self._chain is None:
            return frame
        return self._chain.push(frame)[0]


def chroma_location(frame: VideoFrame, codec: str) -> str:
    """Where a decoded frame says that its chroma lies; ``codec`` is FFmpeg's name, ``yuv4mpeg`` for that container.

    ``frame``'s pixels are overwritten. Returns FFmpeg's name; the default where the frame says nothing or is too small
    to measure, ``unspecified`` where chroma is not subsampled.
    """
    across, down = chroma_divisors(frame.format.name)
    if (across, down) == (1, 1):
        return UNSPECIFIED
    if len(frame.planes) < 3 or min(frame.width, frame.height) < _LEAST_PX:
        return DEFAULT_LOCATION
    _draw_ramps(frame, across, down)
    seen = VideoReformatter().reformat(frame, format="yuv444p", interpolation=_SMOOTH, threads=1)
    # The ramps rise by one level a luma pixel: a sample that lies half a pixel right reads half a level low.
    columns, rows = (np.arange(_EDGE_PX, min(side, _PERIOD_PX) - _EDGE_PX) for side in (frame.width, frame.height))
    blue, red = (_plane(seen, number)[np.ix_(rows, columns)] - _LOW for number in (1, 2))
    right = float(np.mean(columns - red)) / ((across - 1) / 2) if across > 1 else 0.0
    below = float(np.mean(rows[:, None] - blue)) / ((down - 1) / 2) if down > 1 else 1.0
    place = min(_PLACES.items(), key=lambda item: abs(item[0][0] - right) + abs(item[0][1] - below))[1]
    return DEFAULT_LOCATION if place == "center" and codec not in _SAY_CENTRE else place


def _draw_ramps(frame: VideoFrame, across: int, down: int) -> None:
    """Grey luma; the first chroma plane rises downwards, the second to the right, by one level a luma pixel."""
    frame.make_writable()
    level = 1 << (bit_depth(frame.format.name) - 8)
    rows, columns = np.mgrid[: frame.planes[1].height, : frame.planes[1].width]
    ramps = (
        np.full((frame.height, frame.width), 128),
        _LOW + (down * rows) % _PERIOD_PX,
        _LOW + (across * columns) % _PERIOD_PX,
    )
    for plane, values in zip(frame.planes, ramps, strict=False):
        kind = np.uint8 if level == 1 else np.uint16
        stored = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
        stored[:, : values.shape[1]] = values * level
        plane.update(stored.tobytes())


def _plane(frame: VideoFrame, number: int) -> FloatArray:
    """A plane of 8-bit samples as ``(H, W)``."""
    plane = frame.planes[number]
    samples = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return samples[:, : plane.width].astype(np.float32)
