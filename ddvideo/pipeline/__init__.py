"""The whole way for one input, for several one after the other, and for an archive as one queue."""

from __future__ import annotations

from ddvideo.pipeline.archive import decompose_all
from ddvideo.pipeline.batch import Item
from ddvideo.pipeline.plan import Plan
from ddvideo.pipeline.result import LayerResult, Result
from ddvideo.pipeline.several import decompose

__all__ = ["Item", "LayerResult", "Plan", "Result", "decompose", "decompose_all"]
