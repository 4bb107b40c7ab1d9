"""What is asked of every input of a call, checked and resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddvideo.config import Chroma, OutputFormat, Settings
from ddvideo.pipeline.plan import Plan
from ddvideo.runners import Execute, Runner

if TYPE_CHECKING:
    from ddvideo.tasks.contract import Task

__all__ = ["Request"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of every input of a call, checked and resolved."""

    task: Task
    settings: Settings
    recipe: Mapping[str, Any]
    """Name and summary, for the report."""
    format: OutputFormat
    chroma: Chroma
    frames: tuple[int, int | None] | None
    fresh: bool
    keep_work: bool
    keep_alpha: bool
    """Multiply the input's own transparency into the alpha."""
    runner: Runner
    execute: Execute
    reuse: bool = False
    """Whether whole results of the same input and settings stay as they are, instead of being made anew."""
    alone: Runner | None = None
    """Used instead of the runner where there is but one chunk, which several workers cannot share."""

    def runner_for(self, plan: Plan) -> Runner:
        """Who carries out the jobs of a plan."""
        return self.alone if self.alone is not None and len(plan.chunks) < 2 else self.runner
