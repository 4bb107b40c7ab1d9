"""What a PNG file holds beside its samples: finding its chunks, and adding some to a file that an encoder made."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["PNG", "add_chunks", "deflated_profile", "inflated_profile", "png_chunks"]

PNG = b"\x89PNG\r\n\x1a\n"
"""What every PNG file begins with."""

_BULK = frozenset({b"IDAT", b"fdAT"})
_HEADER_END = 33  # the signature and IHDR, which comes first and always has 13 bytes
_MOST_PROFILE_BYTES = 1 << 24  # the largest real ICC profiles have a few MiB; a crafted one would take all memory


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk up to ``IEND``, in the file's order; samples are stepped over, not read.

    Of a file that is cut off, the chunks that are whole come; ``IEND`` is not among them then.
    """
    end = file.seek(0, 2)
    at = file.seek(len(PNG))
    while at + 12 <= end:
        size, kind = struct.unpack(">I4s", file.read(8))
        if at + 12 + size > end:
            return
        yield kind, b"" if kind in _BULK else file.read(size)
        if kind == b"IEND":
            return
        at = file.seek(at + 12 + size)


def inflated_profile(chunk: bytes) -> bytes:
    """The ICC profile in an ``iCCP`` chunk; empty where it cannot be unpacked."""
    _, _, packed = chunk.partition(b"\0")
    unpack = zlib.decompressobj()
    try:
        profile = unpack.decompress(packed[1:], _MOST_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if unpack.eof else b""


def deflated_profile(profile: bytes) -> bytes:
    """The content of an ``iCCP`` chunk that holds an ICC profile."""
    return b"ICC profile\0\0" + zlib.compress(profile)


def add_chunks(png: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The PNG file with more chunks (type and content) right after its header."""
    added = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    return b"".join([png[:_HEADER_END], *added, png[_HEADER_END:]])
