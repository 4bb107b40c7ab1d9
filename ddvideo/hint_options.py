"""The options by which a user hints at the foreground, and the frames that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["HINTS", "hinted_frames"]

HINTS: Mapping[str, Any] = {"fg_hint": {}, "bg_hint": {}, "box": [], "hint_frame": -1}
"""The options of a task that takes hints, and their defaults.

``fg_hint`` and ``bg_hint`` are files: ``path``, and once the input is known ``sha256``, ``first`` (the frame of the
input that the file's first one is of), ``frames`` (how many it has), ``turns`` (quarters of a turn, counter-clockwise,
that bring it to the input's coded frames). ``box`` is left, top, width and height in pixels of frame ``hint_frame``.
"""


def hinted_frames(options: Mapping[str, Any]) -> range:
    """The frames of the input that hints are of, from the first to the last; empty without hints."""
    spans = [(frame, frame + 1)] if options.get("box") and (frame := max(options["hint_frame"], 0)) >= 0 else []
    for name in ("fg_hint", "bg_hint"):
        if hint := options.get(name):
            first = hint.get("first", max(options.get("hint_frame", 0), 0))
            spans.append((first, first + hint.get("frames", 1)))
    return range(min(start for start, _ in spans), max(stop for _, stop in spans)) if spans else range(0)
