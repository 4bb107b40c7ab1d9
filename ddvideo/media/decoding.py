"""Decoding a video stream: each frame with the number of the packet that it came from.

A frame's packet is its identity. Time stamps cannot serve as one: they may be missing, repeated, or in decoding order.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TypeAlias, TypeVar, cast

import av
from av import Packet, VideoFrame
from av.container import InputContainer
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ddvideo.media.container import packets_of

__all__ = ["Decoding", "PacketMark", "mark_of"]

_AnyStream = TypeVar("_AnyStream", bound=Stream)
PacketMark: TypeAlias = tuple[int | None, int | None, int | None]
"""What a packet is recognised by after a seek: its byte position, pts and dts."""

_DRAIN_TRIES = 64
# FFmpeg's own decoders of VP8 and VP9 leave out the transparency that WebM keeps beside a picture; libvpx reads it.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


class _Ticket:
    """Rides with a packet through the decoder. PyAV tells such objects apart by identity: a plain int would not do."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number


class Decoding:
    """One pass of a decoder over a stream, stepping over what is damaged.

    Args:
        container: opened input, at its start or after a seek.
        stream: its video stream.
        keys: after a seek, the numbers of the packets that decoding may start at; packets before the first of them are
            dropped. None: from the start of the file.

    ``errors`` counts the packets that the decoder refused, and is whole when ``frames`` is at its end.
    ``first_number`` is that of the first packet that it got.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, *, keys: Mapping[PacketMark, int] | None = None
    ) -> None:
        self.errors = 0
        self.first_number: int | None = None
        self._container, self._stream = container, stream
        self._context = _context(stream)
        self._context.copy_opaque = True
        self._keys = keys
        self._number: int | None = None if keys is not None else 0

    def frames(self) -> Generator[tuple[int | None, VideoFrame], None, None]:
        """Frames in the decoder's order, each with its packet's number (None: the decoder does not say)."""
        try:
            for packet in packets_of(self._container, self._stream):
                if self._take(packet):
                    yield from self._decode(packet)
        except av.FFmpegError:
            self.errors += 1  # a damaged tail: what was read so far is still drained below
        for _ in range(_DRAIN_TRIES):
            try:
                yield from map(_numbered, self._context.decode(None))
                return
            except av.error.EOFError:
                return
            except av.FFmpegError:
                self.errors += 1

    def _take(self, packet: Packet[Stream]) -> bool:
        """Number a packet; False for one before the first key packet."""
        if self._number is None:
            self._number = (self._keys or {}).get(mark_of(packet)) if packet.is_keyframe else None
            if self._number is None:
                return False
        if self.first_number is None:
            self.first_number = self._number
        packet.opaque = _Ticket(self._number)
        self._number += 1
        return True

    def _decode(self, packet: Packet[Stream]) -> list[tuple[int | None, VideoFrame]]:
        try:
            return [_numbered(frame) for frame in self._context.decode(packet)]
        except av.FFmpegError:
            self.errors += 1
            return []


def mark_of(packet: Packet[_AnyStream]) -> PacketMark:
    """What a packet is recognised by: where it lies, or its times where the container does not tell that."""
    if packet.pos is not None and packet.pos >= 0:
        return packet.pos, None, None
    return None, packet.pts, packet.dts


def _numbered(frame: VideoFrame) -> tuple[int | None, VideoFrame]:
    ticket = frame.opaque
    return ticket.number if isinstance(ticket, _Ticket) else None, frame


def _context(stream: VideoStream) -> VideoCodecContext:
    """The stream's own decoder, or the one that reads the transparency of WebM."""
    own = stream.codec_context
    told = {name.lower(): value for name, value in stream.metadata.items()}  # muxers differ in how they spell names
    other = _ALPHA_DECODERS.get(own.name) if told.get("alpha_mode") == "1" else None
    if other is None or other not in av.codecs_available:
        return own
    context = cast(VideoCodecContext, av.CodecContext.create(other, "r"))
    context.options = own.options
    context.thread_count = own.thread_count
    if own.extradata:
        context.extradata = own.extradata
    return context
