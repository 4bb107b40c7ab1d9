"""One still image as it is read: its samples, its transparency, and what it carries besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ddvideo.arrays import AnyArray

__all__ = ["Header", "Raw", "Still", "full_range"]


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file tells before its samples are decoded: its size in pixels, before any turning."""

    codec: str
    width: int
    height: int
    may_be_transparent: bool = False
    """Whether the file has an alpha channel or a transparent colour; all of it may be opaque nevertheless."""
    icc_profile: bytes = b""


@dataclass(frozen=True, eq=False, kw_only=True)
class Raw:
    """A decoded file, as its format's reader gives it: not turned yet, colours as they are stored.

    ``samples`` are ``(H, W)`` grey, ``(H, W, 3)`` RGB or ``(H, W, 4)`` CMYK, full-range uint8 or uint16.
    """

    samples: AnyArray
    alpha: AnyArray | None = None
    """``(H, W)``, of the samples' type."""
    is_associated: bool = False
    """Whether the colours are multiplied by ``alpha`` already."""
    orientation: int | None = None
    """How the samples lie, in EXIF's numbers; None where ``exif`` tells."""
    icc_profile: bytes = b""
    exif: bytes = b""
    cicp: tuple[int, int] | None = None
    """Primaries and transfer function in the numbers of ITU-T H.273; None where the file does not tell."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Still:
    """A still, upright: ``rgb`` is ``(H, W, 3)``, full-range uint8 or uint16."""

    rgb: AnyArray
    alpha: AnyArray | None
    """``(H, W)``, of the colours' type; None where all is opaque."""
    is_associated: bool
    icc_profile: bytes
    """Of an RGB colour space; empty where there is none."""
    exif: bytes
    """Without a prefix, its orientation set to upright; empty where there is none."""
    cicp: tuple[int, int] | None
    warnings: tuple[str, ...]


def full_range(samples: AnyArray, bits: int, *, dtype: Literal["smallest", "uint16"] = "smallest") -> AnyArray:
    """Unsigned samples of ``bits`` bits stretched to all of uint8, or of uint16 where they have more than 8 bits."""
    deep = bits > 8 or dtype == "uint16"
    top, most = (65535 if deep else 255), (1 << bits) - 1
    if top == most:
        return np.asarray(samples, np.uint16 if deep else np.uint8)
    if bits <= 16:
        stretched = (samples.astype(np.uint32) * np.uint32(top) + np.uint32(most // 2)) // np.uint32(most)
    else:
        stretched = np.rint(samples.astype(np.float64) * (top / most))
    return np.asarray(stretched, np.uint16 if deep else np.uint8)
