"""Clips made on the fly: natural statistics (1/f textures, shading, motion), any codec, timing, and flaw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from ddvideo.media import Sink, open_sink
from ddvideo.media.colour import Colour, RgbWriter

Images = list[NDArray[np.uint8]]

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "videos"


def texture(rng: np.random.Generator, height: int, width: int, slope: float = 1.2) -> NDArray[np.float64]:
    """Noise whose amplitude falls as 1 / f ** slope, as in photographs; mean 0, deviation 1."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    radius = np.maximum(np.hypot(fy, fx), 1 / max(height, width))
    spectrum = np.exp(2j * np.pi * rng.random(radius.shape)) / radius**slope
    plane = np.fft.irfft2(spectrum, (height, width))
    return (plane - plane.mean()) / plane.std()


def natural(count: int, width: int, height: int, seed: int = 0) -> Images:
    """A textured disc that moves over a textured background which pans; colours that differ softly."""
    rng = np.random.default_rng(seed)
    back = np.stack([texture(rng, height + 32, width + 4 * count)] * 3, -1) * 28
    back += np.stack([texture(rng, height + 32, width + 4 * count, 2.0) for _ in range(3)], -1) * 14 + [130, 120, 100]
    front = np.stack([texture(rng, height, width)] * 3, -1) * 30 + [150, 90, 70]
    yy, xx = np.mgrid[:height, :width]
    frames = []
    for t in range(count):
        frame = back[t // 2 : t // 2 + height, 2 * t : 2 * t + width]
        inside = np.hypot(yy - height / 2, xx - width / 3 - 3 * t) - height / 4
        alpha = np.clip(0.5 - inside / 2, 0, 1)[..., None]
        frames.append(np.clip(alpha * front + (1 - alpha) * frame, 8, 247).round().astype(np.uint8))
    return frames


def write_clip(
    path: Path,
    frames: Sequence[NDArray[np.uint8]] | Sequence[NDArray[np.uint16]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pts: Iterable[int] | None = None,
    time_base: Fraction = Fraction(1, 600),
    step: int = 24,
    options: dict[str, str] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    space: int = 5,
    tagged: bool = True,
    audio: str | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode ``frames`` at ``pts`` (default: every ``step`` ticks)."""
    height, width = frames[0].shape[:2]
    to_yuv = RgbWriter(Colour(space=space, full_range=False), pix_fmt)
    with av.open(path, "w", format=container, options=container_options or {}) as file:
        stream = file.add_stream(codec, rate=25, options=options or {"preset": "veryfast", "crf": "12", "bf": "3"})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = stream.time_base = time_base
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if tagged:
            stream.codec_context.color_range = 1
            stream.codec_context.colorspace = space
        if rotation:
            stream.set_display_rotation(rotation)
        sound = file.add_stream(audio, rate=48000) if audio else None
        times = list(pts) if pts is not None else [step * i for i in range(len(frames))]
        for shown, frame in zip(times, frames, strict=True):
            picture = to_yuv(frame)
            picture.pts, picture.time_base = shown, time_base
            file.mux(stream.encode(picture))
        if sound is not None:
            _write_sound(file, sound, seconds=float((times[-1] + step) * time_base))
        file.mux(stream.encode(None))
        if sound is not None:
            file.mux(sound.encode(None))
    return path


def _write_sound(file: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    rng = np.random.default_rng(1)
    size = stream.codec_context.frame_size or 1024
    for block in range(int(seconds * 48000 / size)):
        tone = np.sin(np.arange(block * size, (block + 1) * size) * 0.05) * 0.3 + rng.normal(0, 0.01, size)
        frame = av.AudioFrame.from_ndarray(np.tile(tone.astype(np.float32), (2, 1)), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, block * size, Fraction(1, 48000)
        file.mux(stream.encode(frame))


def write_layer(path: Path, frames: Iterable[NDArray[Any]], **how: Any) -> Sink:
    """Write ``frames`` through a sink."""
    with open_sink(path, **how) as sink:
        for frame in frames:
            sink.write(frame)
    return sink
