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
    safe = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            safe.append(3)
            zeros = 0
        safe.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([ref_idc << 5 | kind]) + bytes(safe)


def _parameter_sets(width: int, height: int) -> bytes:
    """Sequence and picture parameter sets: Main profile, fields allowed, 25 frames a second, 2 frames reordered."""
    sps = _Bits()
    for value, count in ((77, 8), (0, 8), (40, 8)):
        sps.put(value, count)
    sps.ue(0, 0, 0, 4, 2)  # set 0; 4 bits of frame_num; display order in 8 bits; 2 reference frames
    sps.put(0, 1)
    sps.ue(width // 16 - 1, height // 32 - 1)
    sps.put(0b001_0_1_0000_1, 10)  # fields, direct inference; no cropping; more to come: of that, the timing
    for value in (1, 50):
        sps.put(value, 32)
    sps.put(0b1_000_1_1, 6)  # fixed rate; no HRD, no pic_struct; how frames are reordered
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
    """One field as a slice whose macroblocks are all I_PCM."""
    head = _Bits()
    head.ue(0, 7, 0)
    head.put(frame_num % 16, 4)
    head.put(0b10 | bottom, 2)
    if is_idr:
        head.ue(0)
    head.put(order % 256, 8)
    if ref_idc:
        head.put(0, 2 if is_idr else 1)
    head.ue(0, 1, 25)  # the quantiser as it is, no deblocking; the first macroblock
    follows = _Bits()
    follows.ue(25)
    luma, *chroma = (plane[int(bottom) :: 2] for plane in planes)
    blocks = []
    for y in range(0, luma.shape[0], 16):
        for x in range(0, luma.shape[1], 16):
            parts = [luma[y : y + 16, x : x + 16]]
            parts += [plane[y // 2 : y // 2 + 8, x // 2 : x // 2 + 8] for plane in chroma]
            blocks.append(b"".join(part.tobytes() for part in parts))
    return _unit(ref_idc, 5 if is_idr else 1, head.bytes(ends=False) + follows.bytes(ends=False).join(blocks) + b"\x80")


def field_coded(frames: Sequence[Planes], *, top_first: bool = True, group: int = 12) -> list[tuple[int, bytes, bytes]]:
    """Coded frames in decoding order: number by display, first field, second field.

    In each group of so many frames, which starts anew (IDR), they are coded as 0, 3, 1, 2, 6, 4, 5, ...; those between
    the multiples of 3 are never referred to. Width must be a multiple of 16, height of 32.
    """
    height, width = frames[0][0].shape
    coded = []
    for start in range(0, len(frames), group):
        frame_num = 0
        trios = [list(range(start, len(frames)))[at : at + 3] for at in range(1, group, 3)]
        trios = [[number for number in trio if number < start + group] for trio in trios]
        for number in [start, *(number for trio in trios if trio for number in (trio[-1], *trio[:-1]))]:
            is_anchor = number == start or any(trio and trio[-1] == number for trio in trios)
            fields = [
                _field(
                    frames[number],
                    bottom=second == top_first,
                    is_idr=number == start and not second,
                    ref_idc=2 if is_anchor else 0,
                    frame_num=frame_num,
                    order=2 * (number - start) + second,
                )
                for second in (False, True)
            ]
            # A frame that is referred to counts for all that come after it.
            frame_num += is_anchor
            head = _parameter_sets(width, height) if number == start else b""
            coded.append((number, b"\0\0\0\1\x09\x10" + head + fields[0], b"\0\0\0\1\x09\x30" + fields[1]))
    return coded
