"""Progress on standard error: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

from ddvideo.cli.pace import Pace, WholePace, label
from ddvideo.text import duration
from ddvideo.types import ProgressEvent, Stage

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Reporter", "make_reporter"]

PLAIN_SECONDS, STEP_SECONDS = 15.0, 2.0


class Reporter:
    """Takes progress events; a context manager that leaves the terminal as it was. This one shows nothing."""

    def __call__(self, event: ProgressEvent) -> None:
        """Show an event."""

    def close(self) -> None:
        """Take away what would be in the way of a message."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish."""
        self.close()


def make_reporter(*, quiet: bool, stream: TextIO | None = None) -> Reporter:
    """The reporter that fits: none when quiet, bars on a terminal, plain lines into a file or pipe."""
    stream = stream or sys.stderr
    if quiet:
        return Reporter()
    steady = cast(TextIO, _Steady(stream))
    return _Bars(steady) if stream.isatty() and os.environ.get("TERM", "") != "dumb" else _Lines(steady)


class _Lines(Reporter):
    """A line when something new begins, and one every ``PLAIN_SECONDS`` while it lasts. No control characters."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._key: tuple[object, ...] = ()
        self._stage: Stage | None = None
        self._told = 0.0
        self._pace, self._whole = Pace(), WholePace()

    def __call__(self, event: ProgressEvent) -> None:
        now, key = self._clock(), (event.stage, event.shot, event.chunk)
        if event.stage == "done":
            return
        is_new, is_new_stage = key != self._key, event.stage != self._stage
        self._key, self._stage = key, event.stage
        if is_new:
            self._pace = Pace()
        state = self._state(event, now)
        if is_new and (is_new_stage or now - self._told >= STEP_SECONDS):
            self._tell(label(event), now)
        elif now - self._told >= PLAIN_SECONDS:
            self._tell(f"{label(event)}: {state}", now)

    def _state(self, event: ProgressEvent, now: float) -> str:
        parts = [f"{event.done} of {event.total}" if event.total else f"{event.done}"]
        if event.loss is not None:
            parts.append(f"loss {event.loss:.4g}")
        seconds = self._pace.left(event.done, event.total, now)
        if seconds is not None:
            parts.append(f"{duration(seconds)} left")
        return ", ".join(parts) + self._whole.left(event, now)

    def _tell(self, text: str, now: float) -> None:
        self._told = now
        self._stream.write(f"ddvideo: {text}\n")
        self._stream.flush()


class _Bars(Reporter):
    """One bar at a time, for what is going on now; it goes away when the next thing begins."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._key: tuple[object, ...] = ()
        self._bar: tqdm[Any] | None = None
        self._whole = WholePace()

    def __call__(self, event: ProgressEvent) -> None:
        key = (event.stage, event.shot, event.chunk, event.total > 0)
        if key != self._key or self._bar is None:
            self.close()
            self._key = key
            if event.stage == "done":
                return
            self._bar = self._begin(event)
        bar = self._bar
        bar.total = event.total or None
        bar.set_description_str(label(event), refresh=False)
        loss = f"loss {event.loss:.4g}" if event.loss is not None else ""
        bar.set_postfix_str((loss + self._whole.left(event, time.monotonic())).removeprefix(", "), refresh=False)
        if event.done < bar.n:
            # Another phase or another try begins.
            bar.reset(total=bar.total)
        bar.update(event.done - bar.n)

    def _begin(self, event: ProgressEvent) -> tqdm[Any]:
        from tqdm import tqdm

        known = "{desc} {bar} {n_fmt}/{total_fmt}, {remaining} left{postfix}"
        width = self._width()
        return tqdm(
            desc=label(event),
            total=event.total or None,
            initial=event.done,
            file=self._stream,
            leave=False,
            dynamic_ncols=width > 0,
            ncols=None if width else 80,
            bar_format=known if event.total else "{desc} {n_fmt} {elapsed}",
        )

    def _width(self) -> int:
        """Columns of the terminal; 0 where it does not tell, as in some containers (tqdm would draw nothing then)."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Steady:
    """A text stream that goes silent when it breaks: a reader of the progress who leaves must not stop the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
