"""The whole way for one input, and for several one after the other."""

from __future__ import annotations

from ddvideo.pipeline.decompose import decompose
from ddvideo.pipeline.plan import Plan
from ddvideo.pipeline.result import LayerResult, Result

__all__ = ["LayerResult", "Plan", "Result", "decompose"]
