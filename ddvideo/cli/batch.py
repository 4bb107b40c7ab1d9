"""``ddvideo batch``: every input of a folder, a glob or a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ddvideo.cli.console import emit, say, say_error, table
from ddvideo.cli.options import RunOptions, running
from ddvideo.errors import DDVideoError
from ddvideo.text import duration, printable

if TYPE_CHECKING:
    from ddvideo.media.inputs import LeftOut
    from ddvideo.pipeline import Item, Plan

__all__ = ["batch"]

_NAMED = 3
"""So many files that were left out are named for each reason; all are in the record."""


@click.command(short_help="Every input of a folder, a glob or a list of paths.")
@click.argument("source", metavar="SOURCE")
@click.option("--task", metavar="NAME", help="Do this task, such as segment.")
@click.option("--recipe", metavar="NAME", help="Do the stages of this recipe (a name or a TOML file).")
@running
def batch(source: str, task: str | None, recipe: str | None, **options: Any) -> int:
    """Do a task or a recipe on every input of SOURCE.

    SOURCE is a folder (walked), a glob in quotes, or a text file of paths. In it, whatever holds a picture is an input,
    by its content where its name does not tell; what is left out is told, with the reason. All inputs share one queue,
    longest first. Results are in DIR/<input stem>/, the state of all in DIR/batch.json and DIR/index.html, written as
    it goes. What fails is named and passed over. A second start goes on, and does not do again what is done.
    """
    if (task is None) == (recipe is None):
        raise click.UsageError("give either --task NAME or --recipe NAME")
    return _run(source, {"task": task} if task is not None else {"recipe": recipe}, RunOptions(**options))


def _run(source: str, what: dict[str, Any], options: RunOptions) -> int:
    from ddvideo.cli.work import telling
    from ddvideo.pipeline import decompose_all

    left_out: list[LeftOut] = []
    with telling(options) as progress:

        def changed(item: Item) -> None:
            progress.close()
            if item.error is not None:
                say_error(_reason(item))
            elif item.result is not None and not options.quiet:
                seconds = item.result.report.get("seconds_per_frame") or 0.0
                frames = f"{item.frames} frame{'' if item.frames == 1 else 's'}"
                say(f"{printable(item.path)}: done, {frames}, {duration(seconds)} a frame")

        def leaving_out(found: Sequence[LeftOut]) -> None:
            left_out.extend(found)
            if found and not options.quiet:
                progress.close()
                say_error(_left_out(found, options), label="warning")

        items, plan = decompose_all(
            source,
            out=options.out,
            dry_run=options.dry_run,
            progress=progress,
            changed=changed,
            leaving_out=leaving_out,
            **what,
            **options.asked(),
        )
    failed = sum(item.status == "failed" for item in items)
    if options.dry_run:
        _tell_plan(items, plan, left_out, options)
    else:
        if options.as_json:
            emit((options.out / "batch.json").read_text(encoding="utf-8"))
        if not options.quiet:
            _tell_end(items, failed, options)
    return DDVideoError.exit_code if failed else 0


def _left_out(found: Sequence[LeftOut], options: RunOptions) -> str:
    """What was left out, a line a reason with the first few names: there may be thousands."""
    groups: dict[str, list[LeftOut]] = {}
    for item in found:
        groups.setdefault(item.kind, []).append(item)
    where = "--json lists them" if options.dry_run else f"listed in {options.out / 'batch.json'}"
    lines = [f"{len(found)} that {'are no inputs were' if len(found) > 1 else 'is no input was'} left out; {where}"]
    for kind, items in sorted(groups.items(), key=lambda group: -len(group[1])):
        names = ", ".join(printable(item.path) for item in items[:_NAMED])
        lines.append(f"{kind} ({len(items)}): {names}{', ...' if len(items) > _NAMED else ''}")
    return "\n".join(lines)


def _reason(item: Item) -> str:
    """Why an input failed, in words that name it."""
    return str(item.error) if str(item.path) in str(item.error) else f"{item.path}: {item.error}"


def _tell_end(items: list[Item], failed: int, options: RunOptions) -> None:
    earlier = sum(item.was_done for item in items)
    before = f" ({earlier} by an earlier start)" if earlier else ""
    index = printable(options.out / "index.html")
    say(f"{len(items) - failed} of {len(items)} inputs are done{before}; see {index}")
    if failed:
        say_error(f"{failed} of {len(items)} inputs failed; the same command tries them again")


def _tell_plan(items: list[Item], plan: Plan | None, left_out: Sequence[LeftOut], options: RunOptions) -> None:
    from ddvideo.cli.work import plan_costs

    done = sum(item.status == "done" for item in items)
    waiting = [item for item in items if item.status == "waiting"]
    failed = [item for item in items if item.status == "failed"]
    if options.as_json:
        from ddvideo.report.data import report_text

        told = [_plain(item) for item in items]
        passed = [{"path": str(item.path), "reason": item.reason} for item in left_out]
        emit(report_text({"items": told, "left_out": passed, "plan": _figures(plan)}))
        return
    rows: list[tuple[object, object]] = [
        ("inputs", f"{len(waiting)} to do, {done} done, {len(failed)} cannot be read"),
        ("frames", sum(item.frames for item in waiting)),
        *(plan_costs(plan) if plan is not None else []),
        ("results", f"{options.out}{'' if str(options.out).endswith('/') else '/'}"),
    ]
    emit(f"plan only, nothing was written\n{table(rows, indent='  ')}")
    for item in failed:
        say_error(_reason(item))


def _figures(plan: Plan | None) -> dict[str, Any] | None:
    """What a plan says of all inputs together; its shots and chunks are those of the longest only."""
    if plan is None:
        return None
    return {name: value for name, value in plan.as_dict().items() if name not in ("start", "stop", "shots", "chunks")}


def _plain(item: Item) -> dict[str, Any]:
    told = {"input": str(item.path), "out": str(item.root), "frames": item.frames, "status": item.status}
    return told if item.error is None else told | {"error": str(item.error), "exit_code": item.error.exit_code}
