"""Separate: the scene behind a pane of glass, and what the pane reflects."""

from __future__ import annotations

from ddvideo.tasks.separate.task import SEPARATE

__all__ = ["SEPARATE"]
