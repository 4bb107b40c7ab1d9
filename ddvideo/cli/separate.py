"""``ddvideo separate``: transmission and reflection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, decomposing, together

__all__ = ["separate"]


@click.command(short_help="The scene behind glass, and what the glass reflects.")
@decomposing
@together
def separate(inputs: tuple[Path, ...], together: bool, **options: Any) -> int:
    """Separate the scene behind a pane in INPUT from what the pane reflects: transmission and reflection.

    INPUT is a video, an image, or a folder of numbered frames. In a video the two are told apart by how they move, so
    the camera or something behind the pane has to; otherwise, and in a single image, only their sharpness is left to go
    by. Several images of one scene behind glass go together (--together). Transmission and reflection add up to the
    input. Results are in DIR/<input stem>/. A run that was interrupted goes on when the same command is started again.
    """
    from ddvideo.cli.work import run_task

    return run_task(inputs, RunOptions(**options), task="separate", task_options={}, together=together)
