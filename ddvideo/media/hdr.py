"""What HDR footage says of its mastering, and footage without a picture that an ordinary screen can show."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av.logging
from av import VideoFrame
from av.buffer import Buffer
from av.container import InputContainer

from ddvideo.errors import InputError

__all__ = ["check_base_layer", "content_light", "mastering_display"]

# AVMasteringDisplayMetadata: red, green, blue, white as x and y, then the least and the greatest luminance, as
# fractions; then two flags.
_MASTERING = struct.Struct("=22i")
_LIGHT = struct.Struct("=2I")
_CHROMATICITY_UNIT = 50000
_LUMINANCE_UNIT = 10000
_GREATEST_LUMINANCE = 10000 * _LUMINANCE_UNIT
"""PQ ends at 10000 cd/m2."""
_GREATEST_LIGHT_LEVEL = 65535
_DOLBY_TAGS = frozenset({"dvh1", "dvhe", "dav1", "dva1", "dvav"})
_DOLBY_RECORD = re.compile(r"DOVI configuration record.*?profile: (\d+).*?compatibility id: (\d+)", re.DOTALL)


def mastering_display(frame: VideoFrame) -> str:
    """SMPTE ST 2086 metadata of a frame in x264's notation; empty where there is none.

    x264 counts chromaticities in 0.00002 and luminances in 0.0001 cd/m2, as the SEI message of H.264 does (D.1.29).
    """
    data = _side_data(frame, "MASTERING_DISPLAY_METADATA", _MASTERING)
    if data is None:
        return ""
    fractions = [data[at] / data[at + 1] if data[at + 1] else 0.0 for at in range(0, 20, 2)]
    places = [round(value * _CHROMATICITY_UNIT) for value in fractions[:8]]
    least, greatest = (round(value * _LUMINANCE_UNIT) for value in fractions[8:])
    is_sound = (
        all(0 <= place <= _CHROMATICITY_UNIT for place in places) and 0 <= least < greatest <= _GREATEST_LUMINANCE
    )
    if not data[20] or not data[21] or not is_sound:
        return ""  # encoders refuse values that are none
    red, green, blue, white = ("{},{}".format(*places[at : at + 2]) for at in range(0, 8, 2))
    return f"G({green})B({blue})R({red})WP({white})L({greatest},{least})"


def content_light(frame: VideoFrame) -> str:
    """MaxCLL and MaxFALL of a frame in cd/m2, in x264's notation; empty where there are none."""
    data = _side_data(frame, "CONTENT_LIGHT_LEVEL", _LIGHT)
    is_sound = data is not None and any(data) and max(data) <= _GREATEST_LIGHT_LEVEL  # 0 is unknown
    return "{},{}".format(*data) if data and is_sound else ""


def check_base_layer(container: InputContainer, tag: str, frame: VideoFrame, path: Path) -> None:
    """Refuse Dolby Vision whose base layer is in no colour space that others know (profile 5, and 10 without one).

    Raises:
        InputError: the input is of this kind.
    """
    if tag.lower() not in _DOLBY_TAGS and not frame.side_data.get("DOVI_METADATA"):
        return
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)  # PyAV gives the record only in FFmpeg's own words, which are of this level
    try:
        record = _DOLBY_RECORD.search(_described(container))
    finally:
        av.logging.set_level(before)
    if record and int(record[2]) == 0:
        raise InputError(
            f"{path}: Dolby Vision profile {record[1]} has no base layer that can be shown; "
            "convert it to HDR10 or HLG first"
        )


def _described(container: InputContainer) -> str:
    dump: Callable[[], str] = getattr(container, "dumps_format")  # noqa: B009 (PyAV's stubs forget it)
    return dump()


def _side_data(frame: VideoFrame, name: str, layout: struct.Struct) -> tuple[int, ...] | None:
    found = frame.side_data.get(name)
    if found is None:
        return None
    data = bytes(cast(Buffer, found))
    return layout.unpack_from(data) if len(data) >= layout.size else None
