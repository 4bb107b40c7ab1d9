"""One input the whole way, or only its plan."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ddvideo.pipeline.hints import settle_hints
from ddvideo.pipeline.input_run import InputRun, find_shots, look
from ddvideo.pipeline.plan import Plan, fit_settings, make_plan
from ddvideo.pipeline.request import Request
from ddvideo.pipeline.result import Result
from ddvideo.types import InputPath, Progress, ProgressEvent

__all__ = ["decompose_one", "plan_one"]


def plan_one(source: InputPath, request: Request, progress: Progress) -> Plan:
    """Probe, find the shots and plan the chunks of an input; writes nothing.

    Raises:
        InputError, UsageError: it cannot be read, or holds none of the frames asked for.
    """
    info, span = look(source, request, progress)
    settings = settle_hints(fit_settings(request.settings, info), request, info, span)
    shots = find_shots(info, span, settings, progress)
    return make_plan(info, span, shots, settings, request.task, request.format)


def decompose_one(source: InputPath, root: Path, request: Request, progress: Progress) -> Result:
    """Decompose one input into ``root``, going on with an unfinished run of the same input and settings.

    Raises:
        InputError, UsageError: the input cannot be read, or holds none of the frames asked for.
        LockedError, OutputError: another run works in ``root``, or it cannot be written.
        DecompositionError: jobs failed for good; what else was done is kept and the next start tries only those.
    """
    with InputRun(source, root, request) as run:
        jobs = run.begin(progress)
        outcomes = run.runner.run(jobs, request.execute, run.telling(progress))
        with closing(outcomes):
            for outcome in outcomes:
                run.take(outcome)
        result = run.finish(progress)
    progress(ProgressEvent(stage="done", done=1, total=1))
    return result
