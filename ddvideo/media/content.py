"""Whether a file holds a picture: told from its content, where its name does not say so.

The names of footage are trusted, so that thousands of clips cost nothing here, and so that one that is broken is named
when it is read instead of being passed over. All other files are looked into: first for a still, then for plain text,
which most files beside footage are, and at last by FFmpeg.
"""

from __future__ import annotations

import codecs
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from ddvideo.errors import InputError
from ddvideo.media.container import Nameless
from ddvideo.media.image_header import IMAGE_SUFFIXES, is_image

__all__ = ["VIDEO_SUFFIXES", "has_known_suffix", "why_no_picture"]

VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".apng", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".gxf", ".h264", ".h265", ".hevc"}
    | {".insv", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe"}
    | {".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogv", ".qt", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m"}
)
_ALSO_SOURCE_CODE = frozenset({".mts", ".ts"})
"""TypeScript shares these names with MPEG transport streams."""
_RAW_PHOTOGRAPHS = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw", ".orf", ".pef"}
    | {".raf", ".rw2", ".srw", ".x3f"}
)
"""Most of them are TIFF files, but what a reader of TIFF finds in them is a thumbnail."""

_NO_PICTURE = "no picture that can be read"
_TEXT = "text"
_NOT_FOOTAGE = {
    **dict.fromkeys(("adf", "bin", "ffmetadata", "idf", "tty", "xbin"), _TEXT),
    **dict.fromkeys(("concat", "dash", "hls", "imf", "rtp", "rtsp", "sdp"), "playlist"),
    **dict.fromkeys(("adp", "cdg"), _NO_PICTURE),  # they are recognised by almost nothing
    "ico": "icon",
}
"""What FFmpeg takes for a picture, often by very little, and nobody means; by FFmpeg's name for it."""
_START_CODE = (b"\0\0\1", b"\0\0\0\1")
_RAW_STREAMS: dict[str, tuple[bytes, ...]] = {
    **dict.fromkeys(
        ("avs2", "avs3", "cavsvideo", "evc", "h264", "hevc", "m4v", "mpegvideo", "vc1", "vvc"), _START_CODE
    ),
    "dirac": (b"BBCD",),
    "h261": (b"\0\1",),
    "h263": (b"\0\0",),
    "mjpeg": (b"\xff\xd8",),
    "mpeg": (*_START_CODE, b"RIFF"),
}
"""How streams without a container begin (and the disc image around that of a Video CD). FFmpeg finds them anywhere in a
file, and so takes documents and archives with a picture inside for them."""
_HEAD_BYTES = 1 << 16
_TEXT_CONTROLS = frozenset("\a\b\t\n\v\f\r\x1a\x1b")
_WIDE_TEXT = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def has_known_suffix(file: Path) -> bool:
    """Whether a file is footage by its name."""
    return file.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def why_no_picture(file: Path) -> str:
    """Why a file is no footage, in a word or two; empty where it is.

    Reads at most what FFmpeg needs to see which streams there are. Never fails: what cannot be read is a reason, too.
    """
    suffix = file.suffix.lower()
    if suffix in _RAW_PHOTOGRAPHS:
        return "raw photograph"
    if has_known_suffix(file) and suffix not in _ALSO_SOURCE_CODE:
        return ""
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
        if suffix in _ALSO_SOURCE_CODE:
            return _TEXT if head and _is_text(head) else ""
        if not head:
            return "empty"
        if is_image(file) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP"):  # a WebP may move
            return ""
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except InputError:
        return _NO_PICTURE
    return _TEXT if _is_text(head) else _in_container(file, head)


def _is_text(head: bytes) -> bool:
    """Whether bytes are text in UTF-8 (which ASCII is), or begin as UTF-16 does; a last letter may be cut off."""
    if head.startswith(_WIDE_TEXT):
        return True
    try:
        letters = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(letter >= " " or letter in _TEXT_CONTROLS for letter in set(letters))


def _in_container(file: Path, head: bytes) -> str:
    try:
        with file.open("rb") as opened, av.open(Nameless(opened), "r", metadata_errors="replace") as container:
            return _in_streams(container, head)
    except (OSError, ValueError, av.FFmpegError):
        return _NO_PICTURE


def _in_streams(container: InputContainer, head: bytes) -> str:
    """What there is instead of a moving picture: a picture has a size and a format as soon as one frame is decoded."""
    for name in container.format.name.split(","):
        if name in _NOT_FOOTAGE:
            return _NOT_FOOTAGE[name]
        if not head.startswith(_RAW_STREAMS.get(name, b"")):
            return _NO_PICTURE
    for stream in container.streams.video:
        codec = stream.codec_context  # None where FFmpeg has no decoder
        if codec is None or stream.disposition & Disposition.attached_pic:
            continue
        if codec.pix_fmt is not None and codec.width > 0:
            return ""
    if container.streams.audio:
        return "only sound"
    return "subtitles" if container.streams.subtitles else _NO_PICTURE
