"""Tags of an input: what MP4 has a place for is written by FFmpeg, the rest as keys of Apple's kind.

MP4 keeps titles and the like in a fixed set of boxes. Everything else (the make of a camera, where it stood, names that
somebody made up) goes into a second box, ``moov/meta`` with the handler ``mdta``, as iPhones and Android write it
(QuickTime File Format, "Metadata"). FFmpeg writes either the one or the other, so the second is added to its file.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from av.container import InputContainer

from ddvideo.media.container import open_input

__all__ = ["add_keys", "missing_tags", "tags_of"]

# What a container or a muxer writes for itself, and what is carried in another way.
_OWN: Final = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder", "timecode", "duration"})
_LANGUAGE: Final = re.compile(r"(.+)-[a-z]{3}")
_UTF8: Final = 1
_MOST_BYTES: Final = 2**31


def tags_of(container: InputContainer) -> dict[str, str]:
    """The tags of a whole input. Of one that is told again with its language, the plain one is enough."""
    found = {key: value for key, value in container.metadata.items() if key.casefold() not in _OWN and value}
    tags = {}
    for key, value in found.items():
        plain = _LANGUAGE.fullmatch(key)
        if plain is None or found.get(plain[1]) != value:
            tags[key] = value.replace("\0", " ").encode("utf-8", "replace").decode()
    if "creation_time" not in tags:
        times = [stream.metadata["creation_time"] for stream in container.streams if "creation_time" in stream.metadata]
        tags |= {"creation_time": times[0]} if times else {}
    return tags


def missing_tags(path: Path, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of ``wanted`` that do not read back from ``path``."""
    with open_input(path) as container:
        written = dict(container.metadata)
    return {key: value for key, value in wanted.items() if written.get(key) != value}


def add_keys(path: Path, tags: Mapping[str, str]) -> bool:
    """Add ``tags`` to the end of an MP4 file's ``moov`` box; False where that is not the file's last box.

    Raises:
        OSError: the disk does not take it.
    """
    box = _meta_box(tags)
    with path.open("r+b") as file:
        last = None
        for name, at, header, size in _boxes(file):
            last = (name, at, header, size)
        if last is None or last[0] != b"moov" or last[2] != 8 or last[3] + len(box) >= _MOST_BYTES:
            return False
        file.seek(0, os.SEEK_END)
        file.write(box)
        file.seek(last[1])
        file.write(struct.pack(">I", last[3] + len(box)))
        file.flush()
        os.fsync(file.fileno())
    return True


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int, int]]:
    """Name, position, bytes of header and bytes in all of each box of a file (ISO/IEC 14496-12, 4.2)."""
    end = file.seek(0, os.SEEK_END)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            header, size = 16, struct.unpack(">Q", file.read(8))[0]
        if size < header or at + size > end:
            return
        yield name, at, header, size
        at += size


def _meta_box(tags: Mapping[str, str]) -> bytes:
    handler = _box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    keys = b"".join(_box(b"mdta", key.encode()) for key in tags)
    values = b"".join(
        _box(struct.pack(">I", place), _box(b"data", struct.pack(">II", _UTF8, 0) + value.encode()))
        for place, value in enumerate(tags.values(), start=1)
    )
    listed = _box(b"keys", struct.pack(">II", 0, len(tags)) + keys)
    return _box(b"meta", bytes(4) + handler + listed + _box(b"ilst", values))


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content
