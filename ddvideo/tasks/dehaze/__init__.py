"""Dehaze: the radiance behind haze, its transmission map, and the airlight."""

from __future__ import annotations

from ddvideo.tasks.dehaze.task import DEHAZE

__all__ = ["DEHAZE"]
