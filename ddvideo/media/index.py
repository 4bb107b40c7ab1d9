"""The frame index of a video: which frames it has, when each is shown, and where decoding may start.

What the decoder gives, in the order in which it gives it, is the truth; packets are a hint for seeking. A short file is
decoded once to build its index, and so is a long one whose packets do not tell the truth: stamps that are missing,
repeated or run back, fields in packets of their own, frames that are never shown. Of other long files the first
frames are decoded, and have to be those that the packets promise.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from av import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddvideo.errors import InputError
from ddvideo.media.container import open_input, video_stream
from ddvideo.media.decoding import Decoding, PacketMark
from ddvideo.media.deinterlace import field_order
from ddvideo.media.packets import NO_STAMP, PacketScan
from ddvideo.media.pixels import is_transparent
from ddvideo.media.timeline import Timeline, mend_times
from ddvideo.types import FieldOrder

__all__ = ["FrameIndex", "build_index"]

# VP8 and VP9 code reference frames that are never shown; H.264 may keep each field in a packet of its own.
_NEVER_TRUSTED = frozenset({"vp8", "vp9", "libvpx", "libvpx-vp9"})
_FIELD_CODECS = frozenset({"h264", "hevc", "vc1"})
_PROGRESSIVE = 1  # AVFieldOrder: 0 is unknown, more are fields
_SHORT_PIXELS = 1_000_000_000
"""A file of so many pixels is decoded in about three seconds."""
_TRIAL_FRAMES = 64
_NAMED = 5
_GAP_FRAMES = 10
LONGEST_START_SECONDS = 10
"""FFmpeg takes a longer step in time for a change of the clock (``-dts_delta_threshold``)."""


@dataclass(frozen=True)
class FrameIndex:
    """Frames in the order they are shown, times in ticks of ``time_base``.

    ``pts`` is strictly increasing. ``packets`` has the number of each frame's packet. ``keys`` has the packets that
    decoding can start at, in the order of their frames: rank of the frame, packet number, stamp and byte position.
    ``by_order`` tells that frames cannot be told by their packets: reading starts at the first one.
    """

    time_base: Fraction
    pts: NDArray[np.int64]
    last_duration: int
    packets: NDArray[np.int64]
    marks: dict[PacketMark, int] = field(repr=False)
    keys: NDArray[np.int64] = field(repr=False)
    origin_seconds: Fraction = Fraction(0)
    clock_parts: tuple[tuple[Fraction, Fraction, Fraction], ...] = ()
    by_order: bool = False
    seeks_bytes: bool = False
    field_order: FieldOrder = "progressive"
    is_transparent: bool = False
    is_decoded: bool = False
    undecodable: frozenset[int] = frozenset()
    damaged: frozenset[int] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def is_vfr(self) -> bool:
        """Whether frames are spaced unevenly, beyond the rounding of the time base."""
        count = len(self.pts)
        if count < 3:
            return False
        even = np.linspace(float(self.pts[0]), float(self.pts[-1]), count)
        return bool(np.abs(self.pts - even).max() > 1.0)


@dataclass
class _Shown:
    """What the decoder gave, frame by frame."""

    packets: list[int] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)
    corrupt: list[bool] = field(default_factory=list)
    is_numbered: bool = True
    field_order: FieldOrder = "progressive"
    is_transparent: bool = False
    errors: int = 0

    @property
    def is_interlaced(self) -> bool:
        return self.field_order != "progressive"

    def add(self, number: int | None, frame: VideoFrame) -> None:
        self.is_numbered &= number is not None
        self.packets.append(-1 if number is None else number)
        self.stamps.append(frame.pts)
        self.corrupt.append(bool(frame.is_corrupt))
        if frame.interlaced_frame and self.field_order == "progressive":
            self.field_order = field_order(frame)
        self.is_transparent = self.is_transparent or is_transparent(frame)


def build_index(path: Path) -> tuple[FrameIndex, VideoFrame]:
    """Index ``path``; also gives its first frame, which knows colour tags and rotation.

    Raises:
        InputError: the file cannot be read, holds no video, or no frame of it can be decoded.
    """
    with open_input(path) as container:
        scan = PacketScan(container, video_stream(container, path))
    shown, first, stream_rate, is_whole = _decode(path, scan)
    usual_step = scan.usual_step(is_by_field=shown.is_interlaced and len(scan) > 1.5 * len(shown.packets))
    usual_step = usual_step or 1 / (stream_rate * scan.time_base)
    if is_whole:
        return _from_frames(scan, shown, usual_step), first
    return _from_packets(scan, shown, usual_step), first


def _decode(path: Path, scan: PacketScan) -> tuple[_Shown, VideoFrame, Fraction, bool]:
    """Decode all frames, or of a long file that its packets describe, the first ones; and whether that was all."""
    with open_input(path) as container:
        stream = video_stream(container, path)
        pixels = stream.codec_context.width * stream.codec_context.height * len(scan)
        decoding = Decoding(container, stream)
        shown = _Shown()
        with closing(decoding.frames()) as frames:
            first = None
            for number, frame in islice(frames, _TRIAL_FRAMES):
                first = first or frame
                shown.add(number, frame)
            if first is None:
                raise InputError(f"{path}: no frame can be decoded; the file is damaged or cut off")
            is_whole = pixels <= _SHORT_PIXELS or not _is_described(scan, shown, stream)
            if is_whole:
                for number, frame in frames:
                    shown.add(number, frame)
        shown.errors = decoding.errors
        if not scan.has_pts:
            shown.stamps = [scan.stamp_of(number) for number in shown.packets]
        rate = stream.guessed_rate or stream.average_rate or Fraction(25)
    return shown, first, rate, is_whole


def _is_described(scan: PacketScan, shown: _Shown, stream: VideoStream) -> bool:
    """Whether the packets of a long file tell which frames it has: so far as its first frames show."""
    name = stream.codec_context.name
    if not scan.has_clear_stamps or not shown.is_numbered or name in _NEVER_TRUSTED:
        return False
    may_have_fields = shown.is_interlaced or stream.codec_context.field_order > _PROGRESSIVE
    if may_have_fields and name in _FIELD_CODECS:
        return False  # first frames whose fields are together do not tell how it goes on
    if stream.codec_context.has_b_frames and (np.diff(scan.pts) > 0).all():
        return False  # frames in another order than packets would not have risen so
    promised = np.sort(scan.pts[scan.is_shown])
    promised = promised[promised >= (shown.stamps[0] or 0)]
    return bool(shown.stamps == promised[: len(shown.stamps)].tolist())


def _in_decode_order(scan: PacketScan, shown: _Shown) -> bool:
    """Whether stamps rise from packet to packet rather than from frame to frame as the decoder orders them.

    Containers without presentation times (AVI), and files that were made from them, stamp packets so.
    """
    by_packet = _falls(scan.pts[np.sort(np.array(shown.packets, np.int64))].tolist())
    return by_packet < _falls([NO_STAMP if stamp is None else stamp for stamp in shown.stamps])


def _falls(stamps: Sequence[int]) -> int:
    """How often one stamp does not lie after the one before it; those that are missing do not count."""
    return sum(b <= a for a, b in pairwise(stamp for stamp in stamps if stamp != NO_STAMP))


def _from_packets(scan: PacketScan, shown: _Shown, usual_step: Fraction) -> FrameIndex:
    """The index of a file whose packets are trusted."""
    order = np.argsort(scan.pts, kind="stable")
    order = order[scan.is_shown[order] & (scan.pts[order] >= (shown.stamps[0] or 0))]
    timeline = Timeline(scan.pts[order], 1, 0, 0, ())
    return _make(scan, shown, order, timeline, usual_step)


def _from_frames(scan: PacketScan, shown: _Shown, usual_step: Fraction) -> FrameIndex:
    """The index of a file that was decoded."""
    numbers = np.array(shown.packets, np.int64)
    by_order = not shown.is_numbered or len(np.unique(numbers)) != len(numbers)
    restarts = scan.restarts()
    stamps = np.array([NO_STAMP if stamp is None else stamp for stamp in shown.stamps], np.int64)
    if (stamps != NO_STAMP).all() and (np.diff(stamps) > 0).all() and not restarts:
        missing = np.empty(0, np.int64) if by_order else _undecodable(scan, shown, numbers, stamps)
        both = np.concatenate([stamps, scan.pts[missing]])
        order = np.argsort(both, kind="stable")
        undecodable = frozenset(np.flatnonzero(order >= len(stamps)).tolist())
        timeline = Timeline(both[order], 1, 0, 0, ())
        numbers = np.concatenate([numbers, missing])[order]
        return _make(scan, shown, numbers, timeline, usual_step, by_order=by_order, undecodable=undecodable)
    edges = np.searchsorted(restarts, numbers, side="right") if restarts and not by_order else np.zeros_like(numbers)
    # A frame of a later run ends the one before it, however late the decoder gives the last frames of that.
    edges = np.maximum.accumulate(edges)
    runs = [[shown.stamps[place] for place in np.flatnonzero(edges == edge)] for edge in np.unique(edges)]
    ordered = not by_order and _in_decode_order(scan, shown)
    timeline = mend_times(runs, in_decode_order=ordered, usual_step=usual_step)
    return _make(scan, shown, numbers, timeline, usual_step, by_order=by_order)


def _undecodable(
    scan: PacketScan, shown: _Shown, numbers: NDArray[np.int64], stamps: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Numbers of the packets that hold a frame which the decoder refused. Without an error there are none: what does
    not come out then is a second field, or is never shown.
    """
    if not shown.errors or shown.is_interlaced:
        return np.empty(0, np.int64)
    absent = np.setdiff1d(np.flatnonzero(scan.is_shown & (scan.pts > stamps[0])), numbers)
    return absent[~np.isin(scan.pts[absent], stamps)]


