"""Reading video files: any range of frames, exact in files with B-frames and variable frame rate, from one seek."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import numpy as np
from av import VideoFrame

from ddvideo.errors import InputError, UsageError
from ddvideo.media import colour
from ddvideo.media.container import open_input, origin_seconds, video_stream
from ddvideo.media.frame import Frame, frame_range
from ddvideo.media.index import FrameIndex, build_index, decode_all
from ddvideo.media.limits import check_size
from ddvideo.types import InputInfo

__all__ = ["VideoSource"]


class VideoSource:
    """A video file. Frames that cannot be decoded repeat the one before, so that count and times stay true."""

    def __init__(self, path: Path) -> None:
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path}: there is no such file that can be read ({error.strerror})") from error
        self.info, self._index, self._origin = _inspect(os.fspath(path), (stat.st_ino, stat.st_size, stat.st_mtime_ns))
        self._repeated: set[int] = set()
        self._damaged: set[int] = set()
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
        return tuple(found)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Stream frames ``start`` to ``stop`` (excluded), frame-exact; see :class:`~ddvideo.media.frame.Source`."""
        if self._closed:
            raise UsageError(f"{self.info.path}: the source is closed")
        reader = self._convert(frame_range(self.info, start, stop))
        self._readers.add(reader)
        return reader

    def check(self, start: int = 0, stop: int | None = None) -> None:
        """Decode a range without converting it, to fill ``warnings``."""
        for _ in self._walk(frame_range(self.info, start, stop)):
            pass

    def _convert(self, wanted: range) -> Generator[Frame, None, None]:
        to_rgb = colour.RgbReader(self.info)
        base, pts = self._index.time_base, self._index.pts
        for position, decoded in self._walk(wanted):
            shown = int(pts[position])
            last = position + 1 == len(pts)
            ticks = self._index.last_duration if last else int(pts[position + 1]) - shown
            yield Frame(
                index=position,
                pts_seconds=shown * base - self._origin,
                duration_seconds=ticks * base,
                rgb=to_rgb(decoded),
            )

    def _walk(self, wanted: range) -> Iterator[tuple[int, VideoFrame]]:
        """Decoded frames of a range. Starts at the key frame before it, and earlier where that does not suffice."""
        if not wanted:
            return
        keys = self._index.keys
        first_pts = self._index.pts[wanted.start]
        key = 0 if self._index.by_order else int(np.searchsorted(keys, first_pts, side="right")) - 1
        back = 1
        while True:
            started = False
            for found in self._walk_from(wanted, int(keys[key]) if key > 0 else None):
                if found is None:
                    break
                started = True
                yield found
            if started:
                return
            key, back = max(0, key - back), back * 4

    def _walk_from(self, wanted: range, key_pts: int | None) -> Iterator[tuple[int, VideoFrame] | None]:
        """One attempt from a key frame (None: from the start of the file). Gives None where it started too late."""
        position = wanted.start
        before: VideoFrame | None = None
        with open_input(self.info.path) as container:
            stream = video_stream(container, self.info.path)
            if key_pts is not None:
                container.seek(key_pts, stream=stream, backward=True)
            for place, frame in enumerate(decode_all(container, stream, from_key=key_pts is not None)):
                rank = place if self._index.by_order else self._rank(frame)
                if rank is not None and rank >= position:
                    if position < min(rank, wanted.stop) and before is None and key_pts is not None:
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
                if key_pts is not None:
                    yield None
                    return
                raise InputError(f"{self.info.path}: no frame can be decoded; the file is damaged")
            for gap in range(position, wanted.stop):
                self._repeated.add(gap)
                yield gap, before

    def _rank(self, frame: VideoFrame) -> int | None:
        """The frame's place in the index; None for one that the index does not hold."""
        if frame.pts is None:
            return None
        rank = int(np.searchsorted(self._index.pts, frame.pts))
        return rank if rank < len(self._index.pts) and self._index.pts[rank] == frame.pts else None


def _spans(indices: set[int]) -> str:
    ordered = sorted(indices)
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    texts = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, ends, strict=True)]
    return ", ".join(texts if len(texts) <= 8 else [*texts[:8], "..."])


@lru_cache(maxsize=32)
def _inspect(name: str, identity: tuple[int, int, int]) -> tuple[InputInfo, FrameIndex, Fraction]:
    """Index a file once a process; ``identity`` makes a changed file a new one."""
    path = Path(name)
    index, first = build_index(path)
    check_size(first.width, first.height, path)
    with open_input(path) as container:
        stream = video_stream(container, path)
        origin = origin_seconds(container)
        codec = stream.codec_context
        duration = float((int(index.pts[-1]) - int(index.pts[0]) + index.last_duration) * index.time_base)
        rate = stream.average_rate or stream.guessed_rate or Fraction(0)
        if index.is_vfr or not rate:
            rate = Fraction(len(index.pts) / duration).limit_denominator(1001) if duration else Fraction(25)
        matrix: Any = first.side_data.get("DISPLAYMATRIX")
        full = first.color_range == colour.FULL_RANGE or first.format.name.startswith("yuvj")
        limited = first.color_range == colour.LIMITED_RANGE
        info = InputInfo(
            path=path,
            kind="video",
            width=first.width,
            height=first.height,
            frames=len(index.pts),
            fps=rate,
            duration_seconds=duration,
            codec=codec.name.removeprefix("lib") if codec.name != "libdav1d" else "av1",
            pix_fmt=first.format.name,
            bit_depth=colour.bit_depth(first.format.name),
            audio=tuple(audio.codec_context.name for audio in container.streams.audio),
            rotation_degrees=first.rotation,
            sample_aspect_ratio=stream.sample_aspect_ratio or Fraction(1),
            colour_space=colour.name_of(first.colorspace, colour.SPACES),
            colour_range="full" if full else "limited" if limited else "unspecified",
            colour_primaries=colour.name_of(first.color_primaries, colour.PRIMARIES),
            colour_transfer=colour.name_of(first.color_trc, colour.TRANSFERS),
            is_vfr=index.is_vfr,
            start_seconds=int(index.pts[0]) * index.time_base - origin,
            time_base=index.time_base,
            display_matrix=tuple(np.frombuffer(bytes(matrix), np.int32).tolist()) if matrix else (),
            warnings=index.warnings,
        )
    return info, index, origin
