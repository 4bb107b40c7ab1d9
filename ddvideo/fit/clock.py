"""Seconds spent, by what they were spent on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Clock"]

T = TypeVar("T")


class Clock:
    """Adds up wall-clock seconds under names."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._begun

    @contextmanager
    def count(self, name: str) -> Iterator[None]:
        """Count the block's seconds under ``name``."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Pass items on, and count the seconds that making each took."""
        stream = iter(items)
        end = object()
        while True:
            with self.count(name):
                item = next(stream, end)
            if item is end:
                return
            yield item  # type: ignore[misc]
