"""One input on its way: probe -> shots -> chunks -> jobs, for whoever has workers -> merge -> encode -> report."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ddvideo.config import Settings
from ddvideo.errors import DecompositionError
from ddvideo.merge import Recomposition, Steadiness, merge_chunks
from ddvideo.pipeline.hints import by_content, settle_hints, unhinted_shots
from ddvideo.pipeline.outputs import file_name, is_written_so, write_outputs
from ddvideo.pipeline.plan import (
    check_disk,
    chunk_bytes,
    fit_settings,
    frame_span,
    make_jobs,
    make_plan,
    resolve_format,
    store_dtype,
)
from ddvideo.pipeline.request import Request
from ddvideo.pipeline.result import LayerResult, Result
from ddvideo.pipeline.summary import make_report
from ddvideo.report import write_report_html, write_report_json
from ddvideo.runners import Outcome, is_final, jobs_failed
from ddvideo.shots import detect_shots
from ddvideo.store import RunFolder, RunState, input_sha256, run_identity, write_bytes
from ddvideo.types import ChunkRecord, InputInfo, InputPath, Job, PriorRecord, Progress, ProgressEvent, Shot, first_path

__all__ = ["InputRun", "find_shots", "look"]

_log = logging.getLogger(__name__)


class InputRun:
    """One input on its way from its plan to its results; its folder is locked while the context is open.

    ``begin`` tells which jobs are to be done; whoever carries them out hands every outcome to ``take``; once
    ``is_ready``, ``finish`` merges and writes.

    Args:
        source: the input.
        root: the folder of its results.
        request: what is asked for.
        name: put before the ids of its jobs, where several inputs' jobs are carried out together; such runs share the
            request's runner, however short they are.
    """

    def __init__(self, source: InputPath, root: Path, request: Request, *, name: str = "") -> None:
        self.source, self.root, self.request, self.name = source, root, request, name
        self.path = first_path(source)
        self.runner = request.runner
        self.folder = RunFolder(root)
        self.clock = _Clock()
        self._earlier: Result | None = None
        self._open: set[str] = set()
        self._total = 0
        self._done = 0
        self._failed: list[Outcome] = []
        self._left_out = 0

    def begin(self, progress: Progress) -> list[Job]:
        """Probe, plan, and look up what is done; returns the jobs that are not, a shot's prior before its chunks.

        Raises:
            InputError, UsageError: the input cannot be read, or holds none of the frames asked for.
            LockedError, OutputError: another run works in the folder, or it cannot be written.
        """
        info, span = look(self.source, self.request, progress)
        settings = settle_hints(fit_settings(self.request.settings, info), self.request, info, span)
        self.sha256 = input_sha256(self.source)
        self.clock.lap("probe")
        self.identity = run_identity(
            sha256=self.sha256,
            settings=by_content(settings),
            frames=span,
            layers=[(layer.name, layer.channels) for layer in self.request.task.layers],
            dtype=store_dtype(info),
        )
        self.folder.open()
        earlier = _finished(self.path, self.root, info, self.request)
        if self.request.reuse and not self.request.fresh and earlier and earlier.report.get("run") == self.identity:
            self._earlier, self.state = earlier, RunState(identity=self.identity)
            return []
        self.state = self.folder.begin(self.identity, fresh=self.request.fresh)
        if self.state.cleaning and earlier:
            self._earlier = earlier
            return []
        if self.state.shots is None:
            self.state = replace(self.state, shots=tuple(find_shots(info, span, settings, progress)))
            self.folder.save_state(self.state)
        self.clock.lap("shots")
        self.plan = make_plan(info, span, self.state.shots or (), settings, self.request.task, self.request.format)
        for warning in self.plan.warnings:
            _log.info("%s: %s", self.path, warning)
        if not self.name:
            self.runner = self.request.runner_for(self.plan)
        self.settings = replace(settings, threads=self.runner.threads)
        priors, finished = self._finished_jobs()
        missing = [chunk for chunk in self.plan.chunks if chunk.index not in finished]
        check_disk(sum(chunk_bytes(chunk, info, self.request.task) for chunk in missing), self.folder.work)
        jobs = make_jobs(
            self.plan, self.settings, self.folder.work, priors=set(priors), chunks=set(finished), name=self.name
        )
        spent = sum(prior.seconds for prior in priors.values()) + sum(chunk.seconds for chunk in finished.values())
        self.clock.seconds["reused"] = spent
        self._open, self._total = {job.id for job in jobs}, len(jobs)
        return jobs

    def telling(self, progress: Progress) -> Progress:
        """The same progress, told how many jobs there are and how many are done."""

        def tell(event: ProgressEvent) -> None:
            progress(replace(event, jobs=self._total, jobs_done=self._done))

        return tell

    def take(self, outcome: Outcome) -> None:
        """Take over how one of the jobs has ended.

        Raises:
            InputError, OutputError, UsageError: it ended with an error that concerns all of the run.
        """
        self._open.discard(outcome.job.id)
        if outcome.record is not None:
            self.folder.keep(outcome.record)
            self._done += 1
        elif outcome.error is None:
            self._left_out += 1
        elif is_final(outcome.error):
            raise outcome.error
        else:
            self._failed.append(outcome)

    @property
    def is_ready(self) -> bool:
        """Whether all jobs have ended, one way or the other."""
        return not self._open

    def finish(self, progress: Progress) -> Result:
        """Merge, encode, report, and remove the work folder.

        Raises:
            DecompositionError: jobs have failed for good, or files were damaged meanwhile.
            OutputError: the results cannot be written.
        """
        if self._earlier is not None:
            self.folder.clean_up(self.state)
            return self._earlier
        if self._failed:
            error = jobs_failed(self._failed, left_out=self._left_out, total=self._total)
            self.folder.save_state(replace(self.state, failures=error.reasons))
            raise error
        self.clock.lap("jobs")
        result = self._write(progress)
        if not self.request.keep_work:
            self.folder.clean_up(self.state)
        return result

    def _finished_jobs(self) -> tuple[dict[int, PriorRecord], dict[int, ChunkRecord]]:
        """The priors (by shot) and chunks (by index) that are done and undamaged."""
        priors = {number: self.folder.prior_record(number) for number in range(len(self.plan.shots))}
        chunks = {chunk.index: self.folder.chunk_record(chunk) for chunk in self.plan.chunks}
        return (
            {number: prior for number, prior in priors.items() if prior is not None},
            {index: chunk for index, chunk in chunks.items() if chunk is not None},
        )

    def _write(self, progress: Progress) -> Result:
        """Merge and encode, then the report: last, so that a report that is there tells of results that are there.

        Chunk files stay until all of it is whole: a merge that is killed is done again from them, and no chunk is.
        """
        from ddvideo.media import open_source

        plan, request, folder = self.plan, self.request, self.folder
        priors, chunks = self._finished_jobs()
        if damaged := [str(chunk.index) for chunk in plan.chunks if chunk.index not in chunks]:
            raise DecompositionError(
                f"{folder.work}: files of chunk {', '.join(damaged)} were damaged on the disk: start again to redo them"
            )
        recomposition = Recomposition()
        steadiness = Steadiness(None if self.settings.together else request.task.steady)  # images have no motion
        warnings = unhinted_shots(request, self.settings, plan.shots)
        with open_source(plan.info.source, interlaced=self.settings.interlaced) as source:
            merged = merge_chunks(
                source.frames(plan.start, plan.stop),
                list(chunks.values()),
                request.task,
                folder.work,
                recomposition=recomposition,
                warn=warnings.append,
                steadiness=steadiness,
                keeps_alpha=request.keep_alpha,
            )
            format = resolve_format(request.format, plan.info)
            written = write_outputs(
                merged, plan, request.task, format, folder.root, folder.work, progress, chroma=request.chroma
            )
            warnings.extend(without_transparency(source.warnings) if request.keep_alpha else source.warnings)
        clock = self.clock
        clock.lap("merge")
        report = make_report(
            plan=plan,
            sha256=self.sha256,
            settings=self.settings,
            identity=self.identity,
            recipe=request.recipe,
            runner={"kind": self.runner.kind, "workers": self.runner.workers},
            priors=list(priors.values()),
            chunks=list(chunks.values()),
            written=written,
            recomposition=recomposition,
            steadiness=steadiness,
            timings_seconds={
                "probe": clock.seconds["probe"],
                "shots": clock.seconds["shots"],
                "merge": clock.seconds["merge"] - written.encode_seconds,
                "encode": written.encode_seconds,
                "total": time.perf_counter() - clock.begun + clock.seconds["reused"],
            },
            warnings=warnings,
        )
        if self.name and written.thumbnails is not None:
            write_bytes(folder.root / "thumbnail.jpg", written.thumbnails.strip())
        write_report_html(folder.root / "report.html", report, written.thumbnails or ())
        write_report_json(folder.root / "report.json", report)
        size = plan.info.width, plan.info.height
        layers = {layer.name: LayerResult(layer.name, layer.path, layer.channels, size) for layer in written.layers}
        return Result(input=self.path, folder=folder.root, layers=layers, report=report)

    def __enter__(self) -> InputRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.folder.close()


class _Clock:
    """Wall-clock seconds of each part of a run."""

    def __init__(self) -> None:
        self.begun = self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def without_transparency(warnings: Sequence[str]) -> tuple[str, ...]:
    """Warnings without the one of transparency, which is kept."""
    from ddvideo.media.transparency import TRANSPARENCY

    return tuple(warning for warning in warnings if warning != TRANSPARENCY)


def look(source: InputPath, request: Request, progress: Progress) -> tuple[InputInfo, tuple[int, int]]:
    """What an input is, and which of its frames are asked for.

    Raises:
        InputError, UsageError: it cannot be read, or holds none of them.
    """
    from ddvideo.media import probe

    progress(ProgressEvent(stage="probe", message=first_path(source).name))
    info = probe(source, interlaced=request.settings.interlaced)
    if request.keep_alpha:
        info = replace(info, warnings=without_transparency(info.warnings))
    resolve_format(request.format, info)
    return info, frame_span(info, request.frames)


def find_shots(info: InputInfo, span: tuple[int, int], settings: Settings, progress: Progress) -> list[Shot]:
    """The shots of a part of an input; images that are taken together are one, however different they look.

    Raises:
        InputError: it cannot be read.
    """
    from ddvideo.media import open_source

    progress(ProgressEvent(stage="plan", total=span[1] - span[0]))
    if settings.together:
        return [Shot(*span)]
    with open_source(info.source, interlaced=settings.interlaced) as source:
        return detect_shots(source, *span, progress)


def _finished(path: Path, root: Path, info: InputInfo, request: Request) -> Result | None:
    """The result of a run that was stopped while it removed its work folder."""
    try:
        report = json.loads((root / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    format = resolve_format(request.format, info)
    size = info.width, info.height
    layers = {
        layer.name: LayerResult(layer.name, root / file_name(layer.name, info, format), layer.channels, size)
        for layer in request.task.layers
        if layer.spatial
    }
    if not all(layer.path.exists() for layer in layers.values()):
        return None
    if not is_written_so(report, info, format, request.chroma):
        return None
    return Result(input=path, folder=root, layers=layers, report=report)
