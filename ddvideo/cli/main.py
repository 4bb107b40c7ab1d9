"""The ``ddvideo`` command: its group of commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import difflib
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from ddvideo.cli.batch import batch
from ddvideo.cli.console import abandon, make_streams_safe, say, say_error
from ddvideo.cli.dehaze import dehaze
from ddvideo.cli.dewatermark import dewatermark
from ddvideo.cli.doctor import doctor
from ddvideo.cli.probe import probe
from ddvideo.cli.recipes import recipes
from ddvideo.cli.run import run as run_recipe
from ddvideo.cli.segment import segment
from ddvideo.cli.separate import separate
from ddvideo.errors import DDVideoError, DecompositionError, OutputError, UsageError
from ddvideo.version import __version__

__all__ = ["cli", "main", "run"]

INTERRUPTED, TERMINATED = 130, 143
_received: set[int] = set()
"""Signals that asked this process to end."""

EPILOG = """
\b
Examples:
  ddvideo segment clip.mp4                    layers in ddvideo-out/clip/
  ddvideo segment a.mp4 b.mp4 -o results      several inputs, one after the other
  ddvideo segment frames/ --preset fast       a folder of numbered frames
  ddvideo run matte road.mp4                  a recipe: dehaze, then segment
  ddvideo batch archive/ --task dehaze        every video and image in there, and again tomorrow
  ddvideo segment clip.mp4 --dry-run          what would be done, how long, how large
  ddvideo dehaze road.mp4                     the same for haze: radiance, transmission map
  ddvideo dewatermark proof.mp4               the picture without its mark
  ddvideo separate window.mp4                 the scene behind glass, and what the glass reflects
  ddvideo probe clip.mp4                      what the reader sees

\b
Exit codes: 0 done, 1 some of several inputs failed, 2 wrong usage, 3 unreadable input,
4 output not writable, 5 the decomposition failed, 130 or 143 interrupted.
"""


class Commands(click.Group):
    """A group that takes a broken pipe calmly and knows what was meant by a mistyped command."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does; ``--help`` into a closed pipe is no error."""
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError:
            abandon(sys.stdout)
            raise click.exceptions.Exit(0) from None

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; a reader that has seen enough (``| head``) is no error, for the work itself is done."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            abandon(sys.stdout)
            return 0
        except KeyboardInterrupt:
            # click would print an empty line here.
            raise SystemExit(INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use, not of the alphabet."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown command is told with the nearest one, or with what a file name may have meant."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(self.list_commands(ctx))})"
            if os.path.lexists(name):
                hint = f"; to split a file into layers: ddvideo segment {name}"
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="ddvideo", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Split videos and images into their layers with temporally coupled deep image priors.

    No training data, no pretrained weights: untrained networks are fitted to each input, coupled over its frames.
    """
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())
        ctx.exit(2)


for _command in (segment, separate, dehaze, dewatermark, run_recipe, batch, probe, recipes, doctor):
    cli.add_command(_command)


def main() -> NoReturn:
    """Run the command with the program's arguments and exit with its code."""
    signal.signal(signal.SIGTERM, _terminate)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    make_streams_safe()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; every deliberate error is told on standard error in a line or two."""
    try:
        result = cli.main(list(arguments), prog_name="ddvideo", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("ddvideo: interrupted")
        return INTERRUPTED
    except SystemExit as stop:
        # Where the signal met Ray's compiled part, it passes the exit on with a code of its own.
        code = TERMINATED if signal.SIGTERM in _received else stop.code
        if code not in (INTERRUPTED, TERMINATED):
            raise
        say(f"ddvideo: {'interrupted' if code == INTERRUPTED else 'terminated'}")
        return int(code)
    except click.ClickException as error:
        say_error(_usage_message(error))
        return UsageError.exit_code
    except DDVideoError as error:
        say_error(str(error))
        return error.exit_code
    except MemoryError:
        say_error("out of memory\ntry --preset fast, a smaller input, or a part of it with --frames A:B")
        return DecompositionError.exit_code
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        say_error(f"{error.strerror or error}{where and ':'}{where}")
        return OutputError.exit_code


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ddvideo"
    # One line: a value that holds a newline must not begin a line of its own.
    return message.replace("\n", "\\n") + f"\ntry '{path} --help'"


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave as on Ctrl-C: through every ``finally``, so that what is done is kept and temporary files go."""
    _received.add(number)
    raise SystemExit(TERMINATED)
