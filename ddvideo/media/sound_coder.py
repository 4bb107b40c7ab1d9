"""Coding sound anew, in step with the pictures: gaps become silence, what overlaps is dropped."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final, cast

import av
import numpy as np
from av import AudioFrame, AudioLayout, AudioResampler, Packet
from av.audio.stream import AudioStream
from av.container import OutputContainer

from ddvideo.arrays import AnyArray
from ddvideo.media.audio import Writing, layout_of
from ddvideo.media.clock import Clock, Span

__all__ = ["SoundCoder"]

# PyAV reads beyond the planes of a frame that has as many as this (AV_NUM_DATA_POINTERS); samples are packed here.
_PLANES: Final = 8

# EBU R 37: sound that leads the pictures by more than 40 ms is noticed. Timestamps that wander less are rounding.
_OUT_OF_STEP_SECONDS: Final = Fraction(40, 1000)


class SoundCoder:
    """One track of the input, decoded and encoded into ``target``, from the written part's first moment on."""

    def __init__(
        self, target: OutputContainer, source: AudioStream, writing: Writing, span: Span, clock: Clock | None
    ) -> None:
        """Declare the track. Without a ``clock``, what is decoded is written without a gap.

        Raises:
            ValueError, av.FFmpegError: the encoder or the container does not take it.
        """
        self._source: Any = source
        self._writing = writing
        self._span = span
        self._clock = clock
        self._rate = source.codec_context.sample_rate
        self._channels = AudioLayout(writing.layout).nb_channels
        added = target.add_stream(writing.encoder, rate=writing.rate, layout=writing.layout)
        self.stream = cast(AudioStream, added)
        self.stream.codec_context.format = writing.format
        if writing.bit_rate:
            self.stream.codec_context.bit_rate = writing.bit_rate
        self._kind: tuple[str, str, int] | None = None
        self._to_packed = AudioResampler()
        self._to_encoder = AudioResampler(writing.format, writing.layout, writing.rate)
        self._next = 0
        self._encoded = 0
        self._exact = True

    def take(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """Decode a packet of the input and give what that lets the encoder out.

        Raises:
            av.FFmpegError, ValueError: the packet cannot be decoded or encoded; the next ones may.
        """
        try:
            frames: list[Any] = packet.decode()
        except (av.FFmpegError, ValueError):
            self._exact = True
            raise
        for frame in frames:
            yield from self._decoded(frame)

    def finish(self) -> Iterator[Packet[Any]]:
        """Give what decoder and encoder still hold.

        Raises:
            av.FFmpegError, ValueError: the encoder fails.
        """
        try:
            left = self._source.codec_context.decode(None)
        except (av.FFmpegError, EOFError):
            left = []
        for held in left:
            yield from self._decoded(held)
        for frame in _rest(self._to_packed):
            yield from self._write(self._samples(frame))
        for frame in _rest(self._to_encoder):
            yield from self._encode(frame)
        if self._encoded:
            yield from self.stream.encode(None)

    def _decoded(self, frame: AudioFrame) -> Iterator[Packet[Any]]:
        frame = _placed(frame)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:  # a broadcast may change its sound on the way
            for held in _rest(self._to_packed):
                yield from self._write(self._samples(held))
            self._kind = kind
            self._to_packed = AudioResampler(self._writing.packed_format, self._writing.layout, self._rate)
        wanted = self._position(frame)
        frame.pts = None
        samples = [self._samples(part) for part in self._to_packed.resample(frame)]
        ahead = 0 if wanted is None else wanted - self._next
        if not self._exact and abs(ahead) <= _OUT_OF_STEP_SECONDS * self._rate:
            ahead = 0
        if ahead > 0:
            yield from self._silence(ahead)
        for part in samples:
            skipped = min(max(0, -ahead), len(part))
            ahead += skipped
            if skipped < len(part):
                self._exact = self._exact and wanted is None
                yield from self._write(part[skipped:])

    def _samples(self, frame: AudioFrame) -> AnyArray:
        """``(samples, channels)`` of a packed frame."""
        return frame.to_ndarray().reshape(-1, self._channels)

    def _position(self, frame: AudioFrame) -> int | None:
        """The place of a frame's first sample, counted from the first one that is written."""
        if self._clock is None or frame.pts is None or frame.time_base is None:
            return None
        shown = self._clock(self._source.index, frame.pts * frame.time_base)
        return round((shown - self._span.begin) * self._rate)

    def _silence(self, samples: int) -> Iterator[Packet[Any]]:
        """Silence of that many samples; none where it would last past the pictures, as no sound belongs there."""
        limit = round((self._span.pictures_end - self._span.begin) * self._rate)
        if self._next + samples > limit:
            self._next = max(self._next, limit)
            raise ValueError("the sound goes on after the last frame")
        dtype = {"flt": np.float32, "s16": np.int16, "s32": np.int32}[self._writing.packed_format]
        while samples > 0:
            block = min(samples, self._rate)
            yield from self._write(np.zeros((block, self._channels), dtype))
            samples -= block

    def _write(self, samples: AnyArray) -> Iterator[Packet[Any]]:
        """Encode ``(samples, channels)``, up to where the written part ends."""
        if self._span.end is not None:
            limit = round((self._span.end - self._span.begin) * self._rate)
            samples = samples[: max(0, limit - self._next)]
        if not len(samples):
            return
        self._next += len(samples)
        packed: Any = np.ascontiguousarray(samples).reshape(1, -1)
        frame = AudioFrame.from_ndarray(packed, format=self._writing.packed_format, layout=self._writing.layout)
        frame.sample_rate = self._rate
        frame.pts = None
        for part in self._to_encoder.resample(frame):
            yield from self._encode(part)

    def _encode(self, frame: AudioFrame) -> Iterator[Packet[Any]]:
        begin = round((self._span.begin + self._span.shift) * self._writing.rate)
        frame.pts, frame.time_base = begin + self._encoded, Fraction(1, self._writing.rate)
        self._encoded += frame.samples
        yield from self.stream.encode(frame)


def _rest(resampler: AudioResampler) -> list[AudioFrame]:
    """What a resampler still holds; one with nothing to do hands the end mark itself through."""
    return [frame for frame in resampler.resample(None) if frame is not None]


def _placed(frame: AudioFrame) -> AudioFrame:
    """A frame whose channels have places; see :func:`~ddvideo.media.audio.layout_of`."""
    layout = layout_of(frame.layout)
    if layout.name == frame.layout.name and not frame.layout.name.endswith("channels"):
        return frame
    if frame.format.is_planar and layout.nb_channels >= _PLANES:
        raise ValueError(f"{layout.nb_channels} channels without a place")
    placed = AudioFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name, layout=layout)
    placed.sample_rate, placed.pts = frame.sample_rate, frame.pts
    if frame.time_base is not None:
        placed.time_base = frame.time_base
    return placed
