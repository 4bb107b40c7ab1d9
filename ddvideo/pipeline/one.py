"""One input the whole way: probe -> shots -> chunks -> prior and chunk jobs -> merge -> encode -> report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddvideo.config import OutputFormat, Settings
from ddvideo.errors import DecompositionError
from ddvideo.merge import Recomposition, merge_chunks
from ddvideo.pipeline.outputs import file_name, write_outputs
from ddvideo.pipeline.plan import (
    Plan,
    check_disk,
    chunk_bytes,
    fit_settings,
    frame_span,
    make_jobs,
    make_plan,
    resolve_format,
    store_dtype,
)
from ddvideo.pipeline.result import LayerResult, Result
from ddvideo.pipeline.summary import make_report
from ddvideo.report import write_report_html, write_report_json
from ddvideo.runners import Execute, JobsFailedError, Runner
from ddvideo.shots import detect_shots
from ddvideo.store import RunFolder, RunState, input_sha256, run_identity
from ddvideo.types import ChunkRecord, InputInfo, PriorRecord, Progress, ProgressEvent, Shot

if TYPE_CHECKING:
    from ddvideo.tasks.task import Task

__all__ = ["Request", "decompose_one", "plan_one"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of every input of a call, checked and resolved."""

    task: Task
    settings: Settings
    recipe: Mapping[str, Any]
    """Name and summary, for the report."""
    format: OutputFormat
    frames: tuple[int, int | None] | None
    fresh: bool
    keep_work: bool
    runner: Runner
    execute: Execute


def plan_one(path: Path, request: Request, progress: Progress) -> Plan:
    """Probe, find the shots and plan the chunks of an input; writes nothing.

    Raises:
        InputError, UsageError: it cannot be read, or holds none of the frames asked for.
    """
    info, span = _probe(path, request, progress)
    settings = fit_settings(request.settings, info)
    shots = _find_shots(info, span, progress)
    return make_plan(info, span, shots, settings, request.task, request.format)


def decompose_one(path: Path, root: Path, request: Request, progress: Progress) -> Result:
    """Decompose one input into ``root``, going on with an unfinished run of the same input and settings.

    Raises:
        InputError, UsageError: the input cannot be read, or holds none of the frames asked for.
        LockedError, OutputError: another run works in ``root``, or it cannot be written.
        DecompositionError: jobs failed for good; what else was done is kept and the next start tries only those.
    """
    clock = _Clock()
    info, span = _probe(path, request, progress)
    settings = fit_settings(request.settings, info)
    sha256 = input_sha256(path)
    clock.lap("probe")
    identity = run_identity(
        sha256=sha256,
        settings=settings,
        frames=span,
        layers=[(layer.name, layer.channels) for layer in request.task.layers],
        dtype=store_dtype(info),
    )
    with RunFolder(root) as folder:
        state = folder.begin(identity, fresh=request.fresh)
        if state.cleaning and (result := _finished(path, root, info, request)):
            folder.clean_up(state)
            return result
        if state.shots is None:
            state = replace(state, shots=tuple(_find_shots(info, span, progress)))
            folder.save_state(state)
        clock.lap("shots")
        plan = make_plan(info, span, state.shots or (), settings, request.task, request.format)
        run = _Run(path=path, sha256=sha256, folder=folder, state=state, plan=plan, settings=settings, request=request)
        clock.seconds["reused"] = _run_jobs(run, progress)
        clock.lap("jobs")
        result = _write(run, clock, progress)
        if not request.keep_work:
            folder.clean_up(state)
    progress(ProgressEvent(stage="done", done=plan.frames, total=plan.frames))
    return result


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One input's run, once it is planned and its folder locked."""

    path: Path
    sha256: str
    folder: RunFolder
    state: RunState
    plan: Plan
    settings: Settings
    request: Request

    def done(self) -> tuple[dict[int, PriorRecord], dict[int, ChunkRecord]]:
        """The priors (by shot) and chunks (by index) that are done and undamaged."""
        priors = {number: self.folder.prior_record(number) for number in range(len(self.plan.shots))}
        chunks = {chunk.index: self.folder.chunk_record(chunk) for chunk in self.plan.chunks}
        return (
            {number: prior for number, prior in priors.items() if prior is not None},
            {index: chunk for index, chunk in chunks.items() if chunk is not None},
        )


