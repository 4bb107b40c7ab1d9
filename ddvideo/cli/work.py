"""What every decomposing command does: call the pipeline, show progress, and tell what came of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddvideo.cli.console import emit, say, say_error, table
from ddvideo.cli.options import RunOptions
from ddvideo.cli.progress import Reporter, make_reporter
from ddvideo.errors import DDVideoError
from ddvideo.text import duration, printable, size_mib

if TYPE_CHECKING:
    from ddvideo.pipeline import Plan, Result

__all__ = ["plan_costs", "run_task", "telling"]

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def run_task(
    inputs: Sequence[Path],
    options: RunOptions,
    *,
    task: str | None = None,
    recipe: str | None = None,
    task_options: Mapping[str, Any] | None = None,
    together: bool = False,
    keep_alpha: bool = False,
) -> int:
    """Decompose the inputs, tell what came of it, and return the exit code: 1 when some of several failed.

    Args:
        inputs: as the user gave them.
        options: those that every task has.
        task: its name; or
        recipe: a recipe's name or file.
        task_options: those of this task.
        together: the inputs are images that are one input.
        keep_alpha: multiply the input's own transparency into the alpha.

    Raises:
        DDVideoError: the only input failed, or nothing could be begun.
    """
    from ddvideo.pipeline import decompose

    what: dict[str, Any] = {"recipe": recipe} if recipe is not None else {"task": task}
    with telling(options) as progress:
        results = decompose(
            list(inputs),
            together=together,
            out=options.out,
            dry_run=options.dry_run,
            progress=progress,
            options=task_options or {},
            keep_alpha=keep_alpha,
            **what,
            **options.asked(),
        )
    _print_results(results, options)
    failed = [result for result in results if result.error is not None]
    for result in failed:
        name, said = printable(result.input), str(result.error)
        say_error(said if str(result.input) in said else f"{name}: {said}")
    if failed:
        whole = len(results) - len(failed)
        say_error(
            f"{len(failed)} of {len(results)} inputs failed; the other {whole} are whole"
            if whole
            else f"all {len(results)} inputs failed"
        )
    return DDVideoError.exit_code if failed else 0


@contextmanager
def telling(options: RunOptions) -> Iterator[Reporter]:
    """Logging and progress as the options want them; an interrupt is told with what becomes of the work."""
    with _logging(options), make_reporter(quiet=options.quiet) as progress:
        try:
            yield progress
        except (KeyboardInterrupt, SystemExit):
            progress.close()
            say("ddvideo: what is done is kept; the same command goes on from there")
            raise


def _print_results(results: Sequence[Result], options: RunOptions) -> None:
    if options.as_json:
        from ddvideo.report.data import report_text

        plain = [_plain(result) for result in results]
        emit(report_text(plain[0] if len(plain) == 1 else plain))
    for result in results:
        if result.error is not None:
            continue
        if result.plan is not None and not result.report:
            if not options.as_json:
                emit(plan_text(_name(result), result.folder, result.plan))
                _say_warnings(result.plan.warnings)
        elif not options.quiet:
            say(_summary(result))
            _say_warnings(result.report.get("warnings", ()))


def _say_warnings(warnings: Iterable[str]) -> None:
    for warning in warnings:
        say_error(warning, label="warning")


def _plain(result: Result) -> dict[str, Any]:
    """A result for ``--json``: its report; the plan after a dry run; the error after a failure among several."""
    if result.error is not None:
        told = {"message": str(result.error), "exit_code": result.error.exit_code}
        return {"input": {"path": str(result.input)}, "error": told}
    if result.report:
        return dict(result.report)
    plan = result.plan.as_dict() if result.plan is not None else {}
    paths = result.plan.info.paths if result.plan is not None else ()
    source = {"path": str(result.input)} | ({"paths": [str(path) for path in paths]} if paths else {})
    return {"input": source, "out": str(result.folder), "plan": plan}


def _name(result: Result) -> str:
    """The input as it is told: of images that are one input, the first and how many more."""
    paths = result.plan.info.paths if result.plan is not None else result.report.get("input", {}).get("paths", ())
    return f"{result.input} and {len(paths) - 1} more" if paths else str(result.input)


def _summary(result: Result) -> str:
    report = result.report
    total = report.get("timings_seconds", {}).get("total")
    psnr = report.get("quality", {}).get("recomposition_psnr_db")
    parts = []
    if total is not None:
        parts.append(f"{duration(total)} ({duration(report.get('seconds_per_frame') or 0.0)} a frame)")
    if psnr is not None:
        parts.append(f"recomposition {psnr:.1f} dB")
    head = f"{printable(_name(result))}: done{' in ' if total is not None else ' '}{', '.join(parts)}"
    rows: list[tuple[object, object]] = [(name, layer.path) for name, layer in result.layers.items()]
    rows.append(("report", result.folder / "report.html"))
    return f"{head.rstrip()}\n{table(rows, indent='  ')}"


def plan_text(name: str, folder: Path, plan: Plan) -> str:
    """A plan as a table for people."""
    lengths = [chunk.frames for chunk in plan.chunks]
    spread = f"{min(lengths)} to {max(lengths)}" if min(lengths) != max(lengths) else str(lengths[0])
    rows: list[tuple[object, object]] = [
        ("frames", f"{plan.frames} ({plan.start}:{plan.stop})"),
        ("shots", len(plan.shots)),
        ("chunks", f"{len(plan.chunks)} of {spread} frames"),
        *plan_costs(plan),
        ("results", f"{folder}/"),
    ]
    return f"{printable(name)}: plan only, nothing was written\n{table(rows, indent='  ')}"


def plan_costs(plan: Plan) -> list[tuple[object, object]]:
    """Time, memory and disk of a plan."""
    return [
        ("time", "about " + duration(plan.estimated_seconds) if plan.estimated_seconds else "not known"),
        ("memory", "about " + size_mib(plan.estimated_memory_mib) if plan.estimated_memory_mib else "not known"),
        ("disk", f"{size_mib(plan.work_mib)} while at work, about {size_mib(plan.results_mib)} for the results"),
    ]


class _Handler(logging.Handler):
    """Log records as lines on standard error, safe for a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        say_error(self.format(record), label=record.levelname.lower())


@contextmanager
def _logging(options: RunOptions) -> Iterator[None]:
    logger, handler = logging.getLogger("ddvideo"), _Handler()
    before = logger.level, logger.propagate
    logger.setLevel(logging.ERROR if options.quiet else LEVELS[min(options.verbose, 2)])
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
