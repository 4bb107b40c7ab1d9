"""``ddvideo segment``: foreground, background and alpha."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, decomposing

__all__ = ["segment"]


@click.command(short_help="Foreground, background and alpha.")
@decomposing
def segment(inputs: tuple[Path, ...], **options: Any) -> int:
    """Split INPUT into foreground, background and alpha.

    INPUT is a video, an image, or a folder of numbered frames. What moves on its own becomes the foreground; the
    background is filled behind it. Results: one file a layer, preview, report.html and report.json in
    DIR/<input stem>/. A run that was interrupted goes on when the same command is started again.
    """
    from ddvideo.cli.work import run_task

    return run_task(inputs, RunOptions(**options), task="segment")
