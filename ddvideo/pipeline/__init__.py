"""The whole way for one input, and for several one after the other."""

from __future__ import annotations

from ddvideo.pipeline.plan import Plan
from ddvideo.pipeline.result import LayerResult, Result
from ddvideo.pipeline.several import decompose

__all__ = ["LayerResult", "Plan", "Result", "decompose"]
