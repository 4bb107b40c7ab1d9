"""``ddvideo segment``: foreground, background and alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, decomposing, hints

__all__ = ["segment"]


@click.command(short_help="Foreground, background and alpha.")
@decomposing
@hints
@click.option("--keep-alpha", is_flag=True, help="Multiply the input's own transparency into alpha.")
def segment(
    inputs: tuple[Path, ...],
    keep_alpha: bool,
    fg_hint: Path | None,
    bg_hint: Path | None,
    box: list[int] | None,
    hint_frame: int | None,
    **options: Any,
) -> int:
    """Split INPUT into foreground, background and alpha.

    INPUT is a video, an image, or a folder of numbered frames. What moves on its own becomes the foreground; the
    background is filled behind it. A hint tells what the foreground is: a mask, strokes or a box in one frame are
    carried through its shot. Results: one file a layer, preview, report.html and report.json in
    DIR/<input stem>/. A run that was interrupted goes on when the same command is started again.
    """
    from ddvideo.cli.work import run_task

    told: dict[str, Any] = {}
    if any(hint is not None for hint in (fg_hint, bg_hint, box, hint_frame)):
        from ddvideo.pipeline.hints import hint_options

        told = hint_options(fg_hint, bg_hint, box, hint_frame)
    return run_task(inputs, RunOptions(**options), task="segment", task_options=told, keep_alpha=keep_alpha)
