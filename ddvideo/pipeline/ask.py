"""From what a caller says to checked requests, one a stage, before any input is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from ddvideo.config import CHROMAS, FORMATS, INTERLACED, PRESETS, Preset, Settings
from ddvideo.errors import UsageError
from ddvideo.hardware import gpu_names, resolve_device, thread_count
from ddvideo.pipeline.request import Request
from ddvideo.recipes import Recipe, load_recipe, settings_for
from ddvideo.runners import Execute, InProcessRunner, RayRunner, Runner
from ddvideo.types import Common

if TYPE_CHECKING:
    from ddvideo.tasks.contract import Task

__all__ = ["RUNNERS", "Asked", "make_requests"]

RUNNERS = ("auto", "inprocess", "ray")


class Asked(Common, total=False):
    """What a caller may say of a decomposition, besides what is common to all entries."""

    task: str | Task
    """Name of a task (or one of your own); or"""
    recipe: str
    """name of a recipe, or the path of its file: its stages are done one on the last one's main layer."""
    runner: str | Runner
    """``auto``, ``inprocess``, ``ray``, or a runner of your own."""
    options: Mapping[str, Any]
    """Of the task (of a recipe: of the first stage's), over those of its recipe's preset."""
    keep_alpha: bool
    """Multiply the input's own transparency into the alpha; for a task with foreground, background and alpha."""
    settings: Settings | None
    """Instead of those of recipe, preset, device and seed."""
    execute: Execute | None
    """Instead of the engine's own, carries out a job."""


def make_requests(**asked: Unpack[Asked]) -> list[Request]:
    """One request a stage, all with one runner.

    Raises:
        UsageError: something is not as it should be.
    """
    preset, format, frames = asked.get("preset", "balanced"), asked.get("format", "auto"), asked.get("frames")
    chroma, interlaced = asked.get("chroma", "auto"), asked.get("interlaced", "deinterlace")
    _check(preset=preset, format=format, chroma=chroma, interlaced=interlaced)
    task, recipe = asked.get("task"), asked.get("recipe")
    if (task is None) == (recipe is None):
        raise UsageError("either a task or a recipe is needed")
    loaded = load_recipe(recipe) if recipe is not None else None
    tasks = [_task(stage.task) for stage in loaded.stages] if loaded is not None else [_task(task or "")]
    stages = [_settings(loaded, tasks[number], number, preset, asked) for number in range(len(tasks))]
    device = stages[0][0].device
    chosen, alone = _runner(asked.get("runner", "auto"), asked.get("workers"), asked.get("address"), device)
    engine = asked.get("execute") or _engine()
    return [
        Request(
            task=tasks[number],
            settings=stage,
            recipe=about,
            format=format,
            chroma=chroma,
            frames=frames if number == 0 else None,
            fresh=asked.get("fresh", False),
            keep_work=asked.get("keep_work", False),
            keep_alpha=_keeps_alpha(tasks[number], asked) if number == 0 else False,
            reuse=len(tasks) > 1,
            runner=chosen,
            alone=alone,
            execute=engine,
        )
        for number, (stage, about) in enumerate(stages)
    ]


def _check(**asked: str) -> None:
    known = {"preset": PRESETS, "format": FORMATS, "chroma": CHROMAS, "interlaced": INTERLACED}
    for name, value in asked.items():
        if value not in known[name]:
            raise UsageError(f"unknown {name} {value!r}; it is one of {', '.join(known[name])}")


def _keeps_alpha(task: Task, asked: Asked) -> bool:
    """Whether the input's own transparency goes into the alpha; only a segmentation has one to take it."""
    keeps = asked.get("keep_alpha", False)
    if keeps and not {"foreground", "background", "alpha"} <= {layer.name for layer in task.layers}:
        raise UsageError(f"{task.name} has no alpha that could keep the input's (--keep-alpha is for segment)")
    return keeps


def _settings(
    recipe: Recipe | None, task: Task, stage: int, preset: Preset, asked: Asked
) -> tuple[Settings, dict[str, Any]]:
    """The settings of all jobs of a stage, and what the report says of their origin."""
    settings = asked.get("settings")
    about: dict[str, Any] = {"name": task.name, "summary": "settings given by the caller"}
    if settings is None:
        source = recipe or load_recipe(task.name)
        settings = settings_for(
            source,
            preset,
            device=resolve_device(asked.get("device", "auto")),
            seed=asked.get("seed", 0),
            threads=thread_count(),
            stage=stage,
        )
        about = {"name": source.name, "summary": source.summary}
        if len(source.stages) > 1:
            about["stage"] = stage
    more = asked.get("options", {}) if stage == 0 else {}
    interlaced = asked.get("interlaced", settings.interlaced)
    settings = replace(settings, options={**settings.options, **more}, interlaced=interlaced)
    _check_options(task, settings, recipe.file if recipe is not None else "")
    return settings, about


def _check_options(task: Task, settings: Settings, file: str) -> None:
    from ddvideo.tasks.options import check_options

    try:
        check_options(task, settings)
    except UsageError as error:
        raise UsageError(f"{file}: {error}" if file else str(error)) from error


def _engine() -> Execute:
    from ddvideo.fit import execute

    return execute


def _task(task: str | Task) -> Task:
    if not isinstance(task, str):
        return task
    from ddvideo.tasks import TASKS

    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}; it is one of {', '.join(TASKS)}")
    return TASKS[task]


def _runner(
    runner: str | Runner, workers: int | None, address: str | None, device: str
) -> tuple[Runner, Runner | None]:
    """The runner, and the one that takes its place for an input of a single chunk."""
    if not isinstance(runner, str):
        return runner, None
    if runner not in RUNNERS:
        raise UsageError(f"unknown runner {runner!r}; it is one of {', '.join(RUNNERS)}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")
    if runner == "inprocess" and address is not None:
        raise UsageError("the in-process runner joins no cluster: leave --address or --runner inprocess out")
    if runner == "inprocess" or (runner == "auto" and address is None and (workers or 1) == 1):
        return InProcessRunner(), None
    gpus = 0.0 if not device.startswith("cuda") or address is not None else len(gpu_names()) / (workers or 1)
    pool = RayRunner(workers, address=address, gpus=1.0 if device.startswith("cuda") and address else min(gpus, 1.0))
    return pool, InProcessRunner() if runner == "auto" and address is None else None
