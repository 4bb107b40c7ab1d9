"""From chunks back to one clip: aligned, cross-faded, in order, in bounded memory."""

from __future__ import annotations

from ddvideo.merge.recomposition import Recomposition
from ddvideo.merge.steadiness import Steadiness
from ddvideo.merge.stream import MergedFrame, merge_chunks, to_float

__all__ = ["MergedFrame", "Recomposition", "Steadiness", "merge_chunks", "to_float"]