def _make(
    scan: PacketScan,
    shown: _Shown,
    numbers: NDArray[np.int64],
    timeline: Timeline,
    usual_step: Fraction,
    *,
    by_order: bool = False,
    undecodable: frozenset[int] = frozenset(),
) -> FrameIndex:
    is_decoded = len(shown.packets) + len(undecodable) == len(numbers)
    base, refine, times = scan.time_base, timeline.refine, timeline.times
    step = int(np.median(np.diff(times))) if len(times) > 1 else max(1, round(usual_step * refine))
    last = 0 if timeline.mended else scan.last_duration(int(numbers[-1]), int(times[-1]))
    parts = tuple((start * base, stop * base, shift * base) for start, stop, shift in timeline.parts)
    corrupt = {number for number, is_bad in zip(shown.packets, shown.corrupt, strict=True) if is_bad}
    return FrameIndex(
        time_base=base / refine,
        pts=times,
        last_duration=last or step,
        packets=numbers,
        marks=scan.keys,
        keys=_key_rows(scan, numbers),
        origin_seconds=_origin(scan, int(times[0]) * base / refine),
        clock_parts=parts if len(parts) > 1 else (),
        by_order=by_order,
        seeks_bytes=len(parts) > 1 or timeline.mended > 0,
        field_order=shown.field_order,
        is_transparent=shown.is_transparent,
        is_decoded=is_decoded,
        undecodable=undecodable,
        damaged=frozenset(np.flatnonzero(np.isin(numbers, list(corrupt))).tolist()) if corrupt else frozenset(),
        warnings=(*scan.warnings, *_time_warnings(timeline, parts, base, shown), *_gap_warnings(times, base / refine)),
    )


