"""What a film gets besides pictures and tracks: tags, chapters and timecode, as its input tells them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from av.container import InputContainer, OutputContainer

from ddvideo.media.clock import Span
from ddvideo.media.container import open_input
from ddvideo.media.tags import tags_of
from ddvideo.media.timecode import advance

__all__ = ["Chapters", "Extra", "Tags", "Timecode", "extras_of"]


@dataclass(frozen=True)
class Tags:
    """Title, place, camera and the like."""

    values: dict[str, str]
    name: str = "the tags"

    def add_to(self, target: OutputContainer, film: Any) -> None:
        """Declare them, before the header is written."""
        target.metadata.update(self.values)


@dataclass(frozen=True)
class Chapters:
    """Chapters, as PyAV tells them."""

    values: tuple[Any, ...]
    name: str = "the chapters"

    def add_to(self, target: OutputContainer, film: Any) -> None:
        """Declare them, before the header is written."""
        target.set_chapters(list(self.values))


@dataclass(frozen=True)
class Timecode:
    """The first frame's timecode, and what the reel was called (empty: nothing)."""

    value: str
    reel: str
    name: str = "the timecode"

    def add_to(self, target: OutputContainer, film: Any) -> None:
        """Declare it, before the header is written."""
        film.metadata.update({"timecode": self.value} | ({"reel_name": self.reel} if self.reel else {}))


Extra: TypeAlias = Tags | Chapters | Timecode


def extras_of(path: Path, span: Span, fps: Fraction, origin: Fraction) -> tuple[list[Extra], list[str]]:
    """What ``path`` tells of the written part, moved with it; and what is to be told of the rest.

    Raises:
        InputError: the file cannot be opened.
    """
    extras: list[Extra] = []
    warnings: list[str] = []
    with open_input(path) as container:
        if tags := tags_of(container):
            extras.append(Tags(tags))
        if chapters := _chapters(container, span, origin):
            extras.append(Chapters(chapters))
        try:
            extras += _timecode(container, round(-span.shift * fps), fps)
        except ValueError as error:
            warnings.append(f"the timecode is left out: {error}")
    return extras, warnings


def _timecode(container: InputContainer, frames: int, fps: Fraction) -> list[Timecode]:
    tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    told = [(key.casefold(), value) for found in tags for key, value in found.items() if value]
    start = next((value for key, value in told if key == "timecode"), None)
    if start is None:
        return []
    return [Timecode(advance(start, frames, fps), next((value for key, value in told if key == "reel_name"), ""))]


def _chapters(container: InputContainer, span: Span, origin: Fraction) -> tuple[Any, ...]:
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
