"""Frame times in the decoder's order: wrong, missing and restarting stamps mended, all others kept as they are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

__all__ = ["Timeline", "mend_times"]

_FURTHEST = 2**61


@dataclass(frozen=True)
class Timeline:
    """Strictly rising times of frames.

    ``times`` are ticks of the stamps' time base divided by ``refine``. ``mended`` counts the frames whose stamp was not
    used, ``absent`` those that had none. ``parts`` has one row for each run between two restarts of the clock: when it
    starts and ends by its own stamps, and what was added to them, all in ticks of the stamps' time base.
    """

    times: NDArray[np.int64]
    refine: int
    mended: int
    absent: int
    parts: tuple[tuple[Fraction, Fraction, Fraction], ...]


def mend_times(runs: Sequence[Sequence[int | None]], *, in_decode_order: bool, usual_step: Fraction) -> Timeline:
    """Times of frames from their stamps.

    Args:
        runs: stamps of the frames in the order in which the decoder gives them (None: no stamp), cut where the clock
            starts anew.
        in_decode_order: the stamps rise in the order of the packets although frames are shown in another one, so that
            they belong to the frames by their rank.
        usual_step: ticks between frames where the stamps do not tell it.

    Within a run, the longest row of stamps that rises is kept; frames between are spread evenly. Each run follows on
    the one before it.
    """
    exact: list[Fraction] = []
    parts: list[tuple[Fraction, Fraction, Fraction]] = []
    mended = 0
    step = usual_step
    for run in runs:
        if not run:
            continue
        stamps = _by_rank(run) if in_decode_order else list(run)
        kept = _longest_rise(stamps)
        known = [stamps[place] or 0 for place in kept]
        last_step, step = step, _usual(kept, known) or usual_step
        times = _spread(kept, known, len(stamps), step)
        shift = exact[-1] + last_step - times[0] if exact else Fraction(0)
        parts.append((times[0], times[-1] + step, shift))
        exact.extend(time + shift for time in times)
        mended += sum(a != b for a, b in zip(stamps, times, strict=True))
    whole, refine = _whole(exact)
    absent = sum(stamp is None for run in runs for stamp in run)
    return Timeline(whole, refine, mended, absent, tuple(parts))


def _usual(kept: Sequence[int], known: Sequence[int]) -> Fraction | None:
    """The median step from frame to frame; stamps may be some frames apart. None where there is only one."""
    places, times = pairwise(kept), pairwise(known)
    steps = [Fraction(after - time, b - a) for (a, b), (time, after) in zip(places, times, strict=True)]
    return median_low(steps) if steps else None


def _by_rank(run: Sequence[int | None]) -> list[int | None]:
    """The stamps that are there, sorted, in the places where there are any."""
    known = iter(sorted(stamp for stamp in run if stamp is not None))
    return [None if stamp is None else next(known) for stamp in run]


def _longest_rise(stamps: Sequence[int | None]) -> list[int]:
    """Places of the longest strictly rising row of stamps (Fredman 1975: a binary search a stamp)."""
    ends: list[int] = []
    end_places: list[int] = []
    before: list[int] = [-1] * len(stamps)
    for place, stamp in enumerate(stamps):
        if stamp is None:
            continue
        length = bisect_left(ends, stamp)
        if length < len(ends) and ends[length] == stamp:
            continue  # of two equal stamps the first is kept
        before[place] = end_places[length - 1] if length else -1
        if length == len(ends):
            ends.append(stamp)
            end_places.append(place)
        else:
            ends[length], end_places[length] = stamp, place
    row: list[int] = []
    place = end_places[-1] if end_places else -1
    while place >= 0:
        row.append(place)
        place = before[place]
    return row[::-1]


def _spread(kept: Sequence[int], known: Sequence[int], count: int, step: Fraction) -> list[Fraction]:
    """Times of all frames: those that are kept, evenly between them, and by ``step`` before and after them."""
    if not kept:
        return [place * step for place in range(count)]
    places = [*range(kept[0]), *kept, *range(kept[-1] + 1, count)]
    values = [
        *(known[0] - (kept[0] - place) * step for place in range(kept[0])),
        *map(Fraction, known),
        *(known[-1] + (place - kept[-1]) * step for place in range(kept[-1] + 1, count)),
    ]
    times: list[Fraction] = []
    for (place, value), (after, next_value) in pairwise(zip(places, values, strict=True)):
        times.extend(value + (next_value - value) * Fraction(i, after - place) for i in range(after - place))
    return [*times, values[-1]]


def _whole(exact: Sequence[Fraction]) -> tuple[NDArray[np.int64], int]:
    """Times as whole numbers of the coarsest tick in which they still rise, so far as 64 bits hold that."""
    refine = 1
    furthest = max((abs(time) for time in exact), default=Fraction(0))
    while any(round(b * refine) <= round(a * refine) for a, b in pairwise(exact)) and furthest * refine < _FURTHEST:
        refine *= 2
    times: list[int] = []
    for time in exact:
        times.append(max(round(time * refine), times[-1] + 1) if times else round(time * refine))
    return np.array(times, np.int64), refine