def _origin(scan: PacketScan, begins: Fraction) -> Fraction:
    """The time that counts as zero: when picture or sound begin, so that players need not wait for the first frame.

    Sound that starts a little before zero is the encoder's lead-in, which players cut off. MP4 tells a late start on
    purpose, in an edit list, and keeps it, unless it is none of the clip's own (:data:`LONGEST_START_SECONDS`).
    """
    if begins < 0:
        return begins
    starts = begins if scan.audio_start_seconds is None else max(min(scan.audio_start_seconds, begins), Fraction(0))
    return Fraction(0) if scan.keeps_start and starts <= LONGEST_START_SECONDS else starts


def _key_rows(scan: PacketScan, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank, packet number, stamp and byte position of each key packet that has a frame, by rank."""
    rank_of = {int(number): rank for rank, number in enumerate(numbers.tolist())}
    rows = [(rank_of[number], number, *stamps) for number, stamps in scan.key_stamps.items() if number in rank_of]
    return np.array(sorted(rows), np.int64).reshape(-1, 4)


def _time_warnings(
    timeline: Timeline, parts: Sequence[tuple[Fraction, ...]], base: Fraction, shown: _Shown
) -> list[str]:
    """Say which times are not those of the file."""
    found = []
    total = len(shown.stamps)
    if len(parts) > 1:
        begins = [float(start + shift) for start, _, shift in parts[1:]]
        places = np.searchsorted(timeline.times * float(base / timeline.refine), begins).tolist()
        where = ", ".join(map(str, places[:_NAMED])) + (", ..." if len(places) > _NAMED else "")
        found.append(f"the file's clock starts anew at frame {where} of {total}: its parts are joined without a gap")
    if timeline.absent == total:
        rate = f"{float(timeline.refine / (base * int(timeline.times[1]))):.5g} a second" if total > 1 else "one only"
        found.append(f"the file holds no times: its frames are taken to follow each other evenly, {rate}")
    elif timeline.mended:
        found.append(
            f"the times of {timeline.mended} of {total} frames are missing or wrong in the file: "
            "they were set by the frames around them"
        )
    return found


def _gap_warnings(pts: NDArray[np.int64], time_base: Fraction) -> tuple[str, ...]:
    """Tell holes in an otherwise even stream: a reader that resynchronises skips damage silently."""
    steps = np.diff(pts)
    if len(steps) < _GAP_FRAMES:
        return ()
    usual = float(np.median(steps))
    holes = np.flatnonzero(steps > _GAP_FRAMES * usual)
    uneven = int((np.abs(steps - usual) > 0.1 * usual + 1).sum())
    if not 0 < len(holes) <= 3 or uneven > len(holes):
        return ()
    seconds = pts * float(time_base)
    where = ", ".join(f"{seconds[hole]:.2f} to {seconds[hole + 1]:.2f} s" for hole in holes)
    return (f"no frames from {where} in a stream that is even otherwise: the file may be damaged there",)
