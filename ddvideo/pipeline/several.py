"""The entry of every decomposing command and function: one or several inputs, one after the other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ddvideo.config import FORMATS, PRESETS, OutputFormat, Preset, Settings
from ddvideo.errors import DDVideoError, UsageError
from ddvideo.hardware import resolve_device, thread_count
from ddvideo.pipeline.estimate import estimate
from ddvideo.pipeline.one import Request, decompose_one, plan_one
from ddvideo.pipeline.result import Result
from ddvideo.recipes import load_recipe, settings_for
from ddvideo.runners import Execute, InProcessRunner, Runner
from ddvideo.store import result_names
from ddvideo.types import Progress, ProgressEvent

if TYPE_CHECKING:
    from ddvideo.tasks.task import Task

__all__ = ["decompose"]


def decompose(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    task: str | Task,
    out: str | os.PathLike[str] = "ddvideo-out",
    preset: Preset = "balanced",
    device: str = "auto",
    seed: int = 0,
    format: OutputFormat = "auto",
    frames: tuple[int, int | None] | None = None,
    fresh: bool = False,
    keep_work: bool = False,
    dry_run: bool = False,
    runner: str | Runner = "auto",
    workers: int = 1,
    options: Mapping[str, Any] = MappingProxyType({}),
    progress: Progress | None = None,
    settings: Settings | None = None,
    execute: Execute | None = None,
) -> list[Result]:
    """Split inputs into the layers of a task; results go to ``out/<input stem>/``.

    Args:
        inputs: video files, image files or folders of numbered frames. One that is named twice is done once; equal
            stems get ``-2``, ``-3``, ...
        task: name of a task (or one of your own).
        out: folder of the result folders; made where needed.
        preset: trade time for quality.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        seed: start of the random numbers.
        format: how layers are written: ``mp4``, ``png`` or ``auto``.
        frames: part of each input: first frame, and the first one left out (None: to the end).
        fresh: forget an earlier unfinished run.
        keep_work: keep the chunk files.
        dry_run: only plan; every result has a ``plan`` and nothing is written to ``out``.
        runner: ``auto``, ``inprocess``, or a runner of your own.
        workers: jobs at once; the in-process runner has one.
        options: of the task, over those of its recipe's preset.
        progress: called with every step forward.
        settings: instead of those of the task's recipe, preset, device and seed.
        execute: instead of the engine's own, carries out a job.

    Returns:
        One result an input, in order. Of several inputs, one that fails has an ``error`` and the others are done.

    Raises:
        DDVideoError: the only input failed, or nothing could be begun.
    """
    paths = [Path(inputs)] if isinstance(inputs, str | os.PathLike) else [Path(path) for path in inputs]
    first_named: dict[str, Path] = {}
    for path in paths:
        first_named.setdefault(os.path.realpath(path), path)
    paths = list(first_named.values())
    if not paths:
        raise UsageError("no input was given")
    chosen = _task(task)
    _check(preset, format, workers)
    settings, about = _settings(chosen, preset, device, seed, options, settings)
    request = Request(
        task=chosen,
        settings=settings,
        recipe=about,
        format=format,
        frames=frames,
        fresh=fresh,
        keep_work=keep_work,
        runner=_runner(runner),
        execute=execute or _engine(),
    )
    told = progress or _silent
    results = []
    for path, name in zip(paths, result_names(paths), strict=True):
        root = Path(out) / name
        try:
            if dry_run:
                plan = estimate(path, plan_one(path, request, told), request, _silent)
                results.append(Result(input=path, folder=root, plan=plan))
            else:
                results.append(decompose_one(path, root, request, told))
        except DDVideoError as error:
            if len(paths) == 1:
                raise
            results.append(Result(input=path, folder=root, error=error))
    return results


def _silent(event: ProgressEvent) -> None:
    """Progress that nobody looks at."""


def _check(preset: str, format: str, workers: int) -> None:
    for name, value, known in (("preset", preset, PRESETS), ("format", format, FORMATS)):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}; it is one of {', '.join(known)}")
    if workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")


def _settings(
    task: Task, preset: Preset, device: str, seed: int, options: Mapping[str, Any], settings: Settings | None
) -> tuple[Settings, dict[str, str]]:
    """The settings of all jobs, checked before any input is touched, and what the report says of their origin."""
    about = {"name": task.name, "summary": "settings given by the caller"}
    if settings is None:
        recipe = load_recipe(task.name)
        settings = settings_for(recipe, preset, device=resolve_device(device), seed=seed, threads=thread_count())
        about = {"name": recipe.name, "summary": recipe.summary}
    return replace(settings, options={**settings.options, **options}), about


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


def _runner(runner: str | Runner) -> Runner:
    if not isinstance(runner, str):
        return runner
    if runner not in ("auto", "inprocess"):
        raise UsageError(f"unknown runner {runner!r}; it is one of auto, inprocess")
    return InProcessRunner()
