"""Segment: foreground, background and alpha of whatever moves on its own, or is hinted at."""

from __future__ import annotations

from ddvideo.tasks.segment.task import SEGMENT

__all__ = ["SEGMENT"]
