"""Reading video files: any range of frames, exact in files with B-frames and variable frame rate, from one seek."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import av
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.video.stream import VideoStream

from ddvideo.arrays import AnyArray
from ddvideo.config import Interlaced
from ddvideo.errors import InputError, UsageError
from ddvideo.media import colour
from ddvideo.media.container import is_known, name_of, open_input, video_stream
from ddvideo.media.decoding import Decoding
from ddvideo.media.deinterlace import REACH_FRAMES, deinterlaced
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.hdr import check_base_layer, content_light, mastering_display
from ddvideo.media.index import FrameIndex, build_index
from ddvideo.media.limits import check_size
from ddvideo.media.packets import NO_STAMP
from ddvideo.media.pixels import bit_depth
from ddvideo.media.siting import chroma_location
from ddvideo.media.transparency import TRANSPARENCY
from ddvideo.types import InputInfo

__all__ = ["VideoSource"]


_CODEC_NAMES = {"libdav1d": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8"}

_RATE_DENOMINATOR = 1001
"""Rates are fractions up to this denominator, as NTSC's are (30000/1001)."""


class VideoSource:
    """A video file. Frames that cannot be decoded repeat the one before, so that count and times stay true.

    Args:
        path: the file.
        interlaced: what becomes of interlaced frames: they are deinterlaced, or kept as they are.
    """

    def __init__(self, path: Path, *, interlaced: Interlaced = "deinterlace") -> None:
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path}: there is no such file that can be read ({error.strerror})") from error
        info, self._index = _inspect(os.fspath(path), (stat.st_ino, stat.st_size, stat.st_mtime_ns))
        if info.field_order != "progressive":
            told = "deinterlaced (--interlaced keep leaves them)" if interlaced == "deinterlace" else "left as they are"
            info = replace(
                info,
                is_deinterlaced=interlaced == "deinterlace",
                warnings=(*info.warnings, f"the input is interlaced: its frames are {told}"),
            )
        self.info = info
        self._rank_of = {number: rank for rank, number in enumerate(self._index.packets.tolist()) if number >= 0}
        self._repeated: set[int] = set(self._index.undecodable)
        self._damaged: set[int] = set(self._index.damaged)
        self._late: dict[str, int] = {}
        self._readers: WeakSet[Generator[Frame, None, None]] = WeakSet()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every reader that is still open; iterators that are not at their end stop."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the index shows and reading has met so far."""
        found = list(self.info.warnings)
        total = self.info.frames
        if self._repeated:
            found.append(
                f"{len(self._repeated)} of {total} frames cannot be decoded and repeat the frame before: "
                f"{_spans(self._repeated)}"
            )
        if self._damaged:
            found.append(f"{len(self._damaged)} of {total} frames are damaged: {_spans(self._damaged)}")
        found.extend(f"from frame {place} on, frames of the input are {what}" for what, place in self._late.items())
        return tuple(found)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Stream frames ``start`` to ``stop`` (excluded), frame-exact; see :class:`~ddvideo.media.frame.Source`."""
        if self._closed:
            raise UsageError(f"{self.info.path}: the source is closed")
        reader = self._convert(frame_range(self.info, start, stop))
        self._readers.add(reader)
        return reader

    def check(self, start: int = 0, stop: int | None = None) -> None:
        """Decode a range without converting it, to fill ``warnings``; not needed where the index did that."""
        if self._index.is_decoded:
            return
        for _ in self._walk(frame_range(self.info, start, stop)):
            pass

    def _convert(self, wanted: range) -> Generator[Frame, None, None]:
        to_rgb = colour.RgbReader(self.info)
        base, pts = self._index.time_base, self._index.pts
        for position, decoded in self._progressive(wanted):
            shown = int(pts[position])
            last = position + 1 == len(pts)
            ticks = self._index.last_duration if last else int(pts[position + 1]) - shown
            rgb, alpha = to_rgb(decoded)
            self._note_late(position, decoded, alpha)
            yield Frame(
                index=position,
                pts_seconds=shown * base - self.info.origin_seconds,
                duration_seconds=ticks * base,
                rgb=rgb,
                alpha=alpha if self.info.has_alpha else None,
            )

    def _note_late(self, position: int, decoded: VideoFrame, alpha: AnyArray | None) -> None:
        """Note what the first frames of a long file, which alone were decoded for its index, did not show."""
        if self._index.is_decoded:
            return
        if alpha is not None and not self.info.has_alpha and alpha.min() < np.iinfo(alpha.dtype).max:
            self._late.setdefault("transparent, and composited over black", position)
        if decoded.interlaced_frame and self.info.field_order == "progressive":
            self._late.setdefault("interlaced, and left as they are", position)

    def _progressive(self, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
        """The frames of a range, deinterlaced where they are to be, as in a reading of the whole file."""
        if not self.info.is_deinterlaced or not wanted:
            yield from self._walk(wanted)
            return
        wider = range(max(wanted.start - REACH_FRAMES, 0), min(wanted.stop + REACH_FRAMES, self.info.frames))
        for position, frame in deinterlaced(self._walk(wider)):
            if position in wanted:
                yield position, frame

    def _walk(self, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
        """Decoded frames of a range. Starts at the key frame before it, and earlier where that does not suffice."""
        if not wanted:
            return
        key, back = self._start(wanted), 1
        while True:
            started = False
            for found in self._walk_from(wanted, key):
                if found is None:
                    break
                started = True
                yield found
            if started:
                return
            key, back = max(-1, key - back), back * 4

    def _start(self, wanted: range) -> int:
        """The key frame to start at (its row in the index). Where frames are damaged that is an earlier one.

        Decoders fill in what is missing from frames that they gave before, also from before a key frame.
        """
        if self._index.by_order:
            return -1
        ranks = self._index.keys[:, 0].tolist()
        broken = sorted(self._index.damaged | self._index.undecodable)
        key = bisect_right(ranks, wanted.start) - 1
        end = max([wanted.stop, *ranks[key + 1 : key + 2]])
        while key > 0 and bisect_left(broken, ranks[key]) < bisect_left(broken, end):
            key, end = key - 1, ranks[key]
        return key

    def _walk_from(self, wanted: range, key: int) -> Iterator[tuple[int, VideoFrame] | None]:
        """One attempt from a key frame (0 or less: the start of the file). Gives None where it started too late."""
        position = wanted.start
        before: VideoFrame | None = None
        seeks = key > 0
        with open_input(self.info.path) as container:
            stream = video_stream(container, self.info.path)
            if seeks and not self._seek(container, stream, key):
                yield None
                return
            decoding = Decoding(container, stream, keys=self._index.marks if seeks else None)
            for place, (number, frame) in enumerate(decoding.frames()):
                if seeks and place == 0 and (decoding.first_number or 0) > self._index.keys[key, 1]:
                    yield None
                    return
                rank = place if self._index.by_order else self._rank_of.get(-1 if number is None else number)
                if rank is not None and rank >= position:
                    if position < min(rank, wanted.stop) and before is None and seeks:
                        yield None
                        return
                    for gap in range(position, min(rank, wanted.stop)):
                        self._repeated.add(gap)
                        yield gap, before or frame
                    if rank >= wanted.stop:
                        return
                    if frame.is_corrupt:
                        self._damaged.add(rank)
                    yield rank, frame
                    position = rank + 1
                    if position >= wanted.stop:
                        return
                before = frame
            if before is None:
                if seeks:
                    yield None
                    return
                raise InputError(f"{self.info.path}: no frame can be decoded; the file is damaged")
            for gap in range(position, wanted.stop):
                self._repeated.add(gap)
                yield gap, before

    def _seek(self, container: InputContainer, stream: VideoStream, key: int) -> bool:
        """Go to a key frame: by its byte where the stamps do not say where it is, else by its stamp."""
        _, _, stamp, byte = (int(value) for value in self._index.keys[key])
        try:
            if self._index.seeks_bytes and byte >= 0:
                container.seek(byte, unsupported_byte_offset=True)
            elif stamp == NO_STAMP:
                return False
            else:
                container.seek(stamp, stream=stream, backward=True)
        except av.FFmpegError:
            return False
        return True


def _spans(indices: set[int]) -> str:
    ordered = sorted(indices)
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(texts if len(texts) <= 8 else [*texts[:8], "..."])


@lru_cache(maxsize=32)
def _inspect(name: str, identity: tuple[int, int, int]) -> tuple[InputInfo, FrameIndex]:
    """Index a file once a process; ``identity`` makes a changed file a new one."""
    path = Path(name)
    index, first = build_index(path)
    check_size(first.width, first.height, path)
    with open_input(path) as container:
        stream = video_stream(container, path)
        codec = stream.codec_context
        check_base_layer(container, codec.codec_tag, first, path)
        duration = float((int(index.pts[-1]) - int(index.pts[0]) + index.last_duration) * index.time_base)
        speaker = "yuv4mpeg" if container.format.name == "yuv4mpegpipe" else codec.name
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        full = first.color_range == colour.FULL_RANGE or first.format.name.startswith("yuvj")
        limited = first.color_range == colour.LIMITED_RANGE
        info = InputInfo(
            path=path,
            kind="video",
            width=first.width,
            height=first.height,
            frames=len(index.pts),
            fps=_rate(stream, index, duration),
            duration_seconds=duration,
            codec=_CODEC_NAMES.get(codec.name, codec.name.removeprefix("lib")),
            pix_fmt=first.format.name,
            bit_depth=bit_depth(first.format.name),
            audio=tuple(name_of(track) for track in container.streams.audio),
            rotation_degrees=first.rotation,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            colour_space=colour.name_of(first.colorspace, colour.SPACES),
            colour_range="full" if full else "limited" if limited else "unspecified",
            colour_primaries=colour.name_of(first.color_primaries, colour.PRIMARIES),
            colour_transfer=colour.name_of(first.color_trc, colour.TRANSFERS),
            is_vfr=index.is_vfr,
            start_seconds=int(index.pts[0]) * index.time_base - index.origin_seconds,
            time_base=index.time_base,
            display_matrix=tuple(np.frombuffer(bytes(matrix), np.int32).tolist()) if matrix else (),
            has_tracks=True,
            has_alpha=index.is_transparent,
            field_order=index.field_order,
            origin_seconds=index.origin_seconds,
            clock_parts=index.clock_parts,
            mastering_display=mastering_display(first),
            content_light=content_light(first),
            chroma_location=chroma_location(first, speaker),  # the last of all: it draws into the frame
            warnings=(*index.warnings, *_stream_warnings(container), *([TRANSPARENCY] if index.is_transparent else [])),
        )
    return info, index


def _rate(stream: VideoStream, index: FrameIndex, duration_seconds: float) -> Fraction:
    """Frames a second: the rate that the file names, where its frames come at that; else as they come."""
    seen = Fraction(len(index.pts) / duration_seconds) if duration_seconds else Fraction(25)
    tick = max(index.time_base, Fraction(1, 1000))  # what a step may be off by
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and not index.is_vfr and abs(1 / rate - 1 / seen) <= tick:
            return rate
    if seen >= 1:
        return seen.limit_denominator(_RATE_DENOMINATOR)
    return 1 / (1 / seen).limit_denominator(_RATE_DENOMINATOR)  # frames that are minutes or hours apart


def _stream_warnings(container: InputContainer) -> list[str]:
    """Say which pictures and sounds of the file cannot be read, in the words of those who would write them."""
    return [
        f"{what} track {number} (unknown codec) cannot be decoded here; it is left out"
        for what, streams in (("video", container.streams.video), ("sound", container.streams.audio))
        for number, stream in enumerate(streams, start=1)
        if not is_known(stream)
    ]
