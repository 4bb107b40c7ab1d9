"""The entry of every decomposing command and function: one or several inputs, one after the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from ddvideo.errors import DDVideoError, UsageError
from ddvideo.pipeline.ask import Asked, make_requests
from ddvideo.pipeline.chain import decompose_chain, plan_chain
from ddvideo.pipeline.hints import is_hinted
from ddvideo.pipeline.request import Request
from ddvideo.pipeline.result import Result
from ddvideo.store import Places, result_names
from ddvideo.types import InputPath, Progress, ProgressEvent, first_path

__all__ = ["decompose"]


def decompose(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    together: bool = False,
    out: str | os.PathLike[str] = "ddvideo-out",
    dry_run: bool = False,
    progress: Progress | None = None,
    **asked: Unpack[Asked],
) -> list[Result]:
    """Split inputs into the layers of a task, or carry out a recipe; results go to ``out/<input stem>/``.

    Results never go into an input: where the folder of that name is one, or holds other files, it is
    ``out/<input stem>-2/``, and the next start finds it again.

    Args:
        inputs: video files, image files or folders of numbered frames. One that is named twice is done once; equal
            stems get ``-2``, ``-3``, ...
        together: the inputs are images of one scene or with one mark, and one input of one shot: as a folder of frames
            gives it, in their order, called by the first. Tasks see it as ``Settings.together``.
        out: folder of the result folders; made where needed.
        dry_run: only plan; every result has a ``plan`` and nothing is written to ``out``.
        progress: called with every step forward.
        asked: see :class:`ddvideo.pipeline.ask.Asked`; ``task`` or ``recipe`` is needed.

    Returns:
        One result an input, in order. Of several inputs, one that fails has an ``error`` and the others are done.

    Raises:
        UsageError: ``out`` lies in an input folder, or a setting is wrong.
        DDVideoError: the only input failed, or nothing could be begun.
    """
    paths = [Path(inputs)] if isinstance(inputs, str | os.PathLike) else [Path(path) for path in inputs]
    if not paths:
        raise UsageError("no input was given")
    requests = make_requests(**asked)
    sources: Sequence[InputPath] = [tuple(paths)] if together else _once(paths)
    if together:
        requests = [replace(request, settings=replace(request.settings, together=True)) for request in requests]
    try:
        if len(sources) > 1 and is_hinted(requests[0]):
            raise UsageError("hints are of one input: give one INPUT with --fg-hint, --bg-hint or --box")
        places = Places(Path(out), paths)
        return _each(sources, Path(out), places, requests, progress or _silent, dry_run=dry_run)
    finally:
        requests[0].runner.close()


def _once(paths: Sequence[Path]) -> list[Path]:
    """Every input once, by the name that it was given first."""
    first_named: dict[str, Path] = {}
    for path in paths:
        first_named.setdefault(os.path.realpath(path), path)
    return list(first_named.values())


def _each(
    sources: Sequence[InputPath],
    out: Path,
    places: Places,
    requests: Sequence[Request],
    progress: Progress,
    *,
    dry_run: bool,
) -> list[Result]:
    results = []
    paths = [first_path(source) for source in sources]
    for source, path, name in zip(sources, paths, result_names(paths, places.is_free), strict=True):
        root = out / name
        try:
            if dry_run:
                results.append(Result(input=path, folder=root, plan=plan_chain(source, requests, progress)))
            else:
                results.append(decompose_chain(source, root, requests, progress))
        except DDVideoError as error:
            if len(sources) == 1:
                raise
            results.append(Result(input=path, folder=root, error=error))
    return results


def _silent(event: ProgressEvent) -> None:
    """Progress that nobody looks at."""
