"""The engine: one job, a shot's prior or a chunk, carried out from its file names to its files."""

from __future__ import annotations

from ddvideo.fit.execute import execute

__all__ = ["execute"]
