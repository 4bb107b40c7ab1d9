"""Interlaced frames made progressive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av import VideoFrame

from ddvideo.media.filters import FilterChain

__all__ = ["REACH_FRAMES", "deinterlaced"]

REACH_FRAMES = 1
"""How many frames before and after a frame its deinterlacing looks at."""

# Frames in, frames out: one a frame, and only those that the stream calls interlaced are touched.
_BWDIF = ("bwdif", "mode=send_frame:parity=auto:deint=interlaced")


def deinterlaced(frames: Iterable[tuple[int, VideoFrame]]) -> Iterator[tuple[int, VideoFrame]]:
    """Deinterlace numbered frames that follow each other with FFmpeg's bwdif (Weave, YADIF and w3fdif combined)."""
    chain = FilterChain([_BWDIF])
    waiting: list[int] = []
    for place, frame in frames:
        frame.pts = place
        waiting.append(place)
        for ready in chain.push(frame):
            yield waiting.pop(0), ready
    for ready in chain.flush():
        yield waiting.pop(0), ready
