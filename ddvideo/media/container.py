"""Opening containers: the one place where FFmpeg's errors on reading become one clear line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av import Packet
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from ddvideo.errors import InputError
from ddvideo.media.limits import MAX_PIXELS, check_size

__all__ = [
    "Nameless",
    "input_error",
    "is_known",
    "name_of",
    "open_input",
    "origin_seconds",
    "packets_of",
    "video_stream",
    "video_streams",
]

_DEFAULT_BONUS = 5_000_000
_MAX_THREADS = 4
_BY_NAME = frozenset({"image2", "tty"})
"""Formats that FFmpeg tells by a file's name, whatever is in it."""


def input_error(error: OSError | av.FFmpegError, path: Path) -> InputError:
    """The clear line for what FFmpeg or the system said on reading ``path``."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: there is no such file; check the name")
    if isinstance(error, PermissionError):
        return InputError(f"{path}: no permission to read it; check its mode and owner")
    if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)):
        return InputError(f"{path}: not a video or image that can be read, or damaged; try to play it")
    return InputError(f"{path}: cannot be read ({error.strerror or type(error).__name__})")


class Nameless:
    """A file that FFmpeg can read, but not see the name of: by some names it takes anything for a picture."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """Open ``path`` for reading; closed on leaving.

    Raises:
        InputError: the file is missing, empty, not readable, or no video.
    """
    limits = {"max_pixels": str(MAX_PIXELS)}
    with ExitStack() as stack:
        try:
            if path.is_file() and path.stat().st_size == 0:
                raise InputError(f"{path}: the file is empty; was it copied or downloaded whole?")
            container = stack.enter_context(_open(path))
            if container.format.name in _BY_NAME:
                stack.pop_all().close()
                file = stack.enter_context(path.open("rb"))
                container = stack.enter_context(av.open(Nameless(file), "r", metadata_errors="replace"))
        except (OSError, av.FFmpegError) as error:
            raise input_error(error, path) from error
        for stream in container.streams.video:
            if is_known(stream):
                stream.codec_context.options = limits
        yield container


def _open(path: Path) -> InputContainer:
    # "file:" keeps a name like "concat:..." or "http://..." from being taken for a protocol.
    name, protocols = f"file:{os.fspath(path)}", {"protocol_whitelist": "file"}
    return av.open(name, "r", container_options=protocols, metadata_errors="replace")


def packets_of(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """The packets of some streams in the order of the file, without an empty one at the end.

    Streams may begin in the middle of a file (of broadcasts): PyAV does not know them, and trips over them at the end.

    Raises:
        av.FFmpegError: the file is damaged.
    """
    with suppress(IndexError):
        yield from (packet for packet in container.demux(*streams) if packet.size)


def is_known(stream: Stream) -> bool:
    """Whether FFmpeg has a decoder for a stream; PyAV gives those that it has none for no codec context."""
    return stream.codec_context is not None


def name_of(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec, ``unknown`` where it has none."""
    return stream.codec_context.name if is_known(stream) else "unknown"


def video_streams(container: InputContainer) -> list[VideoStream]:
    """The streams with moving pictures: those that are not a cover picture or a thumbnail."""
    aside = Disposition.attached_pic | Disposition.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & aside]


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that is read: not a cover picture; then the default one; then the largest (FFmpeg's own rule).

    Raises:
        InputError: there is no video stream, none with a known codec, or one of an absurd size.
    """
    streams = video_streams(container)
    if not streams:
        what = "only sound" if container.streams.audio else "no video"
        raise InputError(f"{path}: it holds {what}; give a file with a video stream")
    known = [stream for stream in streams if is_known(stream)]
    if not known:
        raise InputError(f"{path}: its pictures are in a codec that FFmpeg does not know; convert the file first")

    def score(stream: VideoStream) -> int:
        bonus = _DEFAULT_BONUS if stream.disposition & Disposition.default else 0
        return stream.codec_context.width * stream.codec_context.height + bonus

    best = max(known, key=score)
    check_size(best.codec_context.width, best.codec_context.height, path)
    best.codec_context.thread_count = _threads(best)
    return best


def _threads(stream: VideoStream) -> int:
    """How many threads decode a stream: one, where FFmpeg's own decoders do it.

    Theirs hang on some damaged files, fill the gaps of others by chance, and where they share a frame they do not tell
    that it is damaged. On two cores more of them did not decode faster.
    """
    is_apart = stream.codec_context.name.startswith("lib")
    return min(_MAX_THREADS, os.cpu_count() or 1) if is_apart else 1


def origin_seconds(container: InputContainer) -> Fraction:
    """The time of a container that counts as zero: when its first stream starts; 0 where that is before zero.

    Sound that starts a little before zero is the encoder's lead-in (priming), which players cut off.
    """
    return Fraction(max(container.start_time or 0, 0), av.time_base)
