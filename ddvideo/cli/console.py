"""The two streams of a terminal program: results on standard output, everything for people on standard error."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from ddvideo.errors import OutputError
from ddvideo.text import printable

__all__ = ["abandon", "emit", "make_streams_safe", "say", "say_error", "table"]


def make_streams_safe() -> None:
    """Let no character and no closed stream stop the program.

    What the terminal's encoding lacks is shown as an escape. A stream that was closed by the caller (``2>&-``) is
    given to nowhere, so that no file opened later takes its number.
    """
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if getattr(sys, name) is None:
                setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def emit(text: str) -> None:
    """Write a result to standard output, whole.

    Raises:
        BrokenPipeError: nobody reads any more.
        OutputError: standard output cannot be written for another reason (a full disk).
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon(sys.stdout)
        raise OutputError(f"cannot write standard output: {error.strerror}") from error


def say(text: str) -> None:
    """Write a line for people to standard error; a closed or broken standard error never stops the work."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def say_error(message: str, *, label: str = "error") -> None:
    """Tell an error: one line after ``ddvideo: error:``, others indented, so that no name can pose as a message."""
    first, *rest = message.split("\n")
    lines = [f"ddvideo: {label}: {printable(first)}", *(f"  {printable(line)}" for line in rest if line.strip())]
    say("\n".join(lines))


def abandon(stream: TextIO) -> None:
    """Point a stream that can no longer be written at nowhere, so that the flush at exit does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def table(rows: Iterable[Sequence[object]], *, indent: str = "") -> str:
    """Lay rows out in columns, each cell made safe for a terminal; the last column is not padded."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max((len(row[column]) for row in cells if column < len(row)), default=0) for column in range(32)]
    lines = []
    for row in cells:
        padded = [cell.ljust(widths[column]) for column, cell in enumerate(row)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)
