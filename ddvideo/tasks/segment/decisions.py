"""Numbers (scales, trusts, thresholds) that a shot's prior decides and the shot's chunks take over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ddvideo.arrays import AnyArray

__all__ = ["Decisions"]

_PREFIX = "decided_"


class Decisions:
    """Each number is decided where it is first asked for, unless it was given.

    Args:
        given: what :meth:`arrays` was for another window of the shot, among other things; None where nothing is given.
    """

    def __init__(self, given: Mapping[str, AnyArray] | None = None) -> None:
        self._given = given or {}
        self._made: dict[str, float] = {}

    def once(self, name: str, decide: Callable[[], float]) -> float:
        """The number of that name; ``decide`` is asked if nobody was before."""
        if name not in self._made:
            given = self._given.get(_PREFIX + name)
            self._made[name] = decide() if given is None else float(given)
        return self._made[name]

    def arrays(self) -> dict[str, AnyArray]:
        """All of them, to be given to other windows."""
        return {_PREFIX + name: np.array(value, np.float32) for name, value in self._made.items()}
