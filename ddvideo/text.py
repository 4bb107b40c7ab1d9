"""Text from outside (file names, tags, messages about them) made safe to show."""

from __future__ import annotations

import math
import unicodedata

__all__ = ["duration", "printable", "size_mib"]

_JOINERS = "\u200c\u200d"


def printable(text: object) -> str:
    r"""Show what a terminal or a page could act on or hide as an escape: ``\x1b``, ``\n``, ``\u202e``.

    Escaped are control characters, line and paragraph separators, format characters (text direction, zero width)
    and the stand-ins for bytes that are not UTF-8, which are told as the byte: ``\xff``. Joiners, which scripts and
    emoji need, stay.
    """
    return "".join(map(_show, str(text)))


def _show(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    code = ord(character)
    if unicodedata.category(character) == "Zs":
        return character
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def duration(seconds: float) -> str:
    """A length of time for people: ``0.42 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 04 min``."""
    if not math.isfinite(seconds):
        return "not known"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def size_mib(mib: float) -> str:
    """An amount of memory or disk, given in MiB, for people: ``0.4 MiB``, ``312 MiB``, ``1.5 GiB``."""
    if mib < 10:
        return f"{mib:.1f} MiB"
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"
