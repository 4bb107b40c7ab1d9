"""Boxes of MP4 changed by hand: for what no muxer writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

# Boxes that hold others, and how many bytes of their own lie before these.
_INSIDE = {b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"stsd": 8, b"hev1": 78, b"hvc1": 78}


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4) + kind + content


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _with_inside(data: bytes, holder: bytes, added: bytes) -> bytes:
    parts = []
    for kind, content in _boxes(data):
        if kind in _INSIDE:
            own = _INSIDE[kind]
            content = content[:own] + _with_inside(content[own:], holder, added)
        parts.append(box(kind, content + added if kind == holder else content))
    return b"".join(parts)


def put_inside(path: Path, holder: bytes, added: bytes) -> Path:
    """Put a box at the end of another one; the file's header must come after its pictures."""
    path.write_bytes(_with_inside(path.read_bytes(), holder, added))
    return path


def rename(path: Path, old: bytes, new: bytes, *, count: int = -1) -> Path:
    """Change a code of four letters wherever it stands in the header."""
    data = path.read_bytes()
    begin = data.index(b"moov")
    assert old in data[begin:]
    path.write_bytes(data[:begin] + data[begin:].replace(old, new, count))
    return path
