"""The real command with the small engine of the tests in place of the fit: run by tests in a process of its own.

``python -m tests.run.run_driver segment CLIP -o DIR ...``; what the engine does is said by the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from types import ModuleType

from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute


def install() -> None:
    """Put the small task and engine where the pipeline looks for the real ones."""
    fit, tasks = ModuleType("ddvideo.fit"), ModuleType("ddvideo.tasks")
    fit.execute = fake_execute  # type: ignore[attr-defined]
    tasks.TASKS = {"segment": SEGMENT}  # type: ignore[attr-defined]
    sys.modules["ddvideo.fit"], sys.modules["ddvideo.tasks"] = fit, tasks
    from ddvideo.pipeline import several

    steps = int(os.environ.get("FAKE_STEPS", "1"))

    def settings_for(recipe, preset, *, device, seed, threads):
        return replace(SETTINGS, preset=preset, seed=seed, threads=threads, options={"steps": steps})

    several.settings_for = settings_for  # type: ignore[assignment]
    several.resolve_device = lambda name: "cpu"  # the real one imports torch, which takes longer than all the rest
    if frames := os.environ.get("FAKE_KILL_AT_MERGE"):
        kill_at_merge(int(frames))


def kill_at_merge(frames: int) -> None:
    """Let the process kill itself once so many frames have been merged."""
    from ddvideo.pipeline import one

    merge_chunks = one.merge_chunks

    def merge(*args, **kwargs):
        for done, frame in enumerate(merge_chunks(*args, **kwargs)):
            if done == frames:
                os.kill(os.getpid(), signal.SIGKILL)
            yield frame

    one.merge_chunks = merge


if __name__ == "__main__":
    install()
    from ddvideo.cli.main import main

    main()
