"""Dewatermark: the clean picture, the mark that is laid over it, and the mark's alpha."""

from __future__ import annotations

from ddvideo.tasks.dewatermark.task import DEWATERMARK

__all__ = ["DEWATERMARK"]
