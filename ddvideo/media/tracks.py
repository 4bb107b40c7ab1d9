"""What becomes of each track besides the pictures, decided before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import av
from av import Packet
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Disposition, Stream

from ddvideo.media.audio import Way, ways_of
from ddvideo.media.clock import Clock, Span, start_clock
from ddvideo.media.container import open_input, packets_of, video_stream
from ddvideo.media.lanes import Lane, cover_lane, sound_lane, subtitle_lane
from ddvideo.media.target import Nowhere
from ddvideo.media.x264 import Quality

__all__ = ["Track", "Tracks", "open_lane", "plan_tracks", "read_tracks", "sound_warnings"]

# A few packets show whether a track can be written: one frame of E-AC-3 takes up to six, a decoder may hold back some.
_TRIAL_PACKETS: Final = 32
_TEXT_CODECS: Final = frozenset(
    {"mov_text", "subrip", "ass", "ssa", "webvtt", "text", "microdvd", "subviewer", "subviewer1", "sami", "realtext",
     "stl", "mpl2", "pjs", "vplayer", "jacosub"}
)  # fmt: skip
_COVER_CODECS: Final = frozenset({"mjpeg", "png"})
_LISTED: Final = 4


@dataclass(frozen=True)
class Track:
    """One track that is written: its stream's index in the input, what it is, and how it is written."""

    index: int
    kind: Literal["sound", "subtitles", "cover"]
    name: str
    way: Way = "copy"


@dataclass(frozen=True)
class Tracks:
    """All tracks that are written, and what is to be told of the others."""

    tracks: tuple[Track, ...]
    warnings: tuple[str, ...]


def sound_warnings(path: Path) -> tuple[str, ...]:
    """What a layer of ``path`` will not hold as it is in the input: sound, subtitles, covers and data tracks.

    Odd sound is told, never an error. Nothing is told of a folder of frames.

    Raises:
        InputError: the file cannot be opened, or holds no video.
    """
    return () if path.is_dir() else plan_tracks(path).warnings


def plan_tracks(path: Path, quality: Quality = "layer") -> Tracks:
    """Decide for each track of ``path`` by writing its beginning into memory. A preview gets sound alone, untold.

    Raises:
        InputError: the file cannot be opened.
    """
    tracks: list[Track] = []
    warnings: list[str] = []
    with open_input(path) as container:
        streams = container.streams.audio
        ways = {stream.index: ways_of(stream.codec_context, quality) if _is_known(stream) else () for stream in streams}
        names = {track.index: f"sound track {n} ({_codec_name(track)})" for n, track in enumerate(streams, start=1)}
        if quality == "layer":
            tracks, warnings = _without_sound(container, path)
    sound = [_plan_sound(path, index, names[index], ways[index], quality) for index in ways]
    warnings = [*(warning for _, warning in sound if warning and quality == "layer"), *warnings]
    return Tracks((*(track for track, _ in sound if track is not None), *tracks), tuple(warnings))


def _plan_sound(path: Path, index: int, name: str, ways: tuple[Way, ...], quality: Quality) -> tuple[Track | None, str]:
    if not ways:
        return None, f"{name} cannot be decoded here; it is left out"
    for way in ways:
        track = Track(index, "sound", name, way)
        if _works(path, track):
            told = "" if way == "copy" == ways[0] else _told(track)
            return track, told
    return None, f"{name} cannot be decoded or written into MP4; it is left out"


def _told(track: Track) -> str:
    if track.way == "copy":
        return f"{track.name} is copied, but few players take it in MP4"
    return f"{track.name} is coded anew as {track.way.upper()}: players do not take it in MP4 as it is"


def _works(path: Path, track: Track) -> bool:
    """Whether the first packets of a track can be written."""
    written = taken = 0
    try:
        with open_input(path) as source, av.open(Nowhere(), "w", format="mp4") as target:
            clock = start_clock(source)
            packets = list(islice(read_tracks(source, {track.index}, clock), _TRIAL_PACKETS))
            lane = open_lane(target, source, track, Span(pictures_end=Fraction(0)), None)
            target.start_encoding()
            for packet, shown in packets:
                taken += 1
                with suppress(av.FFmpegError, ValueError):
                    for made in lane.take(packet, shown):
                        target.mux(made)
                        written += 1
            for made in lane.finish():
                target.mux(made)
                written += 1
            target.close()
    except (av.FFmpegError, ValueError, EOFError):
        return False
    return written > 0 or not taken


