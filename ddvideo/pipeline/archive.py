"""The entry of ``ddvideo batch``: a folder, a glob or a list of inputs, one queue, one record."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ddvideo.errors import DDVideoError
from ddvideo.pipeline.ask import Asked, make_requests
from ddvideo.pipeline.batch import Batch, Item, as_ours
from ddvideo.pipeline.batch_record import BatchRecord, make_items
from ddvideo.pipeline.chain import plan_chain
from ddvideo.pipeline.plan import Plan, frame_span
from ddvideo.pipeline.request import Request
from ddvideo.store import FolderLock, Places
from ddvideo.types import Progress, ProgressEvent

if TYPE_CHECKING:
    from ddvideo.media.inputs import LeftOut

__all__ = ["decompose_all"]

_LOCK = ".batch-lock"


def decompose_all(
    source: str,
    *,
    out: str | os.PathLike[str] = "ddvideo-out",
    dry_run: bool = False,
    progress: Progress | None = None,
    changed: Callable[[Item], None] | None = None,
    leaving_out: Callable[[Sequence[LeftOut]], None] | None = None,
    **asked: Unpack[Asked],
) -> tuple[list[Item], Plan | None]:
    """Decompose every input of a source; what an earlier start has done is passed over.

    Args:
        source: a folder (walked), a glob, or a text file of paths.
        out: folder of the result folders, of ``batch.json`` and ``index.html``.
        dry_run: only plan.
        progress: called with every step forward.
        changed: called with every input whose status has changed.
        leaving_out: called once, before anything is begun, with what in the source is no input.
        asked: see :class:`ddvideo.pipeline.ask.Asked`; ``task`` or ``recipe`` is needed.

    Returns:
        The inputs, longest first, each done or failed; and for a dry run the plan of all of them together, judged by
        the longest, with nothing done.

    Raises:
        UsageError: the source holds no input, ``out`` lies in a folder of frames among them, or a setting is wrong.
        LockedError: another batch works in ``out``.
        OutputError: ``out`` cannot be written.
    """
    from ddvideo.media.inputs import find_inputs

    root, told, tell = Path(out), progress or _silent, changed or _nothing
    requests = [replace(request, reuse=True) for request in make_requests(**asked)]
    found = find_inputs(source, out=root)
    paths, places = found.inputs, Places(root, found.inputs)
    if leaving_out is not None:
        leaving_out(found.left_out)
    try:
        if dry_run:
            items = make_items(paths, places, root, requests)
            _look(items, requests[0], told)
            return _longest_first(items), _plan(items, requests, told)
        with FolderLock(root / _LOCK):
            try:
                items = make_items(paths, places, root, requests)
                return _do(items, found.left_out, root, source, requests, told, tell), None
            finally:
                (root / _LOCK).unlink(missing_ok=True)
    finally:
        requests[0].runner.close()


def _do(
    items: list[Item],
    left_out: Sequence[LeftOut],
    root: Path,
    source: str,
    requests: Sequence[Request],
    progress: Progress,
    changed: Callable[[Item], None],
) -> list[Item]:
    _look(items, requests[0], progress)
    items = _longest_first(items)
    settings = requests[0].settings
    about = {"recipe": requests[0].recipe["name"], "preset": settings.preset, "seed": settings.seed, "source": source}
    with BatchRecord(root, about, items, left_out) as record:

        def note(item: Item) -> None:
            record.changed(item)
            changed(item)

        for item in items:
            if item.status == "failed":
                note(item)
        Batch(items, requests, progress, note).run()
    return items


def _look(items: Sequence[Item], request: Request, progress: Progress) -> None:
    """Find out how long each input is; one that cannot be read has failed."""
    from ddvideo.media import open_source

    for done, item in enumerate(items, start=1):
        if item.status != "waiting":
            continue
        progress(ProgressEvent(stage="probe", message=item.path.name, done=done, total=len(items)))
        try:
            with open_source(item.path) as source:
                start, stop = frame_span(source.info, request.frames)
                size = source.info.width * source.info.height
        except Exception as error:  # noqa: BLE001 (see as_ours)
            item.status, item.error = "failed", as_ours(error, item)
        else:
            item.frames, item.pixels = stop - start, (stop - start) * size


def _longest_first(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=lambda item: -item.pixels)


def _plan(items: Sequence[Item], requests: Sequence[Request], progress: Progress) -> Plan | None:
    """All inputs that are to be done, at the pace of the longest one that can be decomposed."""
    for longest in _longest_first(items):
        if longest.status != "waiting":
            continue
        try:
            plan = plan_chain(longest.path, requests, progress)
        except DDVideoError as error:
            longest.status, longest.error = "failed", error
            continue
        waiting = [item for item in items if item.status == "waiting"]
        frames, pixels = sum(item.frames for item in waiting), sum(item.pixels for item in waiting)
        workers = requests[0].runner.workers
        return replace(
            plan,
            stop=plan.start + frames,
            estimated_seconds=round((plan.estimated_seconds or 0.0) * frames / plan.frames / workers, 1),
            estimated_memory_mib=(plan.estimated_memory_mib or 0.0) * workers,
            results_mib=plan.results_mib * pixels / max(longest.pixels, 1),
            work_mib=plan.work_mib * (workers + 1 if workers > 1 else 1),
        )
    return None


def _silent(event: ProgressEvent) -> None:
    """Progress that nobody looks at."""


def _nothing(item: Item) -> None:
    """Changes that nobody looks at."""
