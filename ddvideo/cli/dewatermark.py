"""``ddvideo dewatermark``: clean picture, mark and alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, box, decomposing, together

__all__ = ["dewatermark"]


@click.command(short_help="The picture without its watermark, the mark, and its alpha.")
@decomposing
@box
@together
def dewatermark(inputs: tuple[Path, ...], box: list[int] | None, together: bool, **options: Any) -> int:
    """Take a watermark off INPUT: clean picture, mark and alpha.

    It is meant for restoring one's own archive: burnt-in logos, time codes, proofs. INPUT is a video, an image, or a
    folder of numbered frames. In a video, a mark that stays while the scene moves is found by itself; so is one that
    two, three or more images share (--together). A single image, or a scene that stands still, needs --box. Nothing
    outside the mark changes. Results are in DIR/<input stem>/. A run that was interrupted goes on when the same command
    is started again.
    """
    from ddvideo.cli.work import run_task

    told = {"box": box} if box else {}
    return run_task(inputs, RunOptions(**options), task="dewatermark", task_options=told, together=together)
