"""Films with sound on any tracks, subtitles, chapters and tags, made on the fly; and where their sound is heard."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ddvideo.media import Sink, open_sink, open_source, probe

BURSTS = (0.4, 0.8)
BURST_SECONDS = 0.05


@dataclass(frozen=True)
class Sound:
    """One track: silence with a burst of a tone at each of ``BURSTS``, of which the file tells those in ``told``."""

    codec: str
    rate: int = 48000
    layout: str = "stereo"
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    language: str = ""
    is_default: bool = False
    told: tuple[float, float] = (0.0, 1.0)


def tone(rate: int, seconds: float = 1.0) -> Any:
    """Bursts of a tone of 1 kHz, as float in [-1, 1]."""
    at = np.arange(int(rate * seconds)) / rate
    loud = np.any([(at >= start) & (at < start + BURST_SECONDS) for start in BURSTS], axis=0)
    return 0.5 * np.cos(2 * np.pi * 1000 * at) * loud


def write_film(
    path: Path,
    sounds: Sequence[Sound] = (),
    *,
    frames: int = 25,
    fps: Fraction = Fraction(25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    tags: dict[str, str] | None = None,
    chapters: Sequence[tuple[float, float, str]] = (),
    subtitles: Sequence[tuple[str, Sequence[tuple[float, float, str]]]] = (),
    film_tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    container: str | None = None,
    start: int = 0,
) -> Path:
    """A film of a moving gradient, 64x48."""
    with av.open(path, "w", format=container, options=options or {}) as file:
        file.metadata.update(tags or {})
        film = file.add_stream(codec, rate=fps, options={"g": "10"})
        film.width, film.height, film.pix_fmt = 64, 48, pix_fmt
        film.codec_context.time_base = 1 / fps
        film.metadata.update(film_tags or {})
        tracks = [_track(file, sound) for sound in sounds]
        texts = [_text_track(file, name) for name, _ in subtitles]
        if chapters:
            file.set_chapters(
                [
                    {"id": i, "start": round(1000 * a), "end": round(1000 * b), "time_base": Fraction(1, 1000),
                     "metadata": {"title": title}}
                    for i, (a, b, title) in enumerate(chapters)
                ]
            )  # fmt: skip
        made = []
        for number in range(frames):
            rgb = np.broadcast_to((np.arange(64) * 3 + number)[None, :, None], (48, 64, 3)).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(format=pix_fmt)
            picture.pts, picture.time_base = number + start, 1 / fps
            made += film.encode(picture)
        made += film.encode(None)
        for track, sound in zip(tracks, sounds, strict=True):
            made += _encoded(track, sound, float(frames / fps))
        for text, (_, lines) in zip(texts, subtitles, strict=True):
            made += _lines(text, lines)
        for packet in sorted(made, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def _track(file: Any, sound: Sound) -> Any:
    track = file.add_stream(sound.codec, rate=sound.rate, layout=sound.layout, options=sound.options)
    if sound.format:
        track.codec_context.format = sound.format
    if sound.is_default:
        track.disposition = av.stream.Disposition.default
    if sound.language:
        track.metadata["language"] = sound.language
    return track


def _encoded(track: Any, sound: Sound, seconds: float) -> list[Any]:
    track.codec_context.open(strict=False)
    channels = track.codec_context.layout.nb_channels
    wave = tone(sound.rate, seconds)
    size = track.codec_context.frame_size or 1024
    to_encoder = av.AudioResampler(track.codec_context.format, sound.layout, sound.rate)
    made = []
    for begin in range(0, len(wave), size):
        if not sound.told[0] <= begin / sound.rate < sound.told[1]:
            continue
        part = np.repeat(wave[begin : begin + size].astype(np.float32), channels)[None]
        frame = av.AudioFrame.from_ndarray(part, format="flt", layout=sound.layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, begin, Fraction(1, sound.rate)
        for fitting in to_encoder.resample(frame):
            fitting.pts, fitting.time_base = begin, Fraction(1, sound.rate)
            made += track.encode(fitting)
    return [*made, *track.encode(None)]


def _text_track(file: Any, codec: str) -> Any:
    track = file.add_stream(codec)
    header = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    header += b"Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
    track.codec_context.subtitle_header = header
    track.codec_context.time_base = track.time_base = Fraction(1, 1000)
    return track


def _lines(track: Any, lines: Sequence[tuple[float, float, str]]) -> list[Any]:
    made = []
    for number, (begin, end, text) in enumerate(lines):
        event = f"{number},0,Default,,0,0,0,,{text}".encode()
        shown = av.subtitles.subtitle.SubtitleSet.create(event, start=0, end=round(1000 * (end - begin)))
        packet = track.codec_context.encode_subtitle(shown)
        packet.pts = packet.dts = round(1000 * begin)
        packet.duration, packet.time_base, packet.stream = round(1000 * (end - begin)), Fraction(1, 1000), track
        made.append(packet)
    return made


def again(path: Path, out: Path, frames: tuple[int, int | None] = (0, None), **how: Any) -> Sink:
    """Decode a film and write it as a layer with everything that belongs to it."""
    info = probe(path)
    with open_source(path) as source, open_sink(out, like=info, source=path, audio=True, **how) as sink:
        for frame in source.frames(*frames):
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    return sink


def codecs(path: Path) -> list[str]:
    """The sound tracks' codecs."""
    with av.open(path) as file:
        return [track.codec_context.codec.canonical_name for track in file.streams.audio]


def samples(path: Path, track: int = 0) -> tuple[Any, int, Fraction]:
    """The first channel's samples of a track, put where the file tells, from time 0 on; rate, and when it begins."""
    with av.open(path) as file:
        stream = file.streams.audio[track]
        rate = stream.codec_context.sample_rate
        wave = np.zeros(10 * rate)
        begins = []
        resampler = av.AudioResampler("dbl")
        for frame in _decoded(file, stream):
            begin = frame.pts * frame.time_base if frame.pts is not None else Fraction(0)
            begins.append(begin)
            if frame.layout.name.endswith("channels"):
                frame = av.AudioFrame.from_ndarray(
                    frame.to_ndarray(), format=frame.format.name, layout=f"{frame.layout.nb_channels}c"
                )
                frame.sample_rate = rate
            for part in resampler.resample(frame):
                values = part.to_ndarray().reshape(-1, part.layout.nb_channels)[:, 0]
                at = round(begin * rate)
                values, at = values[max(0, -at) :], max(0, at)
                wave[at : at + len(values)] = values
        return wave, rate, min(begins)


def _decoded(file: Any, stream: Any) -> Any:
    """All frames of a track; packets that are damaged are stepped over."""
    for packet in file.demux(stream):
        with suppress(av.FFmpegError):
            yield from packet.decode()


def onsets(path: Path, track: int = 0) -> list[float]:
    """When the bursts begin, in seconds."""
    wave, rate, _ = samples(path, track)
    loud = np.flatnonzero(np.abs(wave) > 0.2)
    starts = loud[np.r_[True, np.diff(loud) > 0.1 * rate]]
    return [float(start / rate) for start in starts]
