"""One pass over a file's packets, without decoding: what the container says of its frames and their times."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av import Packet
from av.container import InputContainer
from av.format import Flags as FormatFlags
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddvideo.media.container import packets_of
from ddvideo.media.decoding import PacketMark, mark_of

__all__ = ["NO_STAMP", "PacketScan"]

NO_STAMP = np.iinfo(np.int64).min
"""Stands for a stamp that a packet does not have."""

_TRUNCATED_FRAMES = Fraction(3, 2)
_JUMP_SECONDS = 10
"""In formats whose clock may jump, a longer step forward is such a jump: FFmpeg's ``-dts_delta_threshold``."""
_ERROR_SECONDS = 30 * 3600
"""In all others a longer step forward is an error: FFmpeg's ``-dts_error_threshold``."""


class PacketScan:
    """The packets of one video stream in the order of the file.

    ``pts`` and ``dts`` are ticks of ``time_base``, ``NO_STAMP`` where there is none. Without ``has_pts``, both are the
    times of decoding. ``keys`` maps what key packets are recognised by to their numbers, ``key_stamps`` the numbers to
    (pts, byte position).
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.time_base = stream.time_base or Fraction(1, 90000)
        self.keys: dict[PacketMark, int] = {}
        self.key_stamps: dict[int, tuple[int, int]] = {}
        self.is_avi = container.format.name == "avi"
        self.is_corrupt = False
        self.audio_start_seconds: Fraction | None = None
        self._rows: list[tuple[int, int, int, bool]] = []
        self._end_seconds = Fraction(0)
        self._ambiguous: set[PacketMark] = set()
        warnings = []
        try:
            for packet in packets_of(container, *container.streams.audio, stream):
                self._add(packet, stream)
        except av.FFmpegError as error:
            warnings.append(f"the file is damaged: reading ends after {len(self._rows)} frames ({error.strerror})")
        for mark in self._ambiguous:
            self.key_stamps.pop(self.keys.pop(mark), None)
        rows = self._rows
        self.pts: NDArray[np.int64] = np.array([row[0] for row in rows], np.int64)
        self.dts: NDArray[np.int64] = np.array([row[1] for row in rows], np.int64)
        self.durations: NDArray[np.int64] = np.array([row[2] for row in rows], np.int64)
        self.is_shown: NDArray[np.bool_] = np.array([row[3] for row in rows], np.bool_)
        self.holds_times = not _has(container, FormatFlags.no_timestamps)
        self.has_pts = self.holds_times and (not self.is_avi or self._is_reordered())
        if not self.holds_times:  # FFmpeg makes them up
            self.dts = np.full_like(self.dts, NO_STAMP)
        if not self.has_pts:
            self.pts = self.dts
        jumps = _has(container, FormatFlags.ts_discont)
        self._longest_step = round((_JUMP_SECONDS if jumps else _ERROR_SECONDS) / self.time_base)
        self.keeps_start = "mp4" in container.format.name
        self.warnings = (*warnings, *self._cut_off(container, stream, is_damaged=bool(warnings)))
        # MP4 and AVI keep no duration with a frame, only steps in decoding order: the track's end tells the last one's.
        is_whole = (self.keeps_start or self.is_avi) and stream.duration and not self.warnings
        self._track_end = (stream.start_time or 0) + (stream.duration or 0) if is_whole else None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_clear_stamps(self) -> bool:
        """Whether every packet has a time of its own, and the file's clock never runs back."""
        pts, dts = self.pts, self.dts[self.dts != NO_STAMP]
        return bool(
            len(pts)
            and not self.is_corrupt
            and (pts != NO_STAMP).all()
            and len(np.unique(pts)) == len(pts)
            and (np.diff(dts) >= 0).all()
            and not len(self.restarts())
        )

    def restarts(self) -> list[int]:
        """Numbers of the packets at which the clock starts anew: joined recordings.

        A single packet with a wrong stamp is no restart: after one, the clock goes on from where it restarted.
        """
        known = np.flatnonzero(self.dts != NO_STAMP)
        clock = self.dts[known].tolist()
        # FFmpeg makes decoding times up where the container has none: they may fall although frames go on.
        shown = np.where(self.pts[known] == NO_STAMP, self.dts[known], self.pts[known])
        falls = shown <= np.maximum.accumulate(np.concatenate([[NO_STAMP], shown[:-1]]))
        longest = self._longest_step
        found: list[int] = []
        highest = None
        for place, now in enumerate(clock):
            if highest is not None:
                later = clock[place + 1] if place + 1 < len(clock) else None
                back = now < highest and falls[place] and later is not None and later < highest
                ahead = now - highest > longest and later is not None and later >= now
                if back or ahead:
                    found.append(int(known[place]))
                    highest = now
                    continue
                if not 0 <= now - highest <= longest:
                    continue  # one wrong stamp
            highest = now
        return found

    def _is_reordered(self) -> bool:
        """Whether FFmpeg has found out when packets are shown: AVI tells only when they are decoded.

        It can where it sees of which type each frame is. Else its guess is late, and moves gaps between frames.
        """
        return bool((np.diff(self.pts) < 0).any() and len(np.unique(self.pts)) == len(self.pts))

    def usual_step(self, *, is_by_field: bool) -> Fraction | None:
        """Ticks that a packet's frame is shown; None where nothing tells that. A packet may hold but a field."""
        told = self.durations[self.durations > 0]
        return Fraction(int(np.median(told))) * (2 if is_by_field else 1) if len(told) else None

    def stamp_of(self, number: int) -> int | None:
        """The stamp of a packet; None where it has none, or there is no such packet."""
        stamp = int(self.pts[number]) if 0 <= number < len(self) else NO_STAMP
        return None if stamp == NO_STAMP else stamp

    def last_duration(self, number: int, pts: int) -> int:
        """Ticks that the last frame is shown, by its packet's number and stamp; 0 where nothing tells it."""
        if self._track_end is not None and self._track_end > pts:
            return self._track_end - pts
        return int(self.durations[number]) if 0 <= number < len(self) else 0

    def _add(self, packet: Packet[Stream], stream: VideoStream) -> None:
        if packet.pts is not None and packet.time_base:
            start = packet.pts * packet.time_base
            self._end_seconds = max(self._end_seconds, start + (packet.duration or 0) * packet.time_base)
            if packet.stream.type == "audio" and self.audio_start_seconds is None:
                self.audio_start_seconds = start
        if packet.stream_index != stream.index:
            return
        number = len(self._rows)
        self.is_corrupt |= packet.is_corrupt
        if packet.is_keyframe:
            mark = mark_of(packet)
            if mark in self.keys:
                self._ambiguous.add(mark)
            else:
                self.keys[mark] = number
                self.key_stamps[number] = (
                    _stamp(packet.dts if self.is_avi else packet.pts),
                    -1 if packet.pos is None else packet.pos,
                )
        self._rows.append((_stamp(packet.pts), _stamp(packet.dts), packet.duration or 0, not packet.is_discard))

    def _cut_off(self, container: InputContainer, stream: VideoStream, *, is_damaged: bool) -> list[str]:
        """What tells that the file ends early."""
        if stream.frames > self._counted():
            return [f"the header promises {stream.frames} frames and the file holds {len(self)}: it is cut off"]
        if is_damaged or "matroska" not in container.format.name or not container.duration:
            return []
        missing = Fraction(container.duration, av.time_base) - self._end_seconds
        if missing <= _TRUNCATED_FRAMES / (stream.average_rate or stream.guessed_rate or 25):
            return []
        return [
            f"the header promises {float(missing):.2f} s more than the file holds: "
            f"it seems cut off after {len(self)} frames"
        ]

    def _counted(self) -> int:
        """How many frames there are by a header's count. AVI counts ticks, also those in which a frame just stays."""
        clock = self.dts[self.dts != NO_STAMP]
        steps = np.diff(clock)
        if not self.is_avi or not len(clock) or (len(steps) and (steps == 1).all()):
            return len(self)
        if not len(steps):
            return int(np.iinfo(np.int64).max)  # it may just stay
        return int(clock[-1] + 2 * steps.max())  # the last frame's own step, and another for its stay


def _has(container: InputContainer, flag: FormatFlags) -> bool:
    return bool(container.format.flags & cast(int, flag.value))


def _stamp(value: int | None) -> int:
    return NO_STAMP if value is None else value
