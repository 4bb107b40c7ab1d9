"""How one track of the input gets into the output: copied, coded anew, or turned into MP4's kind of subtitles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, Protocol

import av
from av import Packet
from av.container import OutputContainer
from av.stream import Stream

from ddvideo.media.audio import Way, writing_for
from ddvideo.media.clock import Clock, Span
from ddvideo.media.sound_coder import SoundCoder
from ddvideo.media.target import Nowhere

__all__ = ["Lane", "cover_lane", "sound_lane", "subtitle_lane"]

# What a container or a muxer writes about a track for itself.
_OWN_TAGS = frozenset({"encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "vendor_id", "timecode"})
_NO_END = 2**32 - 1  # FFmpeg's word for a subtitle that tells no end
_NO_TEXT = b"\0\0"
_MILLISECOND = Fraction(1, 1000)


class Lane(Protocol):
    """A track on its way; ``stream`` is the output's."""

    stream: Any

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        """Give the output's packets for one of the input's, which is shown at ``shown`` seconds of the input.

        Raises:
            av.FFmpegError, ValueError: it cannot be used; the next ones may.
        """
        ...

    def finish(self) -> Iterator[Packet[Any]]:
        """Give what is still held back."""
        ...


class _Copied:
    """Packets as they are, byte for byte."""

    def __init__(self, target: OutputContainer, source: Stream, span: Span) -> None:
        self.stream: Any = target.add_stream_from_template(source, opaque=True)
        self._span = span
        self._last_dts: int | None = None

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        start, end = self._span.start, self._span.end
        if (start is not None and shown < start) or (end is not None and shown >= end):
            return
        yield from self._placed(packet, shown)

    def _placed(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        begin, ticks = packet.pts, round((shown + self._span.shift) / packet.time_base)
        packet.dts = ticks if packet.dts is None or begin is None else ticks + packet.dts - begin
        packet.pts = ticks
        if self._last_dts is not None and packet.dts <= self._last_dts:
            raise ValueError("its time does not come after the one before")
        self._last_dts = packet.dts
        packet.stream = self.stream
        yield packet

    def finish(self) -> Iterator[Packet[Any]]:
        yield from ()


class _CopiedSound(_Copied):
    """Packets as they are, each of which is first written alone: FFmpeg, which sorts the packets of several tracks,
    tells a refusal late, and of another track's packet.
    """

    def __init__(self, target: OutputContainer, source: Stream, span: Span) -> None:
        super().__init__(target, source, span)
        self._alone = av.open(Nowhere(), "w", format="mp4")
        self._trial: Any = self._alone.add_stream_from_template(source, opaque=True)

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        for made in super().take(packet, shown):
            made.stream = self._trial
            self._alone.mux(made)
            made.stream = self.stream
            yield made

    def finish(self) -> Iterator[Packet[Any]]:
        with suppress(av.FFmpegError, ValueError):
            self._alone.close()
        yield from ()


class _Cover(_Copied):
    """The one packet of a cover picture, which has no time."""

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        packet.pts = packet.dts = 0
        packet.stream = self.stream
        yield packet


class _Coded:
    """Sound through a decoder and an encoder."""

    def __init__(self, target: OutputContainer, source: Any, way: Way, span: Span, clock: Clock | None) -> None:
        self._coder = SoundCoder(target, source, writing_for(source.codec_context, way), span, clock)
        self.stream = self._coder.stream
        self._end = span.end

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        if self._end is None or shown < self._end:
            yield from self._coder.take(packet)

    def finish(self) -> Iterator[Packet[Any]]:
        yield from self._coder.finish()


class _Subtitles(_Copied):
    """Text subtitles; each is cut to the written part. Other kinds than MP4's own are turned into it."""

    def __init__(self, target: OutputContainer, source: Any, span: Span) -> None:
        self._source = source.codec_context
        self._converts = self._source.codec.canonical_name != "mov_text"
        if not self._converts:
            super().__init__(target, source, span)
            return
        self._source.open(strict=False)
        self.stream = target.add_stream("mov_text")
        self.stream.codec_context.subtitle_header = self._source.subtitle_header or b""
        self.stream.codec_context.time_base = self.stream.time_base = _MILLISECOND
        self._span = span
        self._last_dts = None

    def take(self, packet: Packet[Any], shown: Fraction) -> Iterator[Packet[Any]]:
        if not self._converts and bytes(packet)[:2] == _NO_TEXT:
            return  # MP4 fills the time between two lines with empty ones; so does FFmpeg on writing
        begin, end = shown, shown + (packet.duration or 0) * packet.time_base
        if self._converts:
            text = self._source.decode2(packet)
            if text is None or not len(text):
                return
            if end == begin and text.end_display_time < _NO_END:
                end += text.end_display_time * _MILLISECOND
            packet, base = self.stream.codec_context.encode_subtitle(text), packet.time_base
            packet.time_base = base
        if self._span.start is not None:
            begin, end = max(begin, self._span.start), max(end, self._span.start)
        if self._span.end is not None:
            end = min(end, self._span.end)
        if (begin != shown and begin >= end) or (self._span.end is not None and begin >= self._span.end):
            return
        packet.duration = round((end - begin) / packet.time_base)
        packet.pts = packet.dts = None
        yield from self._placed(packet, begin)


def sound_lane(target: OutputContainer, source: Any, way: Way, span: Span, clock: Clock | None) -> Lane:
    """A track of sound.

    Raises:
        ValueError, av.FFmpegError: the container or the encoder does not take it.
    """
    lane: Lane = _CopiedSound(target, source, span) if way == "copy" else _Coded(target, source, way, span, clock)
    _describe(lane, source)
    return lane


def subtitle_lane(target: OutputContainer, source: Any, span: Span) -> Lane:
    """A track of text subtitles.

    Raises:
        ValueError, av.FFmpegError: the container or a codec does not take it.
    """
    lane = _Subtitles(target, source, span)
    _describe(lane, source)
    return lane


def cover_lane(target: OutputContainer, source: Any, span: Span) -> Lane:
    """A cover picture.

    Raises:
        ValueError, av.FFmpegError: the container does not take it.
    """
    lane = _Cover(target, source, span)
    _describe(lane, source)
    return lane


def _describe(lane: Lane, source: Stream) -> None:
    """Take over language, title and the like, and what the track is for."""
    tags = {key: value for key, value in source.metadata.items() if key.casefold() not in _OWN_TAGS}
    lane.stream.metadata.update({key: value for key, value in tags.items() if not key.startswith("_STATISTICS")})
    lane.stream.disposition = source.disposition
