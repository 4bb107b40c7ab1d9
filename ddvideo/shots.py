"""Cuts of a video, found by PySceneDetect's adaptive detector on small frames from our own reader."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ddvideo.errors import InputError
from ddvideo.types import Progress, ProgressEvent, Shot

if TYPE_CHECKING:
    from ddvideo.media import Source

__all__ = ["detect_shots"]

DETECTION_PX = 320
"""Longer side of the frames that are compared; noise and grain average out, and the detector costs little."""
REPORT_EVERY_FRAMES = 32


def detect_shots(source: Source, start: int, stop: int, progress: Progress) -> list[Shot]:
    """Find the shots of frames ``start`` (included) to ``stop`` (excluded).

    A cut is a change of content far above that of the frames around it (AdaptiveDetector with its default numbers:
    three times the mean of two frames on both sides, shots of at least 15 frames), so that fast motion is not one.

    Args:
        source: an open source; it is decoded once, one frame in memory at a time.
        start: first frame, an absolute index within the source.
        stop: first frame that is left out.
        progress: told of the frames seen.

    Returns:
        Shots in order that cover the range without gaps; one for a still image.

    Raises:
        InputError: the frames cannot be decoded.
    """
    if stop - start < 2 or source.info.kind == "image":
        return [Shot(start, stop)]
    cuts = [cut for cut in _cuts(source, start, stop, progress) if start < cut < stop]
    return [Shot(first, last) for first, last in pairwise([start, *cuts, stop])]


def _cuts(source: Source, start: int, stop: int, progress: Progress) -> Iterator[int]:
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector()
    seen = 0
    # The rate only has to be one: the detector counts in frames.
    for frame in source.frames(start, stop):
        for cut in detector.process_frame(FrameTimecode(frame.index - start, fps=25.0), _small_bgr(frame.rgb)):
            yield start + int(cut.frame_num)
        seen += 1
        if seen % REPORT_EVERY_FRAMES == 0:
            progress(ProgressEvent(stage="plan", message="looking for cuts", done=seen, total=stop - start))
    if seen == 0:
        raise InputError(f"{source.info.path}: no frame between {start} and {stop} can be decoded")
    for cut in detector.post_process(FrameTimecode(seen, fps=25.0)):
        yield start + int(cut.frame_num)


def _small_bgr(rgb: Any) -> Any:
    import cv2
    import numpy as np

    scale = DETECTION_PX / max(rgb.shape[:2])
    if scale < 1:
        size = (max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    if rgb.dtype != np.uint8:
        rgb = (rgb // 257).astype(np.uint8)
    return np.ascontiguousarray(rgb[..., ::-1])
