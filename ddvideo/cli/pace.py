"""What a progress event says, in words and in seconds left."""

from __future__ import annotations

from ddvideo.text import duration, printable
from ddvideo.types import ProgressEvent, Stage

__all__ = ["Pace", "WholePace", "label"]

STAGES: dict[Stage, str] = {
    "probe": "reading",
    "plan": "finding shots",
    "prior": "prior",
    "chunk": "fitting",
    "merge": "joining and encoding",
    "done": "done",
}


def label(event: ProgressEvent) -> str:
    """What is going on, in words: ``[3/9] fitting shot 1, chunk 2``; numbers from 0, as in the report."""
    parts = [
        f"{name} {number}" for name, number in (("shot", event.shot), ("chunk", event.chunk)) if number is not None
    ]
    place = f"[{min(event.jobs_done + 1, event.jobs)}/{event.jobs}] " if event.jobs > 1 else ""
    said = f": {printable(event.message)}" if event.message else ""
    return place + " ".join([STAGES.get(event.stage, event.stage), ", ".join(parts)]).rstrip() + said


class Pace:
    """Guesses the seconds left from how far the work has come; begins anew when it goes back."""

    def __init__(self) -> None:
        self._whole = self._first = self._last = self._since = 0.0

    def left(self, place: float, whole: float, now: float) -> float | None:
        """Tell the seconds from ``place`` to ``whole`` at the pace so far; None when nothing can be said."""
        if whole != self._whole or place < self._last:
            self._whole, self._first, self._since = whole, place, now
        self._last = place
        made = place - self._first
        return (now - self._since) / made * (whole - place) if made > 0 and whole > place else None


class WholePace:
    """The seconds left of all jobs, where the driver tells how many there are."""

    def __init__(self) -> None:
        self._pace = Pace()

    def left(self, event: ProgressEvent, now: float) -> str:
        """``", 3 min 05 s in all"``, or nothing where it cannot be told or there is one job only."""
        if event.jobs < 2:
            return ""
        within = event.done / event.total if event.total else 0.0
        seconds = self._pace.left(event.jobs_done + within, event.jobs, now)
        return "" if seconds is None else f", {duration(seconds)} in all"