class _Clock:
    """Wall-clock seconds of each part of a run."""

    def __init__(self) -> None:
        self.begun = self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def _probe(path: Path, request: Request, progress: Progress) -> tuple[InputInfo, tuple[int, int]]:
    from ddvideo.media import probe

    progress(ProgressEvent(stage="probe", message=path.name))
    info = probe(path)
    resolve_format(request.format, info)
    return info, frame_span(info, request.frames)


def _find_shots(info: InputInfo, span: tuple[int, int], progress: Progress) -> list[Shot]:
    from ddvideo.media import open_source

    progress(ProgressEvent(stage="plan", total=span[1] - span[0]))
    with open_source(info.path) as source:
        return detect_shots(source, *span, progress)


def _run_jobs(run: _Run, progress: Progress) -> float:
    """Do what is not done; returns the seconds of work that earlier starts have already spent on the rest."""
    priors, finished = run.done()
    missing = [chunk for chunk in run.plan.chunks if chunk.index not in finished]
    check_disk(sum(chunk_bytes(chunk, run.plan.info, run.request.task) for chunk in missing), run.folder.work)
    jobs = make_jobs(run.plan, run.settings, run.folder.work, priors=set(priors), chunks=set(finished))
    done = 0

    def tell(event: ProgressEvent) -> None:
        progress(replace(event, jobs=len(jobs), jobs_done=done))

    try:
        for record in run.request.runner.run(jobs, run.request.execute, tell):
            run.folder.keep(record)
            done += 1
    except JobsFailedError as error:
        run.folder.save_state(replace(run.state, failures=error.reasons))
        raise
    return sum(prior.seconds for prior in priors.values()) + sum(chunk.seconds for chunk in finished.values())


def _write(run: _Run, clock: _Clock, progress: Progress) -> Result:
    """Merge and encode, then the report: last, so that a report that is there tells of results that are there.

    Chunk files stay until all of it is whole: a merge that is killed is done again from them, and no chunk is.
    """
    from ddvideo.media import open_source

    plan, request, folder = run.plan, run.request, run.folder
    priors, chunks = run.done()
    if damaged := [str(chunk.index) for chunk in plan.chunks if chunk.index not in chunks]:
        raise DecompositionError(
            f"{folder.work}: files of chunk {', '.join(damaged)} were damaged on the disk: start again to redo them"
        )
    recomposition = Recomposition()
    warnings: list[str] = []
    with open_source(plan.info.path) as source:
        merged = merge_chunks(
            source.frames(plan.start, plan.stop),
            list(chunks.values()),
            request.task,
            folder.work,
            recomposition=recomposition,
            warn=warnings.append,
        )
        format = resolve_format(request.format, plan.info)
        written = write_outputs(merged, plan, request.task, format, folder.root, folder.work, progress)
        warnings.extend(source.warnings)
    clock.lap("merge")
    report = make_report(
        plan=plan,
        sha256=run.sha256,
        settings=run.settings,
        recipe=request.recipe,
        runner={"kind": request.runner.kind, "workers": request.runner.workers},
        priors=list(priors.values()),
        chunks=list(chunks.values()),
        written=written,
        recomposition=recomposition,
        timings_seconds={
            "probe": clock.seconds["probe"],
            "shots": clock.seconds["shots"],
            "merge": clock.seconds["merge"] - written.encode_seconds,
            "encode": written.encode_seconds,
            "total": time.perf_counter() - clock.begun + clock.seconds["reused"],
        },
        warnings=warnings,
    )
    write_report_html(folder.root / "report.html", report, written.thumbnails or ())
    write_report_json(folder.root / "report.json", report)
    layers = {layer.name: LayerResult(layer.name, layer.path, layer.channels) for layer in written.layers}
    return Result(input=run.path, folder=folder.root, layers=layers, report=report)


def _finished(path: Path, root: Path, info: InputInfo, request: Request) -> Result | None:
    """The result of a run that was stopped while it removed its work folder."""
    try:
        report = json.loads((root / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    format = resolve_format(request.format, info)
    layers = {
        layer.name: LayerResult(layer.name, root / file_name(layer.name, info, format), layer.channels)
        for layer in request.task.layers
        if layer.spatial
    }
    if not all(layer.path.exists() for layer in layers.values()):
        return None
    return Result(input=path, folder=root, layers=layers, report=report)
