"""What passes between a task and the engine: frames that are fitted together, what is known of them, what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.types import Shot

__all__ = [
    "Codes",
    "Conclusion",
    "Footage",
    "Link",
    "Memory",
    "Motion",
    "Neighbourhood",
    "Observation",
    "Render",
    "Seeds",
    "Window",
]

Observation: TypeAlias = Mapping[str, AnyArray]
"""What one frame tells. The engine reads ``flow`` ``(h, w, 2)`` (to the next frame, in pixels of the working
size) and its ``confidence`` ``(h, w)`` in [0, 1] (1 without) where they are there, at any size; all else is the task's
own."""

Memory: TypeAlias = Mapping[str, AnyArray]
"""What is decided once for a shot and handed to its chunks."""

Render: TypeAlias = Callable[[Sequence[str], int], Iterator[Mapping[str, FloatArray]]]
"""``render(layers, size_px)``: the fitted layers of every frame of the window, ``(h, w, C)`` in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """A frame and those around it in its shot, at working size; ``frames[0]`` is the frame itself."""

    index: int
    frames: Mapping[int, ByteArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """Where the frames of a window lie on a layer's canvas."""

    matrices: FloatArray
    """``(T, 3, 3)``: frame, in [-1, 1], to the canvas plane, in units of half a frame."""
    bounds: FloatArray
    """``(4,)``: x0, y0, x1, y1 of the canvas on that plane; points beyond take the value at its edge."""
    learned: bool = False
    """Whether it is corrected by a similarity a frame, which is fitted with the layers that move so."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Frames of one shot that are fitted together."""

    shot: Shot
    indices: tuple[int, ...]
    """Absolute, ascending; not always neighbours (a prior sees frames spread over its shot)."""
    frames: Sequence[ByteArray]
    """``(h, w, 3)`` RGB at working size."""
    observations: Sequence[Observation]
    camera: Motion
    """The way of the camera: frames to one plane of the scene."""
    full_size: tuple[int, int]
    """Height and width of the input."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        height, width = self.frames[0].shape[:2]
        return height, width


@dataclass(frozen=True, kw_only=True, eq=False)
class Codes:
    """What region generators decode: a vector a superpixel."""

    vectors: Sequence[FloatArray]
    """Per frame ``(n_t, D)``."""
    labels: Sequence[AnyArray]
    """Per frame ``(h, w)``, 0 to ``n_t - 1``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """Two frames that a fit compares, and where a layer's points of the one lie in the other."""

    first: int
    second: int
    """Rows of the window."""
    flow: AnyArray
    """``(h, w, 2)`` from the first to the second, in pixels of its own size, which all links share."""
    weight: AnyArray
    """``(h, w)``, at least 0: how far to believe that."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seeds:
    """Where a fit starts from."""

    targets: Mapping[str, Iterable[FloatArray]] = field(default_factory=dict)
    """Maps ``(h, w)``, one a frame, that terms compare with; looked through once a phase."""
    motions: Mapping[str, Motion] = field(default_factory=dict)
    """Of layers that move neither with the frame nor with the camera, by the name that the layers use."""
    codes: Codes | None = None
    links: Sequence[Link] = ()
    """Pairs of frames, near and far, that phases draw from; without any, neighbours along the observed flow."""
    state: Any = None
    """The task's own, from ``seed`` through ``reseed`` to ``conclude``."""
    is_enough: bool = False
    """Whether there is nothing for the generators to add: they are not fitted then, or no further."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Conclusion:
    """What a window came to, at working size."""

    maps: Mapping[str, AnyArray]
    """``(T, h, w)`` or ``(T, h, w, C)`` float16."""
    memory: Memory = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Footage:
    """A chunk at the input's own size, and what its fit came to."""

    frames: Sequence[AnyArray]
    """``(H, W, 3)`` uint8 or uint16."""
    small: Sequence[ByteArray]
    """``(h, w, 3)`` at working size."""
    camera: FloatArray
    """``(T, 3, 3)``: frames to one plane of the scene, in [-1, 1] over the frame."""
    maps: Mapping[str, AnyArray]
    """What the window's conclusion has to say of these frames."""
    drawn: Mapping[str, AnyArray]
    """Fitted layers, ``(T, h, w, C)`` uint8, no larger than working size; empty without a fit."""
    threads: int
    """Frames that may be worked on at once."""
    memory: Memory = field(default_factory=dict)
    """What was decided for the whole shot."""
