"""H.264 with a picture a field (PAFF), as camcorders (AVCHD) and broadcasters write it; x264 cannot.

Every macroblock holds its samples as they are (I_PCM), so that a few lines suffice and what is decoded is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


class _Bits:
    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, value: int, count: int) -> None:
        self.text.append(format(value, f"0{count}b"))

    def ue(self, *values: int) -> None:
        for value in values:
            code = format(value + 1, "b")
            self.text.append("0" * (len(code) - 1) + code)

    def bytes(self, *, ends: bool) -> bytes:
        """The bits so far, with a one after them where the unit ends, filled up with zeros."""
        bits = "".join(self.text) + ("1" if ends else "")
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8)


def _unit(ref_idc: int, kind: int, payload: bytes) -> bytes:
    for tail in range(4):
        payload = payload.replace(bytes([0, 0, tail]), bytes([0, 0, 255, tail])) if False else payload
    safe = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([ref_idc << 5 | kind]) + bytes(safe)


def parameter_sets(width: int, height: int) -> bytes:
    """Sequence and picture parameter sets: Main profile, fields allowed, 25 frames a second, 2 frames reordered."""
    sps = _Bits()
    sps.put(77, 8), sps.put(0, 8), sps.put(40, 8)
    sps.ue(0, 0, 0, 4, 2)  # set 0; 4 bits of frame_num; order count by 8 bits; 2 reference frames
    sps.put(0, 1)
    sps.ue(width // 16 - 1, height // 32 - 1)
    sps.put(0b001, 3)  # fields allowed, none within frames, direct inference
    sps.put(0, 1)  # no cropping
    sps.put(1, 1)  # VUI
    sps.put(0b0000, 4)  # no aspect, overscan, signal type, chroma location
    sps.put(1, 1)
    sps.put(1, 32), sps.put(50, 32), sps.put(1, 1)
    sps.put(0b000, 3)  # no HRD, no pic_struct
    sps.put(1, 1), sps.put(1, 1)
    sps.ue(0, 0, 10, 10, 2, 3)
    pps = _Bits()
    pps.ue(0, 0)
    pps.put(0b00, 2)
    pps.ue(0, 0, 0)
    pps.put(0b000, 3)
    pps.ue(0, 0, 0)
    pps.put(0b100, 3)
    return _unit(3, 7, sps.bytes(ends=True)) + _unit(3, 8, pps.bytes(ends=True))


def _field(planes: Planes, *, bottom: bool, is_idr: bool, ref_idc: int, frame_num: int, order: int) -> bytes:
    head = _Bits()
    head.ue(0, 7, 0)
    head.put(frame_num % 16, 4)
    head.put(1, 1), head.put(int(bottom), 1)
    if is_idr:
        head.ue(0)
    head.put(order % 256, 8)
    if ref_idc:
        head.put(0, 2 if is_idr else 1)
    head.ue(0, 1)  # quantiser as it is (se), no deblocking
    head.ue(25)
    first = head.bytes(ends=False)
    more = _Bits()
    more.ue(25)
    follows = more.bytes(ends=False)
    luma, *chroma = (plane[int(bottom) :: 2] for plane in planes)
    blocks = []
    for y in range(0, luma.shape[0], 16):
        for x in range(0, luma.shape[1], 16):
            parts = [luma[y : y + 16, x : x + 16]]
            parts += [plane[y // 2 : y // 2 + 8, x // 2 : x // 2 + 8] for plane in chroma]
            blocks.append(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
    return _unit(ref_idc, 5 if is_idr else 1, first + follows.join(blocks) + b"\x80")


def field_coded(frames: Sequence[Planes], *, top_first: bool = True, group: int = 12) -> list[tuple[int, bytes, bytes]]:
    """Coded frames in decoding order: number by display, first field, second field.

    Frames come as I b b with b never referred to; the group starts anew every ``group`` frames (a multiple of 3, IDR).
    """
    height, width = frames[0][0].shape
    coded = []
    frame_num = 0
    for start in range(0, len(frames), group):
        inside = list(range(start, min(start + group, len(frames))))
        order = [inside[0]]
        for at in range(1, len(inside), 3):
            trio = inside[at : at + 3]
            order += [trio[-1], *trio[:-1]]
        last_anchor = True
        frame_num = 0
        anchors = {inside[0], *(inside[at : at + 3][-1] for at in range(1, len(inside), 3))}
        for place, number in enumerate(order):
            is_anchor = number in anchors
            if place and last_anchor:
                frame_num += 1
            last_anchor = is_anchor
            fields = []
            for second in (False, True):
                fields.append(
                    _field(
                        frames[number],
                        bottom=second == top_first,
                        is_idr=place == 0 and not second,
                        ref_idc=2 if is_anchor else 0,
                        frame_num=frame_num,
                        order=2 * (number - start) + int(second),
                    )
                )
            head = parameter_sets(width, height) if place == 0 else b""
            coded.append((number, b"\0\0\0\1\x09\x10" + head + fields[0], b"\0\0\0\1\x09\x30" + fields[1]))
    return coded
