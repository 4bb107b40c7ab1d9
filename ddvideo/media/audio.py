"""Copying sound packet by packet, byte for byte, beside the frames that are being written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from av import Packet
from av.container import OutputContainer
from av.stream import Stream

from ddvideo.media.container import open_input, origin_seconds, packets_of

__all__ = ["AudioCopy"]


class AudioCopy:
    """All sound tracks of ``source``, copied into ``target`` as far as the picture has come."""

    def __init__(self, source: Path, target: OutputContainer) -> None:
        """Declare the tracks in ``target``.

        Raises:
            ValueError, av.FFmpegError: the target's format cannot hold one of the codecs.
            InputError: the source cannot be opened.
        """
        self._target = target
        self._stack = ExitStack()
        with self._stack as stack:
            container = stack.enter_context(open_input(source))
            self._origin = origin_seconds(container)
            self._tracks = {}
            for track in container.streams.audio:
                copy = target.add_stream_from_template(track)
                copy.metadata.update(track.metadata)
                copy.disposition = track.disposition
                self._tracks[track.index] = copy
            self._packets: Iterator[Packet[Stream]] = packets_of(container, *container.streams.audio)
            self._stack = stack.pop_all()
        self._held: Packet[Stream] | None = None
        self._shift = Fraction(0)
        self._start: Fraction | None = None

    def close(self) -> None:
        """Close the source."""
        self._stack.close()

    def cut(self, start_seconds: Fraction, shift_seconds: Fraction) -> None:
        """Copy from ``start_seconds`` on only, and move everything by ``shift_seconds``."""
        self._start, self._shift = start_seconds, shift_seconds

    def copy_until(self, end_seconds: Fraction | None) -> None:
        """Write the packets that begin before ``end_seconds`` (None: all) of the source's time.

        Raises:
            av.FFmpegError, ValueError: the target refuses a packet.
        """
        while (packet := self._next()) is not None:
            begin = self._time(packet)
            if end_seconds is not None and begin >= end_seconds:
                self._held = packet
                return
            if self._start is None or begin >= self._start:
                self._write(packet)

    def _next(self) -> Packet[Stream] | None:
        if self._held is not None:
            packet, self._held = self._held, None
            return packet
        try:
            return next((p for p in self._packets if p.dts is not None), None)
        except av.FFmpegError:
            return None  # a damaged tail: what came before it is kept

    def _time(self, packet: Packet[Stream]) -> Fraction:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return (ticks or 0) * packet.time_base - self._origin

    def _write(self, packet: Packet[Stream]) -> None:
        ticks = round((self._shift - self._origin) / packet.time_base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
        packet.stream = self._tracks[packet.stream_index]
        self._target.mux(packet)
