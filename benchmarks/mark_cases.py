"""Which marks, and how strong, are laid over which clips and pictures: fixed, whatever part of them is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["OPAQUE", "STILLS", "TRANSLUCENT", "Case", "in_threes", "translucent_cases"]

T = TypeVar("T")
Case = tuple[str, float]
"""A kind of mark, and its strength."""

TRANSLUCENT: tuple[Case, ...] = (
    ("measured", 0.6),
    ("text", 0.3),
    ("logo", 0.5),
    ("thin", 0.5),
    ("measured", 1.0),
    ("text", 0.6),
    ("logo", 0.8),
)
"""In an order in which two neighbours, and the last and the first, are of different kinds."""
OPAQUE: tuple[Case, ...] = (("badge", 1.0), ("thin", 1.0))
STILLS: tuple[Case, ...] = (("measured", 1.0), ("text", 0.5), ("logo", 0.6), ("thin", 0.7))
A_CLIP = 2


def translucent_cases(names: Sequence[str]) -> dict[str, tuple[Case, ...]]:
    """Two cases for every sequence of a data folder, in turn: of seven sequences, every case has two.

    Asked for a part of the sequences, take it from the answer for all.
    """
    count = len(TRANSLUCENT)
    return {
        name: tuple(TRANSLUCENT[(A_CLIP * index + offset) % count] for offset in range(A_CLIP))
        for index, name in enumerate(sorted(names))
    }


def in_threes(items: Sequence[T]) -> list[tuple[T, T, T]]:
    """Three different items each, so that all of three or more are used; the last may begin again at the first."""
    count = len(items)
    return [(items[start], items[(start + 1) % count], items[(start + 2) % count]) for start in range(0, count, 3)]
