"""What a task is, and what passes between it and the engine: plain data, so that the engine knows no task by name.

A :class:`TaskOf` names its layers, its forward model, and phases of weighted terms. The engine shows it a
:class:`Window` of frames; the task answers with :class:`SeedsOf` to fit from and, after the fit, a :class:`Conclusion`;
it brings the chunk's :class:`Footage` to full size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.config import Settings
from ddvideo.types import Shot

__all__ = [
    "Codes",
    "Conclusion",
    "Footage",
    "FramePair",
    "Layer",
    "Layers",
    "Memory",
    "Motion",
    "Neighbourhood",
    "Observation",
    "Phase",
    "PhaseOf",
    "Render",
    "Seeds",
    "SeedsOf",
    "Task",
    "TaskOf",
    "Term",
    "Window",
]

State = TypeVar("State")
"""What a task keeps between its functions; each task has its own type of it."""

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
class FramePair:
    """Two frames that a fit compares, and where a layer's points of the one lie in the other."""

    first: int
    second: int
    """Rows of the window."""
    flow: AnyArray
    """``(h, w, 2)`` from the first to the second, in pixels of its own size, which all pairs share."""
    weight: AnyArray
    """``(h, w)``, at least 0: how far to believe that."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedsOf(Generic[State]):
    """Where a fit starts from."""

    targets: Mapping[str, Iterable[FloatArray]] = field(default_factory=dict)
    """Maps ``(h, w)``, one a frame, that terms compare with; looked through once a phase."""
    motions: Mapping[str, Motion] = field(default_factory=dict)
    """Of layers that move neither with the frame nor with the camera, by the name that the layers use."""
    codes: Codes | None = None
    pairs: Sequence[FramePair] = ()
    """Pairs of frames, near and far, that phases draw from; without any, neighbours along the observed flow."""
    state: State
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


Layers: TypeAlias = Mapping[str, Any]
GeneratorKind = Literal["grid", "pyramid", "hourglass", "region", "constant"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One picture that a frame is made of, and the generator that draws it."""

    name: str
    channels: int
    spatial: bool = True
    """False for a layer without extent, such as an airlight: ``(1, 1, C)``."""
    generator: GeneratorKind | None = "grid"
    """None for a layer that ``finish`` computes from the picture and the other layers."""
    motion: str = "still"
    """Which of the seeds' motions leads from a frame to its canvas; ``still`` and ``camera`` are always there."""
    signed: bool = False
    """Whether its values are what the generator says, around 0; else they are brought into [0, 1]."""
    canvas_px: int = 144
    """Width of one frame on the canvas, in canvas pixels."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the generator."""
    may_vanish: bool = True
    """Whether all 0 or all 1 is a possible answer; if not, a fit that ends there is started once more."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One part of a phase's loss: which (a name of ``ddvideo.fit.terms.TERMS``), how much, and on what."""

    name: str
    weight: float
    layers: tuple[str, ...] = ()
    """The layers it looks at; a reconstruction without any looks at the forward model of all."""
    target: str | None = None
    """Which of the seeds' targets it compares with, or is weighted by."""
    trust: str | None = None
    """Which of the seeds' targets says how far to believe the other one."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PhaseOf(Generic[State]):
    """A stretch of the fit with fixed terms and size."""

    name: str
    steps: int
    """At most so many; the fit goes on to the next phase once loss and layers have settled."""
    terms: tuple[Term, ...]
    layers: tuple[str, ...]
    """The layers that are drawn; all of them are trained."""
    size_px: int
    """Longer side of the frames that are looked at."""
    pairs: int = 8
    """Pairs of neighbouring frames in a step."""
    points: int = 512
    """Points looked at in each frame; 0: a raster over the whole frame, as terms with spatial derivatives need it."""
    octaves: tuple[int, ...] = ()
    """Which of the layers' grids are trained, counted from the coarsest; all of them if none is named."""
    rate: float = 5e-3
    grid_rate: float = 2e-2
    reseed: Callable[[Window, SeedsOf[State], Render], SeedsOf[State]] | None = None
    """What the phase's end tells the seeds of the next one."""


@dataclass(frozen=True, kw_only=True)
class TaskOf(Generic[State]):
    """Layers, forward model, seeds, phases, and the way back to full resolution."""

    name: str
    layers: tuple[Layer, ...]
    main: str
    """The layer that carries the sound and goes to the next stage of a recipe."""
    forward: Callable[[Layers], Any]
    """Layers to picture, on arrays ``(H, W, C)`` and on tensors ``(B, C, h, w)``."""
    settle: Callable[[FloatArray, Layers], Mapping[str, FloatArray]]
    """Share out what the layers of a frame lack to the picture, so that they recompose."""
    observe: Callable[[Neighbourhood, Settings], Observation]
    """What one frame and those around it tell; depends on nothing else, so that frames can be observed in any order."""
    seed: Callable[[Window, Memory | None, Settings], SeedsOf[State]]
    phases: tuple[PhaseOf[State], ...]
    conclude: Callable[[Window, SeedsOf[State], Render | None, Memory | None], Conclusion]
    """Maps at working size from the fitted layers (without a fit, from the seeds), and what a shot's chunks share."""
    finish: Callable[[Footage], Iterator[Mapping[str, FloatArray]]]
    """Layers at the input's own size, frame by frame, settled."""
    derive: Callable[[Any, Layers], Layers] | None = None
    """Layers without a generator that terms look at, from the frame and the drawn ones, as tensors ``(B, C, h, w)``."""
    shares_weights: bool = True
    """Whether the chunks of a long shot start from the weights of its prior; if not, each is fitted by itself."""
    drawn: tuple[str, ...] = ()
    """Fitted layers that ``finish`` wants."""
    drawn_px: int = 432
    """Their longer side, at most; they are never larger than working size."""
    offsets: tuple[int, ...] = (-4, -2, -1, 1, 2, 4)
    """Frames around one that ``observe`` is shown."""
    key_run: int = 2
    """Neighbours in a row among the frames that a long shot's prior sees."""
    also_keys: Callable[[Shot, Settings], Sequence[int]] | None = None
    """Frames of a shot that its prior has to see besides those spread over it."""
    steady: str | None = None
    """The layer whose flicker is measured and reported; none where the forward model says all there is to say."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that a recipe may set, with their defaults. ``coupled`` false leaves the seeds as they are; ``effort``
    multiplies the steps of every phase."""


Seeds: TypeAlias = SeedsOf[Any]
Phase: TypeAlias = PhaseOf[Any]
Task: TypeAlias = TaskOf[Any]
"""As the engine sees them, which hands a task's state on and never looks into it."""
