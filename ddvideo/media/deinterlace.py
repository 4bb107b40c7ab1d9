"""Interlaced frames: which of their fields comes first, and how they are made progressive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain as chained
from itertools import islice

import numpy as np
from av import VideoFrame

from ddvideo.media.filters import FilterChain
from ddvideo.types import FieldOrder

__all__ = ["REACH_FRAMES", "deinterlaced", "field_order"]

REACH_FRAMES = 1
"""How many frames before and after a frame its deinterlacing looks at."""

# Frames in, frames out: one a frame, and only those that the stream calls interlaced are touched.
_BWDIF = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
_ESTDIF = ("estdif", "mode=frame:parity=auto:deint=interlaced")


def field_order(frame: VideoFrame) -> FieldOrder:
    """Which field of an interlaced frame is shown first.

    The decoder notes that with the frame, and PyAV does not show it: but the filter that takes fields apart goes by it.
    What containers say is not asked: MP4 says nothing, or what its writer assumed.
    """
    chain = FilterChain([("separatefields", "")])
    earlier = [*chain.push(frame), *chain.flush()][0]
    lines, first = (part.reformat(format="gray16le").to_ndarray().astype(np.int32) for part in (frame, earlier))
    apart = [np.abs(lines[parity::2][: len(first)] - first).sum() for parity in (0, 1)]
    return "bff" if apart[1] < apart[0] else "tff"


def deinterlaced(frames: Iterable[tuple[int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
    """Deinterlace numbered frames that follow each other with FFmpeg's bwdif (Weave, YADIF and w3fdif combined).

    One frame alone has no neighbours for it, and would stay as it is: estdif looks at nothing else.
    """
    rest = iter(frames)
    first = list(islice(rest, 2))
    chain = FilterChain([_BWDIF if len(first) > 1 else _ESTDIF])
    waiting: list[int] = []
    for place, frame in chained(first, rest):
        frame.pts = place
        waiting.append(place)
        for ready in chain.push(frame):
            yield waiting.pop(0), ready
    for ready in chain.flush():
        yield waiting.pop(0), ready
