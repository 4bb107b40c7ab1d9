"""Second step of writing a film: the finished pictures get sound, subtitles, chapters, timecode and tags.

The pictures are copied from the file of the first step, packet by packet, into a new one. What cannot be written costs
itself only: it is told and left out, and the step is done again without it; at worst the pictures stay alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import av
from av import Packet
from av.container import InputContainer, OutputContainer

from ddvideo.errors import InputError
from ddvideo.media.clock import OpenClock, Span, start_clock
from ddvideo.media.container import open_input
from ddvideo.media.extras import Extra, Tags, extras_of
from ddvideo.media.lanes import Lane
from ddvideo.media.tags import add_keys, missing_tags
from ddvideo.media.target import Nowhere, Target
from ddvideo.media.tracks import Track, open_lane, plan_tracks, read_tracks
from ddvideo.media.x264 import Quality

__all__ = ["Dressing"]

_Part: TypeAlias = Track | Extra


@dataclass
class _Count:
    """What came of one track."""

    written: int = 0
    refused: int = 0
    why: str = ""


@dataclass
class Dressing:
    """What one layer gets besides its pictures.

    ``source`` is the input, ``fps`` its rate, ``options`` are the container's, ``open_clock`` tells when its
    packets are shown, and ``origin_seconds`` is the time of its container that counts as zero. ``warnings`` grows.
    """

    source: Path
    fps: Fraction
    quality: Quality
    options: dict[str, str]
    open_clock: OpenClock = start_clock
    origin_seconds: Fraction = Fraction(0)
    warnings: list[str] = field(default_factory=list)

    def dress(self, silent: Path, dressed: Path, span: Span) -> bool:
        """Write the pictures of ``silent`` and what belongs to them into ``dressed``; False: there is nothing to add.

        Raises:
            OSError: the system does not take ``dressed``.
        """
        try:
            parts = self._parts(span)
            while parts:
                counts: dict[str, _Count] = {}
                why = self._attempt(silent, Target(dressed), parts, span, counts)
                if why:
                    parts = self._without_culprits(silent, parts, span, counts, why)
                elif empty := [part for part in parts if _is_empty(part, counts)]:
                    self._tell_empty(empty, counts)
                    parts = [part for part in parts if part not in empty]
                else:
                    self._finish(dressed, parts, counts)
                    return True
        except InputError as error:
            self.warnings.append(f"sound and tags of the input are left out: {error}")
        return False

    def _parts(self, span: Span) -> list[_Part]:
        plan = plan_tracks(self.source, self.quality)
        extras: list[Extra] = []
        told: list[str] = []
        if self.quality == "layer":
            extras, told = extras_of(self.source, span, self.fps, self.origin_seconds)
        self.warnings.extend([*plan.warnings, *told])
        return [*plan.tracks, *extras]

    def _attempt(
        self, silent: Path, file: Target | Nowhere, parts: list[_Part], span: Span, counts: dict[str, _Count]
    ) -> str:
        """Write all into ``file``; gives why that failed, or nothing.

        Raises:
            OSError: the system does not take it.
        """
        try:
            with ExitStack() as stack:
                pictures = stack.enter_context(open_input(silent))
                source = stack.enter_context(open_input(self.source))
                target = self._open(file)
                stack.callback(_abandon, target)
                self._write(target, pictures, source, parts, span, counts)
                target.close()
            file.finish()
        except (av.FFmpegError, ValueError, EOFError) as error:
            if file.error is not None:
                raise file.error from error
            return _reason(error)
        finally:
            with suppress(OSError):
                file.close()
        return ""

    def _open(self, file: Target | Nowhere) -> OutputContainer:
        if isinstance(file, Target):
            return av.open(file, "w", format="mp4", container_options=self.options, io_open=file.reader)
        # What keeps nothing cannot be read again, as is needed to move the index to the front.
        options = {name: value for name, value in self.options.items() if name != "movflags"}
        return av.open(file, "w", format="mp4", container_options=options)

    def _write(
        self,
        target: OutputContainer,
        pictures: InputContainer,
        source: InputContainer,
        parts: list[_Part],
        span: Span,
        counts: dict[str, _Count],
    ) -> None:
        clock = self.open_clock(source)
        stream = pictures.streams.video[0]
        film = target.add_stream_from_template(stream, opaque=True)
        film.codec_context.codec_tag = stream.codec_context.codec_tag
        film.codec_context.framerate = self.fps
        lanes: dict[int, tuple[Lane, _Count]] = {}
        for part in parts:
            if isinstance(part, Track):
                count = counts.setdefault(part.name, _Count())
                lanes[part.index] = open_lane(target, source, part, span, clock), count
            else:
                part.add_to(target, film)
        target.start_encoding()
        feed = _feed(target, read_tracks(source, set(lanes), clock) if lanes else iter(()), lanes)
        reached = next(feed, None)
        for packet in _pictures(pictures):
            now = (packet.dts or 0) * packet.time_base - span.shift
            while reached is not None and reached < now:
                reached = next(feed, None)
            packet.stream = film
            target.mux(packet)
        for _ in feed:
            pass

    def _without_culprits(
        self, silent: Path, parts: list[_Part], span: Span, counts: dict[str, _Count], why: str
    ) -> list[_Part]:
        """What may be tried again: all but what fails on its own; where nothing does, nothing."""
        reasons: dict[str, str] = {}
        for part in parts:
            alone = self._attempt(silent, Nowhere(), [part], span, {})
            if alone or _is_empty(part, counts):
                reasons[part.name] = alone or why
        reasons = reasons or {part.name: why for part in parts}
        self.warnings.extend(f"{name} cannot be written into MP4; left out ({why})" for name, why in reasons.items())
        return [part for part in parts if part.name not in reasons]

    def _tell_empty(self, empty: list[_Part], counts: dict[str, _Count]) -> None:
        """Tell tracks of which nothing was written; of subtitles, that none falls into a part is nothing to tell."""
        for part in empty:
            why = counts[part.name].why
            if why or (isinstance(part, Track) and part.kind == "sound"):
                self.warnings.append(f"{part.name} is left out: {why or 'there is none in this part'}")

    def _finish(self, dressed: Path, parts: list[_Part], counts: dict[str, _Count]) -> None:
        for name, count in counts.items():
            if count.refused:
                self.warnings.append(
                    f"{name}: {count.refused} packets cannot be read or written and are stepped over ({count.why})"
                )
        for part in parts:
            if isinstance(part, Tags) and (missing := missing_tags(dressed, part.values)):
                add_keys(dressed, missing)
                if missing := missing_tags(dressed, part.values):
                    self.warnings.append(f"tags that MP4 does not take are left out: {', '.join(sorted(missing))}")


def _is_empty(part: _Part, counts: dict[str, _Count]) -> bool:
    return isinstance(part, Track) and part.name in counts and not counts[part.name].written


def _reason(error: Exception) -> str:
    """What FFmpeg or PyAV said, in a few words."""
    said = (error.strerror or "") if isinstance(error, (OSError, av.FFmpegError)) else str(error)
    return said.splitlines()[0] if said else type(error).__name__


def _abandon(target: OutputContainer) -> None:
    """Close what was not finished; a finished one is closed already."""
    with suppress(OSError, ValueError, av.FFmpegError):
        target.close()


def _pictures(container: InputContainer) -> Iterator[Packet[Any]]:
    """The packets of a film as they were written.

    A reader of MP4 takes the step to the next packet for a packet's duration. A writer makes a track as long as its
    packets tell, so each but the last gets the time for which its frame is shown.
    """
    stream = container.streams.video[0]
    shown = sorted(packet.pts for packet in container.demux(stream) if packet.size and packet.pts is not None)
    end = (stream.start_time or 0) + (stream.duration or 0)
    durations = {begin: after - begin for begin, after in pairwise([*shown, max(end, shown[-1] + 1)])}
    container.seek(0, stream=stream)
    before: Packet[Any] | None = None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if before is not None:
            before.duration = durations.get(before.pts or 0, before.duration or 0)
            yield before
        before = packet
    if before is not None:
        yield before


def _feed(
    target: OutputContainer, packets: Iterator[tuple[Packet[Any], Fraction]], lanes: dict[int, tuple[Lane, _Count]]
) -> Iterator[Fraction]:
    """Write the tracks' packets one by one; gives the time of each before it is written."""
    for packet, shown in packets:
        yield shown
        lane, count = lanes[packet.stream_index]
        _mux(target, lane.take(packet, shown), count)
    for lane, count in lanes.values():
        _mux(target, lane.finish(), count)


def _mux(target: OutputContainer, made: Iterator[Packet[Any]], count: _Count) -> None:
    """Write what a lane makes of a packet; what fails is counted, as the next ones may be well."""
    try:
        for packet in made:
            target.mux(packet)
            count.written += 1
    except (av.FFmpegError, ValueError, EOFError) as error:
        count.refused += 1
        count.why = count.why or _reason(error)
