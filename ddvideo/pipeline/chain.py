"""The stages of a recipe, one on the last one's main layer, and where their results go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ddvideo.errors import DDVideoError, DecompositionError
from ddvideo.pipeline.estimate import estimate
from ddvideo.pipeline.one import decompose_one, plan_one
from ddvideo.pipeline.plan import Plan
from ddvideo.pipeline.request import Request
from ddvideo.pipeline.result import Result
from ddvideo.types import InputPath, Progress, ProgressEvent, first_path

__all__ = ["decompose_chain", "join_stages", "name_stage", "plan_chain", "stage_request", "stage_root"]

_STAGES = "stages"


def stage_root(root: Path, requests: Sequence[Request], number: int) -> Path:
    """Where the results of a stage go: those of the last one into ``root``, those before into folders in it."""
    if number == len(requests) - 1:
        return root
    return root / _STAGES / f"{number + 1}-{requests[number].task.name}"


def stage_request(requests: Sequence[Request], number: int) -> Request:
    """What is asked of a stage: the format is that of the last one, for a folder of pictures has no sound or times."""
    return requests[number] if number == len(requests) - 1 else replace(requests[number], format="auto")


def name_stage(error: DDVideoError, requests: Sequence[Request], number: int) -> None:
    """Let a failed fit say at which of several stages it came up."""
    if len(requests) > 1 and isinstance(error, DecompositionError):
        error.args = (f"stage {number + 1}, {requests[number].task.name}: {error}",)


def decompose_chain(given: InputPath, root: Path, requests: Sequence[Request], progress: Progress) -> Result:
    """Carry out all stages on one input; a stage whose results are whole is not done again.

    See :func:`ddvideo.pipeline.one.decompose_one` for the errors.

    Returns:
        The last stage's result, as :func:`join_stages` gives it.
    """
    source = given
    done: list[Result] = []
    for number, request in enumerate(requests):
        try:
            folder = stage_root(root, requests, number)
            result = decompose_one(source, folder, stage_request(requests, number), progress)
        except DDVideoError as error:
            name_stage(error, requests, number)
            raise
        source = result.layers[request.task.main].path
        done.append(result)
    return join_stages(first_path(given), done)


def join_stages(path: Path, stages: Sequence[Result]) -> Result:
    """What all stages have come to: the last one's result, with the input and its size of the first.

    Its report has the warnings of all stages; the file of the last one's report has only its own.
    """
    first, last = stages[0], stages[-1]
    size = next((layer.size for layer in first.layers.values()), None)
    told = [text for stage in stages for text in stage.report.get("warnings", ())]
    return Result(
        input=path,
        folder=last.folder,
        layers={name: replace(layer, size=size) for name, layer in last.layers.items()},
        report={**last.report, "warnings": list(dict.fromkeys(told))},
    )


def plan_chain(source: InputPath, requests: Sequence[Request], progress: Progress) -> Plan:
    """The plan of the first stage, with the time and disk of all of them; each is tried on the input itself.

    Raises:
        InputError, UsageError: the input cannot be read, or holds none of the frames asked for.
    """
    # The input stands in for what the later stages will be given, so that all of them get the first one's frames.
    told = [replace(stage_request(requests, number), frames=requests[0].frames) for number in range(len(requests))]
    plans = [estimate(source, plan_one(source, request, progress), request, _silent) for request in told]
    return replace(
        plans[0],
        estimated_seconds=round(sum(plan.estimated_seconds or 0.0 for plan in plans), 1),
        estimated_memory_mib=max(plan.estimated_memory_mib or 0.0 for plan in plans),
        work_mib=max(plan.work_mib for plan in plans),
        results_mib=sum(plan.results_mib for plan in plans),
    )


def _silent(event: ProgressEvent) -> None:
    """Progress that nobody looks at."""
