"""The options that every decomposing command shares, and their values checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ddvideo.config import CHROMAS, FORMATS, INTERLACED, PRESETS, Chroma, Interlaced, OutputFormat, Preset
from ddvideo.errors import UsageError

__all__ = ["FrameRange", "RunOptions", "box", "decomposing", "hints", "running", "together"]

RUNNERS = ("auto", "inprocess", "ray")
_FRAMES = re.compile(r"(\d{0,12}):(\d{0,12})", re.ASCII)
_BOX = re.compile(r" *(\d{1,6}) *, *(\d{1,6}) *, *(\d{1,6}) *, *(\d{1,6}) *", re.ASCII)
_Command = TypeVar("_Command", bound=Callable[..., Any])

FrameRange = tuple[int, int | None]
"""First frame, and the first frame not taken (None: to the end)."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the user asked for, beside the inputs; one field an option."""

    out: Path
    preset: Preset
    device: str
    workers: int | None
    runner: str
    address: str | None
    format: OutputFormat
    chroma: Chroma
    frames: FrameRange | None
    interlaced: Interlaced
    seed: int
    fresh: bool
    keep_work: bool
    dry_run: bool
    quiet: bool
    verbose: int
    as_json: bool

    def asked(self) -> dict[str, Any]:
        """What the pipeline is asked for, besides inputs, task and folder."""
        names = (
            "preset", "device", "seed", "format", "chroma", "frames", "interlaced", "fresh", "keep_work",
            "runner", "workers", "address",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}


def _frames(ctx: click.Context, param: click.Parameter, value: str | None) -> FrameRange | None:
    """``A:B``, half-open, either end may be left out."""
    if value is None:
        return None
    found = _FRAMES.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a range of frames; write A:B (such as 0:48, 100: or :48)")
    start, stop = int(found[1] or 0), int(found[2]) if found[2] else None
    if stop is not None and stop <= start:
        raise click.BadParameter(f"{value!r} holds no frame; the second number must be larger than the first")
    return start, stop


def _device(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """A device's name; whether it is there is asked later, as that needs torch."""
    from ddvideo.hardware import check_device_name

    try:
        return check_device_name(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error


_INPUTS = click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
_OPTIONS = (
    click.option(
        "-o",
        "--out",
        metavar="DIR",
        default="ddvideo-out",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Results go to DIR/<input stem>/.",
    ),
    click.option(
        "--preset", type=click.Choice(PRESETS), default="balanced", show_default=True, help="Trade time for quality."
    ),
    click.option(
        "--device",
        metavar="DEVICE",
        callback=_device,
        default="auto",
        show_default=True,
        help="auto, cpu, cuda, cuda:N or mps.",
    ),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        default="auto",
        show_default=True,
        help="How layers are written; auto: mp4 for video, png for images and folders.",
    ),
    click.option(
        "--chroma",
        type=click.Choice(CHROMAS),
        default="auto",
        show_default=True,
        help="Colour of mp4 layers; auto: as the input has it. 420 and 422 pad odd sizes to even ones, 444 keeps them.",
    ),
    click.option(
        "--frames",
        metavar="A:B",
        callback=_frames,
        help="Part of the input: from frame A, counted from 0, to before B.",
    ),
    click.option(
        "--interlaced",
        type=click.Choice(INTERLACED),
        default="deinterlace",
        show_default=True,
        help="What becomes of interlaced frames.",
    ),
    click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(0, 2**31 - 1),
        default=0,
        show_default=True,
        help="Start of the random numbers.",
    ),
    click.option(
        "--workers",
        metavar="N",
        type=click.IntRange(1),
        help="Chunks fitted at once: 1, or as many as a cluster has room for.",
    ),
    click.option(
        "--runner",
        type=click.Choice(RUNNERS),
        default="auto",
        show_default=True,
        help="What carries out the chunks; auto: Ray for several workers and chunks, or an address.",
    ),
    click.option(
        "--address", metavar="ADDRESS", help="Join this Ray cluster (host:port; auto finds one on this machine)."
    ),
    click.option(
        "--fresh",
        is_flag=True,
        help="Do everything anew: forget an earlier unfinished run, and what a batch or a stage has done.",
    ),
    click.option("--keep-work", is_flag=True, help="Keep the chunk files."),
    click.option("--dry-run", is_flag=True, help="Only plan: shots, chunks, estimated time, memory and disk."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("-v", "--verbose", count=True, help="Log more; twice for everything."),
    click.option("--json", "as_json", is_flag=True, help="Print the report, and only it, on standard output."),
)


_TOGETHER = click.option(
    "--together", is_flag=True, help="INPUT... are several images of one scene or with one mark: one input."
)


def decomposing(command: _Command) -> _Command:
    """Give a command the argument INPUT... and the options of ``RunOptions``; it is called with their names."""
    return _INPUTS(running(command))


def running(command: _Command) -> _Command:
    """Give a command the options of ``RunOptions``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _box(ctx: click.Context, param: click.Parameter, value: str | None) -> list[int] | None:
    """``X,Y,W,H`` in pixels of the input."""
    if value is None:
        return None
    found = _BOX.fullmatch(value)
    numbers = [int(part) for part in found.groups()] if found else []
    if not numbers or min(numbers[2:]) == 0:
        raise click.BadParameter(f"{value!r} is not a box; write X,Y,W,H: left, top, width and height in pixels")
    return numbers


def box(command: _Command) -> _Command:
    """Give a command the option ``--box``; it is called with ``[x, y, width, height]`` or None."""
    help = "A box around it, in pixels of the input: left, top, width, height."
    return click.option("--box", metavar="X,Y,W,H", callback=_box, help=help)(command)


def hints(command: _Command) -> _Command:
    """Give a command the options of hints; it is called with ``fg_hint``, ``bg_hint``, ``box`` and ``hint_frame``."""
    where = "an image of one frame, or a video (or folder) of all"
    for option in (
        click.option(
            "--hint-frame",
            metavar="N",
            type=click.IntRange(0),
            help="The frame that an image or a box is of, counted from 0; the first that is done unless told.",
        ),
        click.option(
            "--box",
            metavar="X,Y,W,H",
            callback=_box,
            help="A box around the foreground in one frame, in pixels of the input: left, top, width, height.",
        ),
        click.option(
            "--bg-hint",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help=f"White is background for certain: {where}; any size.",
        ),
        click.option(
            "--fg-hint",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help=f"White is foreground for certain: {where}; any size.",
        ),
    ):
        command = option(command)
    return command


def together(command: _Command) -> _Command:
    """Give a command the flag ``--together``; it is called with its name, and hands it to ``run_task``."""
    return _TOGETHER(command)
