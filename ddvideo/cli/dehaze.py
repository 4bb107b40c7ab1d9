"""``ddvideo dehaze``: radiance and transmission map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, decomposing

__all__ = ["dehaze"]


def _airlight(ctx: click.Context, param: click.Parameter, value: str | None) -> list[float] | None:
    """``R,G,B``: three numbers in [0, 1], or in [0, 255] where one is above 1."""
    if value is None:
        return None
    try:
        colour = [float(part) for part in value.split(",")]
    except ValueError:
        colour = []
    if len(colour) == 3 and all(0 <= part <= 255 for part in colour) and any(colour):
        return [round(part / 255, 4) for part in colour] if max(colour) > 1 else colour
    raise click.BadParameter(f"{value!r} is not a colour; write R,G,B (such as 0.8,0.82,0.85 or 204,209,217)")


@click.command(short_help="Radiance behind haze, and the transmission map.")
@decomposing
@click.option(
    "--airlight",
    metavar="R,G,B",
    callback=_airlight,
    help="Colour of the haze where nothing shows through, 0 to 1 or 0 to 255 each; found by itself if left out.",
)
def dehaze(inputs: tuple[Path, ...], airlight: list[float] | None, **options: Any) -> int:
    """Take the haze off INPUT: radiance and transmission map.

    INPUT is a video, an image, or a folder of numbered frames. The radiance is the scene as it would look without the
    haze; the transmission map tells how much of it came through; the colour of the haze, one a shot, is in
    report.json. Results are in DIR/<input stem>/. A run that was interrupted goes on when the same command is started
    again.
    """
    from ddvideo.cli.work import run_task

    told = {"airlight": airlight} if airlight else {}
    return run_task(inputs, RunOptions(**options), task="dehaze", task_options=told)