def open_lane(target: OutputContainer, source: InputContainer, track: Track, span: Span, clock: Clock | None) -> Lane:
    """Declare a track in ``target``.

    Raises:
        ValueError, av.FFmpegError: the container or an encoder does not take it.
    """
    stream = source.streams[track.index]
    if track.kind == "sound":
        return sound_lane(target, stream, track.way, span, clock)
    return subtitle_lane(target, stream, span) if track.kind == "subtitles" else cover_lane(target, stream, span)


def read_tracks(container: InputContainer, wanted: set[int], clock: Clock) -> Iterator[tuple[Packet[Any], Fraction]]:
    """The packets of some streams, and when each is shown, in the input's time. A damaged tail ends them."""
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = Discard.all
    ends: dict[int, Fraction] = {}
    try:
        for packet in packets_of(container, *(container.streams[index] for index in sorted(wanted))):
            ticks = packet.pts if packet.pts is not None else packet.dts
            raw = ticks * packet.time_base if ticks is not None else ends.get(packet.stream_index)
            if raw is None:
                raw = Fraction(0)
            ends[packet.stream_index] = raw + (packet.duration or 0) * packet.time_base
            yield packet, clock(packet.stream_index, raw)
    except av.FFmpegError:
        return


def _without_sound(container: InputContainer, path: Path) -> tuple[list[Track], list[str]]:
    """Subtitles, covers and everything else: what is written, and what is told."""
    tracks: list[Track] = []
    warnings: list[str] = []
    for place, subtitle in enumerate(container.streams.subtitles, start=1):
        codec_name = _codec_name(subtitle)
        name = f"subtitle track {place} ({codec_name})"
        if codec_name in _TEXT_CODECS:
            tracks.append(Track(subtitle.index, "subtitles", name))
        elif _is_known(subtitle) and subtitle.codec_context.codec.bitmap_sub:
            warnings.append(f"{name} holds pictures, not text; it is left out")
        else:
            warnings.append(f"{name} is of a kind that cannot be written into MP4; it is left out")
    pictures = video_stream(container, path)
    covers: list[Stream] = []
    for video in container.streams.video:
        if video.index == pictures.index:
            continue
        codec_name = _codec_name(video)
        is_cover = video.disposition & Disposition.attached_pic
        if is_cover and not video.disposition & Disposition.timed_thumbnails and codec_name in _COVER_CODECS:
            tracks.append(Track(video.index, "cover", f"cover picture ({codec_name})"))
        elif is_cover:
            covers.append(video)
    warnings += _left_out("cover picture", covers, _codec_name)
    data = [s for s in container.streams if s.type in {"data", "unknown"} and not _is_known_data(s)]
    warnings += _left_out("data track", data, _data_name)
    attached = [s for s in container.streams if s.type == "attachment"]
    warnings += _left_out("attachment", attached, lambda stream: stream.metadata.get("filename", "?"))
    return tracks, warnings


def _is_known_data(stream: Stream) -> bool:
    """Timecode, which is written from the tags, and the chapters' titles, which FFmpeg hides as discarded data."""
    return "timecode" in stream.metadata or bool(stream.discard == Discard.all)


def _is_known(stream: Stream) -> bool:
    """Whether FFmpeg knows the codec; PyAV has no context for one that it does not, whatever its types say."""
    codec: Any = stream.codec_context
    return codec is not None


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name if _is_known(stream) else "unknown codec"


def _data_name(stream: Stream) -> str:
    return stream.metadata.get("handler_name", "").strip() or getattr(stream, "name", None) or "unknown"


def _left_out(what: str, streams: list[Any], name: Callable[[Any], str]) -> list[str]:
    if not streams:
        return []
    names = list(dict.fromkeys(name(stream) for stream in streams))
    shown = ", ".join(names if len(names) <= _LISTED else [*names[:_LISTED], "..."])
    one = len(streams) == 1
    verb = "is" if one else "are"
    return [f"{len(streams)} {what}{'' if one else 's'} ({shown}) cannot go into MP4 and {verb} left out"]
