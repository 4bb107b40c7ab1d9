"""Sizes that are refused before memory is taken for them."""

from __future__ import annotations

from pathlib import Path

from ddvideo.errors import InputError

__all__ = ["MAX_PIXELS", "MAX_SIDE_PX", "check_size"]

MAX_SIDE_PX = 16384
MAX_PIXELS = 2**27


def check_size(width: int, height: int, path: Path) -> None:
    """Refuse a frame size that no real input has, as a hostile or damaged header may claim it.

    ``width`` and ``height`` are in pixels, ``path`` is for the message.

    Raises:
        InputError: a side is under 1 or over ``MAX_SIDE_PX``, or the area is over ``MAX_PIXELS``.
    """
    if width < 1 or height < 1:
        raise InputError(f"{path}: the header tells no frame size ({width}x{height}); is the file whole?")
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width}x{height} pixels are more than ddvideo reads ({MAX_SIDE_PX} a side, {MAX_PIXELS} in all); "
            "make it smaller first"
        )
