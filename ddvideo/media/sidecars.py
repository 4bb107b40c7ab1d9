"""Files that cameras write beside a clip, and that show the same as it does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ddvideo.media.content import VIDEO_SUFFIXES

__all__ = ["Clips"]

_KINDS = {".thm": "thumbnail", ".lrv": "low-resolution copy", ".lrf": "low-resolution copy"}
_CLIP_SUFFIXES = VIDEO_SUFFIXES | {".mod", ".tod"}
_GOPRO_COPY = re.compile(r"gl(\d+)")


class Clips:
    """The clips of a folder, by their stems, to which other files in it may belong.

    Args:
        files: all files of the folder.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        clips = [file for file in files if file.suffix.lower() in _CLIP_SUFFIXES]
        self._names = {file.stem.casefold(): file.name for file in clips}

    def owner_of(self, file: Path) -> tuple[str, str] | None:
        """What a file is of which clip, such as ``("thumbnail", "GX010001.MP4")``; None where it is on its own.

        A GoPro writes ``GL010001.LRV`` beside ``GX010001.MP4`` or ``GH010001.MP4``.
        """
        kind = _KINDS.get(file.suffix.lower())
        if kind is None:
            return None
        stem = file.stem.casefold()
        numbered = _GOPRO_COPY.fullmatch(stem)
        stems = [stem, *(f"{letters}{numbered[1]}" for letters in ("gx", "gh") if numbered)]
        return next(((kind, self._names[stem]) for stem in stems if stem in self._names), None)
