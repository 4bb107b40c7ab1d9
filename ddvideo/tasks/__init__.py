"""The tasks: one folder each. ``contract.py`` says what a task is; each ``task.py`` is one, as data."""

from __future__ import annotations

from collections.abc import Mapping

from ddvideo.tasks.contract import Task
from ddvideo.tasks.dehaze import DEHAZE
from ddvideo.tasks.dewatermark import DEWATERMARK
from ddvideo.tasks.segment import SEGMENT
from ddvideo.tasks.separate import SEPARATE

__all__ = ["TASKS"]

TASKS: Mapping[str, Task] = {task.name: task for task in (SEGMENT, SEPARATE, DEHAZE, DEWATERMARK)}
