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
from ddvideo.media.container import open_input, origin_seconds
from ddvideo.media.lanes import Lane
from ddvideo.media.tags import add_keys, missing_tags, tags_of
from ddvideo.media.target import Nowhere, Target
from ddvideo.media.timecode import advance
from ddvideo.media.tracks import Track, open_lane, plan_tracks, read_tracks
from ddvideo.media.x264 import Quality

__all__ = ["Dressing"]


@dataclass(frozen=True)
class _Tags:
    values: dict[str, str]
    name: str = "the tags"


@dataclass(frozen=True)
class _Chapters:
    values: tuple[Any, ...]
    name: str = "the chapters"


@dataclass(frozen=True)
class _Timecode:
    value: str
    reel: str
    name: str = "the timecode"


_Extra: TypeAlias = Track | _Tags | _Chapters | _Timecode


@dataclass
class _Count:
    """What came of one track."""

    written: int = 0
    refused: int = 0
    why: str = ""


@dataclass
class Dressing:
    """What one layer gets besides its pictures.

    ``source`` is the input, ``fps`` its rate, ``options`` are the container's. ``warnings`` grows.
    """

    source: Path
    fps: Fraction
    quality: Quality
    options: dict[str, str]
    open_clock: OpenClock = start_clock
    warnings: list[str] = field(default_factory=list)

    def dress(self, silent: Path, part: Path, span: Span) -> bool:
        """Write the pictures of ``silent`` and what belongs to them into ``part``; False: there is nothing to add.

        Raises:
            OSError: the system does not take ``part``.
        """
        try:
            extras = self._extras(span)
            while extras:
                counts: dict[str, _Count] = {}
                why = self._attempt(silent, Target(part), extras, span, counts)
                if why:
                    extras = self._without_culprits(silent, extras, span, counts, why)
                elif empty := [extra for extra in extras if _is_empty(extra, counts)]:
                    self._tell_empty(empty, counts)
                    extras = [extra for extra in extras if extra not in empty]
                else:
                    return self._finish(part, extras, counts)
        except InputError as error:
            self.warnings.append(f"sound and tags of the input are left out: {error}")
        return False

    def _extras(self, span: Span) -> list[_Extra]:
        plan = plan_tracks(self.source, self.quality)
        self.warnings.extend(plan.warnings)
        extras: list[_Extra] = list(plan.tracks)
        if self.quality == "preview":
            return extras
        with open_input(self.source) as container:
            if tags := tags_of(container):
                extras.append(_Tags(tags))
            if chapters := _chapters(container, span):
                extras.append(_Chapters(chapters))
            if timecode := self._timecode(container, span):
                extras.append(timecode)
        return extras

    def _timecode(self, container: InputContainer, span: Span) -> _Timecode | None:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
        told = [(key, value) for found in tags for key, value in found.items() if value]
        start = next((value for key, value in told if key.casefold() == "timecode"), None)
        if start is None:
            return None
        reel = next((value for key, value in told if key == "reel_name"), "")
        try:
            return _Timecode(advance(start, round(-span.shift * self.fps), self.fps), reel)
        except ValueError as error:
            self.warnings.append(f"the timecode is left out: {error}")
            return None

    def _attempt(
        self, silent: Path, file: Target | Nowhere, extras: list[_Extra], span: Span, counts: dict[str, _Count]
    ) -> str:
        """Write all into ``file``; gives why that failed, or nothing.

        Raises:
            OSError: the system does not take it.
        """
        try:
            with ExitStack() as stack:
                pictures = stack.enter_context(open_input(silent))
                source = stack.enter_context(open_input(self.source))
                target: OutputContainer = av.open(file, "w", format="mp4", container_options=self.options)
                stack.callback(_abandon, target)
                self._write(target, pictures, source, extras, span, counts)
                target.close()
            file.finish()
        except (av.FFmpegError, ValueError, EOFError) as error:
            if file.error is not None:
                raise file.error from error
            return str(error).splitlines()[0] if str(error) else type(error).__name__
        finally:
            with suppress(OSError):
                file.close()
        return ""

    def _write(
        self,
        target: OutputContainer,
        pictures: InputContainer,
        source: InputContainer,
        extras: list[_Extra],
        span: Span,
        counts: dict[str, _Count],
    ) -> None:
        clock = self.open_clock(source)
        stream = pictures.streams.video[0]
        film = target.add_stream_from_template(stream, opaque=True)
        film.codec_context.framerate = self.fps
        lanes: dict[int, tuple[Lane, _Count]] = {}
        for extra in extras:
            if isinstance(extra, _Tags):
                target.metadata.update(extra.values)
            elif isinstance(extra, _Chapters):
                target.set_chapters(list(extra.values))
            elif isinstance(extra, _Timecode):
                film.metadata.update({"timecode": extra.value} | ({"reel_name": extra.reel} if extra.reel else {}))
            else:
                count = counts.setdefault(extra.name, _Count())
                lanes[extra.index] = open_lane(target, source, extra, span, clock), count
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
        self, silent: Path, extras: list[_Extra], span: Span, counts: dict[str, _Count], why: str
    ) -> list[_Extra]:
        """What may be tried again: all but what fails on its own; where nothing does, nothing."""
        reasons: dict[str, str] = {}
        for extra in extras:
            alone = self._attempt(silent, Nowhere(), [extra], span, {})
            if alone or _is_empty(extra, counts):
                reasons[extra.name] = alone or why
        reasons = reasons or {extra.name: why for extra in extras}
        self.warnings.extend(f"{name} cannot be written into MP4; left out ({why})" for name, why in reasons.items())
        return [extra for extra in extras if extra.name not in reasons]

    def _tell_empty(self, empty: list[_Extra], counts: dict[str, _Count]) -> None:
        """Tell tracks of which nothing was written; of subtitles, that none falls into a part is nothing to tell."""
        for extra in empty:
            why = counts[extra.name].why
            if why or (isinstance(extra, Track) and extra.kind == "sound"):
                self.warnings.append(f"{extra.name} is left out: {why or 'there is none in this part'}")

    def _finish(self, part: Path, extras: list[_Extra], counts: dict[str, _Count]) -> bool:
        for name, count in counts.items():
            if count.refused:
                self.warnings.append(
                    f"{name}: {count.refused} packets cannot be read or written and are stepped over ({count.why})"
                )
        for extra in extras:
            if isinstance(extra, _Tags) and (missing := missing_tags(part, extra.values)):
                add_keys(part, missing)
                if missing := missing_tags(part, extra.values):
                    self.warnings.append(f"tags that MP4 does not take are left out: {', '.join(sorted(missing))}")
        return True


def _is_empty(extra: _Extra, counts: dict[str, _Count]) -> bool:
    return isinstance(extra, Track) and extra.name in counts and not counts[extra.name].written


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
        count.why = count.why or str(error).splitlines()[0]


def _chapters(container: InputContainer, span: Span) -> tuple[Any, ...]:
    """The chapters of the written part, moved with it."""
    origin = origin_seconds(container)
    kept = []
    for chapter in container.chapters():
        base = chapter["time_base"]
        if not base:
            continue
        begin, end = chapter["start"] * base - origin, chapter["end"] * base - origin
        begin, end = max(begin, span.begin), min(end, span.pictures_end)
        if begin < end:
            ticks = [round((seconds + span.shift) / base) for seconds in (begin, end)]
            kept.append({**chapter, "start": ticks[0], "end": ticks[1]})
    return tuple(kept)
