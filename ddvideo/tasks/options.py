"""The options that a recipe or a user sets for a task, checked against what the task knows."""

from __future__ import annotations

import difflib
from typing import Any

from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.tasks.contract import Task

__all__ = ["check_options"]


def check_options(task: Task, settings: Settings) -> dict[str, Any]:
    """The task's options with what the settings change.

    Raises:
        UsageError: an unknown option (with the nearest right one) or one of the wrong type.
    """
    known = {"coupled": True, "effort": 1.0} | dict(task.options)
    for name, value in settings.options.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
            raise UsageError(f"{task.name} has no option {name!r}{hint}")
        wanted = type(known[name])
        if not (type(value) is wanted or (wanted is float and type(value) is int)):
            raise UsageError(f"{task.name}: option {name} is a {wanted.__name__}, not {value!r}")
    chosen = known | dict(settings.options)
    if not 0 < chosen["effort"] <= 100:
        raise UsageError(f"{task.name}: option effort must lie above 0 and at most at 100, not {chosen['effort']}")
    return chosen
