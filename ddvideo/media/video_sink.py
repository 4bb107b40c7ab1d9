"""Writing MP4: H.264 layers with the input's times, turning, pixel aspect and matrix."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av import VideoFrame
from av.container import OutputContainer
from av.video.stream import VideoStream

from ddvideo.arrays import AnyArray
from ddvideo.config import Chroma
from ddvideo.errors import OutputError, UsageError
from ddvideo.media import x264
from ddvideo.media.clock import Span, clock_of
from ddvideo.media.colour import FULL_RANGE, GREY, LIMITED_RANGE, Colour, RgbWriter
from ddvideo.media.dress import Dressing
from ddvideo.media.files import output_error, part_of, publish_file, remove_part, writing
from ddvideo.media.filters import FilterChain
from ddvideo.media.samples import check_frame, pad_to, to_depth
from ddvideo.media.target import Target
from ddvideo.types import InputInfo

__all__ = ["VideoSink"]


class VideoSink:
    """One layer as an MP4 file. A cut of the input (first frame later than the input's) starts at the input's start.

    The pictures are written first, alone; where there is a ``source``, its sound and tags are added at the end.
    """

    codec = "h264"

    def __init__(
        self,
        path: Path,
        *,
        like: InputInfo,
        alpha: bool,
        source: Path | None,
        quality: x264.Quality,
        chroma: Chroma = "auto",
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.pix_fmt = x264.pix_fmt_for(like, alpha=alpha, quality=quality, chroma=chroma)
        self._size = x264.size_for(like, quality=quality, chroma=chroma)
        if self._size != (like.width, like.height):
            self.warnings.append(_padded(like, self._size))
        if like.icc_profile and not alpha and quality == "layer":
            self.warnings.append("mp4 holds no ICC profile: that of the input is left out (--format png keeps it)")
        self._like = like
        self._alpha = alpha
        self._quality = quality
        self._deep = self.pix_fmt.endswith("10le")
        self._colour = GREY if alpha else x264.sited(Colour.of(like), self.pix_fmt)
        self._to_yuv = RgbWriter(self._colour, self.pix_fmt)
        # The encoder asks each frame which of its fields is shown first.
        self._fielded = FilterChain([("setfield", like.field_order)]) if like.is_interlaced else None
        self._base = x264.time_base_for(like)
        self._shift = Fraction(0)
        self._last_pts: int | None = None
        self._last_shown: Fraction | None = None
        self._last_duration = 0
        self._first = (0, 0)
        self._muxed = False
        self._end_seconds: Fraction | None = None
        self._durations: dict[int, int] = {}
        self._part = part_of(path)
        self._dressed = part_of(path.with_name(f"{path.name}.dressed"))
        self._cut_start: Fraction | None = None
        self._dressing: Dressing | None = None
        if source is not None:
            options = x264.container_options_for(self._base, quality)
            self._dressing = Dressing(source, like.fps, quality, options, clock_of(like), like.origin_seconds)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_part(self._part)
            remove_part(self._dressed)
        try:
            self._open()
        except BaseException:
            self._discard()
            raise

    def _open(self) -> None:
        with writing(self.path):
            self._target = Target(self._part)
        with self._errors():
            self._container: OutputContainer = av.open(
                self._target,
                "w",
                format="mp4",
                container_options=x264.container_options_for(self._base, self._quality),
                io_open=self._target.reader,
            )
            self._stream = self._add_stream()

    def _add_stream(self) -> VideoStream:
        like, colour = self._like, self._colour
        options = x264.options_for(self.pix_fmt, alpha=self._alpha, quality=self._quality)
        options = x264.signalled(options, like, self.pix_fmt, colour.chroma_location)
        stream = self._container.add_stream("libx264", rate=like.fps, options=options)
        codec = stream.codec_context
        codec.width, codec.height, codec.pix_fmt = *self._size, self.pix_fmt
        codec.time_base = stream.time_base = self._base
        codec.sample_aspect_ratio = like.sample_aspect_ratio
        codec.color_range = FULL_RANGE if self._alpha else LIMITED_RANGE
        codec.colorspace = colour.space
        codec.color_primaries = colour.primaries
        codec.color_trc = colour.transfer
        if like.display_matrix:
            stream.set_display_matrix(like.display_matrix)
        elif like.rotation_degrees:
            stream.set_display_rotation(like.rotation_degrees)
        return stream

    def write(
        self, frame: AnyArray, pts_seconds: Fraction | None = None, duration_seconds: Fraction | None = None
    ) -> None:
        """Write the next frame, shown at ``pts_seconds`` for ``duration_seconds`` (default: at ``fps``).

        Raises:
            ShapeError: the frame is not of the input's size or this layer's channels.
            UsageError: the time does not lie after the frame before.
            OutputError: the disk does not take it.
        """
        frame = check_frame(frame, self._like.width, self._like.height, (1,) if self._alpha else (3,))
        duration = duration_seconds if duration_seconds is not None else 1 / self._like.fps
        shown = pts_seconds if pts_seconds is not None else self._end_seconds
        if shown is None:
            shown = self._like.start_seconds
        if self._last_pts is None and shown > self._like.start_seconds:
            self._shift, self._cut_start = self._like.start_seconds - shown, shown
        if self._last_shown is not None and shown <= self._last_shown:
            raise UsageError(f"{self.path}: a frame at {float(shown)} s does not come after the one before it")
        pts = round((shown + self._shift) / self._base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        self._last_pts, self._last_shown, self._end_seconds = pts, shown, shown + duration
        picture = self._picture(frame)
        if self._fielded is not None:
            picture = self._fielded.push(picture)[0]
        picture.pts, picture.time_base = pts, self._base
        self._last_duration = self._durations[pts] = max(1, round(duration / self._base))
        with self._errors():
            self._mux(self._stream.encode(picture))

    def _picture(self, frame: AnyArray) -> VideoFrame:
        frame = pad_to(frame, *self._size)
        if self._alpha:
            gray = VideoFrame.from_ndarray(np.ascontiguousarray(to_depth(frame, np.uint8)), format="gray")
            gray.color_range = FULL_RANGE
            return gray
        return self._to_yuv(to_depth(frame, np.uint16 if self._deep else np.uint8))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if not self._muxed:
                self._first = (packet.pts, packet.dts)
            self._muxed = True
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def _flush(self) -> None:
        """Write what the encoder still holds.

        MP4 counts a track's length both by packets and by frames. The last packet lasts so long that the first of these
        is not shorter, and no shorter than its own frame: then readers find the last frame's end where it is.
        """
        end_ticks = (self._last_pts or 0) + self._last_duration
        packets: list[Any] = list(self._stream.encode(None))
        self._mux(packets[:-1])
        for packet in packets[-1:]:
            first_pts, first_dts = self._first
            if self._muxed:
                rest = end_ticks - first_pts - (packet.dts - first_dts)
                self._durations[packet.pts] = max(self._durations.get(packet.pts, 1), rest)
            self._mux([packet])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            if self._last_pts is None:
                raise UsageError(f"{self.path}: no frame was written")
            with self._errors():
                self._flush()
                self._container.close()
                self._target.finish()
            with writing(self.path):
                self._publish()
        except BaseException:
            self._discard()
            raise

    def _publish(self) -> None:
        """Give the film its name: the dressed one, or where there is nothing to add, the pictures alone.

        Raises:
            OSError: the system does not take it.
        """
        if self._dressing is not None and self._dressing.dress(self._part, self._dressed, self._span()):
            publish_file(self._dressed, self.path)
            remove_part(self._part)
        else:
            publish_file(self._part, self.path)
            remove_part(self._dressed)
        self.warnings.extend(self._dressing.warnings if self._dressing is not None else ())

    def _span(self) -> Span:
        """The written part: it ends with the pictures where that is a cut of the input, else each track at its end."""
        duration = Fraction(self._like.duration_seconds).limit_denominator(1_000_000)
        whole_end = self._like.start_seconds + duration - 1 / (2 * self._like.fps)
        end = self._end_seconds if self._end_seconds is not None else whole_end
        is_cut = self._cut_start is not None or end < whole_end
        return Span(end, start=self._cut_start, end=end if is_cut else None, shift=self._shift)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """FFmpeg's and the system's errors as one clear line; the system's own word comes first."""
        try:
            yield
        except (OSError, ValueError, av.FFmpegError) as error:
            if isinstance(error, UsageError):
                raise
            system = self._target.error
            if system is None and isinstance(error, OSError) and error.errno in errno.errorcode:
                system = error
            if system is not None:
                raise output_error(system, self.path) from error
            raise OutputError(f"{self.path}: cannot be written: the encoder refused ({error})") from error

    def _discard(self) -> None:
        with suppress(OSError, ValueError, av.FFmpegError, AttributeError):
            self._container.close()
        with suppress(OSError, AttributeError):
            self._target.close()
        for part in (self._part, self._dressed):
            with suppress(OSError):
                remove_part(part)


def _padded(like: InputInfo, size: tuple[int, int]) -> str:
    """The warning that layers are larger than their input: the same of every layer, so that it is told once."""
    repeated = [
        name for name, old, new in zip(("column", "row"), (like.width, like.height), size, strict=True) if old < new
    ]
    return (
        f"mp4 layers are {size[0]}x{size[1]} pixels, the input {like.width}x{like.height}: the last "
        f"{' and '.join(repeated)} {'are' if repeated[1:] else 'is'} repeated, since players want even sizes "
        "(--chroma 444 keeps the size, but few players show it; --format png keeps it too)"
    )
