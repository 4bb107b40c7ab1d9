"""``ddvideo run``: the stages of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ddvideo.cli.options import RunOptions, decomposing

__all__ = ["run"]


@click.command(short_help="The stages of a recipe, one on the last one's main layer.")
@click.argument("recipe", metavar="RECIPE")
@decomposing
def run(recipe: str, inputs: tuple[Path, ...], **options: Any) -> int:
    """Carry out the stages of RECIPE on INPUT, each on the last one's main layer.

    RECIPE is a name that `ddvideo recipes` lists, or the path of a TOML file. The last stage's results are in
    DIR/<input stem>/, those of the stages before in stages/ therein. A stage whose results are whole is not done again.
    """
    from ddvideo.cli.work import run_task

    return run_task(inputs, RunOptions(**options), recipe=recipe)
