"""The frame index of a video: which frames it has, when each is shown, and where decoding may start.

One pass over the packets, without decoding, gives all of it for a whole file. Where packets do not tell the truth
(missing or repeated timestamps, invisible frames, leading frames that lean on what was cut away), frames are decoded
and counted instead.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av import Packet, VideoFrame
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddvideo.errors import InputError
from ddvideo.media.container import open_input, video_stream

__all__ = ["FrameIndex", "build_index", "decode_all"]

_HIDDEN_FRAME_CODECS = frozenset({"vp8", "libvpx"})
_DRAIN_TRIES = 64
_TRUNCATED_FRAMES = Fraction(3, 2)
_GAP_FRAMES = 10


@dataclass(frozen=True)
class FrameIndex:
    """Frames in the order they are shown, times in ticks of ``time_base``.

    ``pts`` is strictly increasing. ``keys`` are the timestamps that decoding can start at. ``by_order`` tells that the
    decoder gives no timestamps: a frame is known by its place only, and reading starts at the first one.
    """

    time_base: Fraction
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    last_duration: int
    by_order: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def is_vfr(self) -> bool:
        """Whether frames are spaced unevenly, beyond the rounding of the time base."""
        count = len(self.pts)
        if count < 3:
            return False
        even = np.linspace(float(self.pts[0]), float(self.pts[-1]), count)
        return bool(np.abs(self.pts - even).max() > 1.0)


def decode_all(container: InputContainer, stream: VideoStream, *, from_key: bool = False) -> Generator[VideoFrame]:
    """Decode ``stream`` to its end, stepping over what is damaged.

    ``from_key`` drops packets up to the first key frame, as is needed after a seek.
    """
    waiting = from_key
    try:
        for packet in container.demux(stream):
            if waiting and packet.size and not packet.is_keyframe:
                continue
            waiting = False
            if packet.size:
                yield from _decode(packet)
    except av.FFmpegError:
        pass  # a damaged tail: what was read so far is still drained below
    for _ in range(_DRAIN_TRIES):
        try:
            yield from stream.codec_context.decode(None)
            return
        except av.error.EOFError:
            return
        except av.FFmpegError:
            continue


def _decode(packet: Packet[VideoStream]) -> list[VideoFrame]:
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def build_index(path: Path) -> tuple[FrameIndex, VideoFrame]:
    """Index ``path``; also gives its first frame, which knows colour tags and rotation.

    Raises:
        InputError: the file cannot be read, holds no video, or no frame of it can be decoded.
    """
    with open_input(path) as container:
        stream = video_stream(container, path)
        scan = _Scan(container, stream)
        doubtful = scan.doubtful or stream.codec_context.name in _HIDDEN_FRAME_CODECS
    with open_input(path) as container:
        stream = video_stream(container, path)
        frames = decode_all(container, stream)
        first = next(frames, None)
        if first is None:
            raise InputError(f"{path}: no frame can be decoded; the file is damaged or cut off")
        shown = [first.pts, *(frame.pts for frame in frames)] if doubtful else []
        frames.close()
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    if shown and (None in shown or len(set(shown)) != len(shown)):
        step = max(1, round(1 / (rate * scan.time_base)))
        ordered = np.arange(len(shown), dtype=np.int64) * step
        return FrameIndex(scan.time_base, ordered, ordered[:1], step, by_order=True, warnings=scan.warnings), first
    known = [value for value in shown if value is not None]
    pts = np.array(sorted(known or scan.pts), dtype=np.int64)
    if first.pts is not None:
        pts = pts[pts >= first.pts]  # leading frames that lean on something before the start never come out
    keys = np.array(sorted(set(scan.keys)), dtype=np.int64)
    last = scan.last_duration(int(pts[-1])) or _usual_step(pts, rate, scan.time_base)
    return FrameIndex(scan.time_base, pts, keys, last, warnings=(*scan.warnings, *_gap_warnings(pts, scan))), first


class _Scan:
    """One pass over all packets."""

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.time_base = stream.time_base or Fraction(1, 90000)
        self.pts: list[int] = []
        self.keys: list[int] = []
        self.durations: dict[int, int] = {}
        self.doubtful = False
        end_seconds = Fraction(0)
        packets = 0
        warnings = []
        try:
            for packet in container.demux():
                if not packet.size:
                    continue
                if packet.pts is not None and packet.time_base:
                    end_seconds = max(end_seconds, (packet.pts + (packet.duration or 0)) * packet.time_base)
                if packet.stream_index == stream.index:
                    packets += 1
                    self._add(packet)
        except av.FFmpegError as error:
            warnings.append(f"the file is damaged: reading ends after {packets} frames ({error.strerror})")
        self.doubtful |= not self.pts or len(set(self.pts)) != len(self.pts)
        if stream.frames > packets:
            warnings.append(f"the header promises {stream.frames} frames and the file holds {packets}: it is cut off")
        elif "matroska" in container.format.name and container.duration:
            missing = Fraction(container.duration, av.time_base) - end_seconds
            if missing > _TRUNCATED_FRAMES / (stream.average_rate or stream.guessed_rate or 25):
                warnings.append(
                    f"the header promises {float(missing):.2f} s more than the file holds: "
                    f"it seems cut off after {packets} frames"
                )
        self.warnings = tuple(warnings)
        # MP4 keeps no duration with a frame, only steps in decoding order: the track's end tells the last one's.
        whole_mp4 = "mp4" in container.format.name and stream.duration and not warnings
        self._end = (stream.start_time or 0) + (stream.duration or 0) if whole_mp4 else None

    def last_duration(self, last_pts: int) -> int:
        """Ticks that the last frame is shown; 0 where nothing tells it."""
        if self._end is not None and self._end > last_pts:
            return self._end - last_pts
        return self.durations.get(last_pts, 0)

    def _add(self, packet: Packet[Stream]) -> None:
        self.doubtful |= packet.is_corrupt or packet.pts is None
        if packet.pts is None:
            return
        if packet.is_keyframe:
            self.keys.append(packet.pts)
        if not packet.is_discard:
            self.pts.append(packet.pts)
            self.durations[packet.pts] = packet.duration or 0


def _usual_step(pts: NDArray[np.int64], rate: Fraction, time_base: Fraction) -> int:
    return int(np.median(np.diff(pts))) if len(pts) > 1 else max(1, round(1 / (rate * time_base)))


def _gap_warnings(pts: NDArray[np.int64], scan: _Scan) -> tuple[str, ...]:
    """Tell holes in an otherwise even stream: a reader that resynchronises skips damage silently."""
    steps = np.diff(pts)
    if len(steps) < _GAP_FRAMES:
        return ()
    usual = float(np.median(steps))
    holes = np.flatnonzero(steps > _GAP_FRAMES * usual)
    uneven = int((np.abs(steps - usual) > 0.1 * usual + 1).sum())
    if not 0 < len(holes) <= 3 or uneven > len(holes):
        return ()
    seconds = pts * float(scan.time_base)
    where = ", ".join(f"{seconds[hole]:.2f} to {seconds[hole + 1]:.2f} s" for hole in holes)
    return (f"no frames from {where} in a stream that is even otherwise: the file may be damaged there",)
