"""The numbers in a TIFF as full-range 8 or 16 bit samples: integers of any width, and floating point in [0, 1]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.errors import InputError
from ddvideo.media.still import full_range

__all__ = ["stretched"]

_TOP = 65535
_HALF_STEP = 0.5 / _TOP


def stretched(samples: AnyArray, bits: int, path: Path) -> AnyArray:
    """Samples of ``bits`` bits as full-range uint8 (up to 8 bits), else uint16. Signed ones are taken from zero on.

    Raises:
        InputError: they cannot be meant as black (0) to white (1, or the largest integer): negative, above 1, not a
            number, or wide integers so small that all would be black.
    """
    kind = samples.dtype.kind
    if kind == "b":
        return full_range(samples.astype(np.uint8), 1)
    if kind == "f":
        return _from_float(samples, path)
    if kind not in "iu":
        raise InputError(f"{path}: {samples.dtype} samples are not read; save it with 8 or 16 bits")
    low, high = int(samples.min()), int(samples.max())
    if low < 0:
        raise InputError(
            f"{path}: its samples are between {low} and {high}, and no picture shows negative ones; "
            "save it with 8 or 16 unsigned bits"
        )
    used = bits - (kind == "i")
    if used > 16 and 0 < high <= _TOP:
        raise InputError(
            f"{path}: its samples are between {low} and {high} of the {2**used - 1} that {bits} bits hold: all of it "
            "would be black; save it with 8 or 16 bits"
        )
    return full_range(samples, used)


def _from_float(samples: AnyArray, path: Path) -> AnyArray:
    low, high = float(samples.min()), float(samples.max())
    # What rounds to 0 or 1 in 16 bits is meant so; a NaN fails every comparison.
    if not (low >= -_HALF_STEP and high <= 1 + _HALF_STEP):
        found = f"between {low:.6g} and {high:.6g}" if np.isfinite([low, high]).all() else "not all finite"
        raise InputError(
            f"{path}: its floating-point samples are {found}, and a picture's lie in 0 to 1; "
            "scale them, or save it with 8 or 16 bits"
        )
    return np.asarray(np.rint(np.clip(samples.astype(np.float64), 0, 1) * _TOP), np.uint16)
