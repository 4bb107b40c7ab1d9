"""Every deliberate error of ddvideo, and the exit code that each ends the command with.

::

    DDVideoError                 1
    +-- UsageError               2   wrong usage or settings (also a ValueError)
    |   +-- ShapeError           2   an array of the wrong shape
    +-- InputError               3   the input cannot be read as video or image
    +-- OutputError              4   the output cannot be written
    |   +-- LockedError          4   another run works in the same folder
    +-- DecompositionError       5   the fit failed

A message is one or two lines: what, which file, what to do. The command line prints it without a traceback.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "DDVideoError",
    "DecompositionError",
    "InputError",
    "LockedError",
    "OutputError",
    "ShapeError",
    "UsageError",
]


class DDVideoError(Exception):
    """Root of every deliberate error."""

    exit_code: ClassVar[int] = 1


class UsageError(DDVideoError, ValueError):
    """Wrong usage or settings."""

    exit_code: ClassVar[int] = 2


class ShapeError(UsageError):
    """An array whose shape is not what the function takes; names the actual and the expected one."""


class InputError(DDVideoError):
    """The input cannot be read as video or image."""

    exit_code: ClassVar[int] = 3


class OutputError(DDVideoError):
    """The output cannot be written."""

    exit_code: ClassVar[int] = 4


class LockedError(OutputError):
    """Another run works in the same result folder."""


class DecompositionError(DDVideoError):
    """The decomposition failed, also when started again from another seed."""

    exit_code: ClassVar[int] = 5
