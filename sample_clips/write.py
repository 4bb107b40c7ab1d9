"""Writing a scene as H.264 in MP4, tagged BT.709 limited range, with its own arithmetic from RGB to YUV.

It shares no code with the package's reader and writer, so a clip read back well is evidence for the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from sample_clips.scene import Scene

__all__ = ["chord", "write_clip"]

Array = NDArray[np.float32]

_BT709, _LIMITED = 1, 1
_TIME_BASE = Fraction(1, 3000)
_AUDIO_HZ = 24000


def write_clip(path: Path, scene: Scene, pts_seconds: Sequence[Fraction], *, crf: int, audio: bool = False) -> None:
    """Render ``scene`` into ``path``: 4:2:0, or 4:4:4 where a side is odd.

    ``pts_seconds`` holds one more entry than there are frames: the last frame's end.
    """
    full = scene.width % 2 or scene.height % 2
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        options = {"crf": str(crf), "preset": "slow", "threads": "1"}
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height = scene.width, scene.height
        stream.pix_fmt = "yuv444p" if full else "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        sound = out.add_stream("aac", rate=_AUDIO_HZ, options={"b": "32000"}, layout="mono") if audio else None
        for index in range(scene.frames):
            frame = _to_yuv(scene.frame(index), subsample=not full)
            frame.pts = int(pts_seconds[index] / _TIME_BASE)
            frame.duration = int((pts_seconds[index + 1] - pts_seconds[index]) / _TIME_BASE)
            frame.time_base = _TIME_BASE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            samples = chord(float(pts_seconds[-1]))
            for at in range(0, samples.shape[1], 1024):
                block = av.AudioFrame.from_ndarray(samples[:, at : at + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = _AUDIO_HZ, at, Fraction(1, _AUDIO_HZ)
                out.mux(sound.encode(block))
            out.mux(sound.encode(None))


def chord(seconds: float) -> Array:
    """A soft chord ``(1, samples)`` that swells and fades."""
    t = np.arange(int(seconds * _AUDIO_HZ)) / _AUDIO_HZ
    tones = sum(np.sin(2 * np.pi * f * t) / (k + 2) for k, f in enumerate((196.0, 246.9, 293.7, 392.0)))
    return np.asarray(0.2 * tones * np.sin(np.pi * t / max(seconds, 1e-6)), np.float32)[None]


def _to_yuv(rgb: Array, *, subsample: bool) -> av.VideoFrame:
    """RGB ``(H, W, 3)`` in [0, 1] to limited-range BT.709; chroma sits with the left pixel of a pair, as in MPEG-2."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    planes = [16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748]
    if subsample:
        kernel = np.array([[1, 2, 1], [1, 2, 1]]) / 8
        for k in (1, 2):
            smooth = cv2.filter2D(planes[k], -1, kernel, anchor=(1, 0), borderType=cv2.BORDER_REPLICATE)
            planes[k] = smooth[::2, ::2]
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], "yuv420p" if subsample else "yuv444p")
    for plane, values in zip(frame.planes, planes, strict=True):
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : plane.width] = np.clip(np.rint(values), 0, 255)
        plane.update(lines.tobytes())
    frame.colorspace, frame.color_range = _BT709, _LIMITED
    return frame
