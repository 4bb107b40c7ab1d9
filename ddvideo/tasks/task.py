"""What a task is: data for the engine, which knows no task by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ddvideo.arrays import FloatArray
from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.tasks.window import Conclusion, Footage, Memory, Neighbourhood, Observation, Render, Seeds, Window
from ddvideo.types import Shot

__all__ = ["Layer", "Layers", "Phase", "Task", "Term", "check_options"]

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
class Phase:
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
    reseed: Callable[[Window, Seeds, Render], Seeds] | None = None
    """What the phase's end tells the seeds of the next one."""


@dataclass(frozen=True, kw_only=True)
class Task:
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
    seed: Callable[[Window, Memory | None, Settings], Seeds]
    phases: tuple[Phase, ...]
    conclude: Callable[[Window, Seeds, Render | None, Memory | None], Conclusion]
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


def check_options(task: Task, settings: Settings) -> dict[str, Any]:
    """The task's options with what the settings change.

    Raises:
        UsageError: an unknown option (with the nearest right one) or one of the wrong type.
    """
    known = {"coupled": True, "effort": 1.0} | dict(task.options)
    for name, value in settings.options.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(known)})"
            raise UsageError(f"{task.name} has no option {name!r}{hint}")
        wanted = type(known[name])
        if not (type(value) is wanted or (wanted is float and type(value) is int)):
            raise UsageError(f"{task.name}: option {name} is a {wanted.__name__}, not {value!r}")
    chosen = known | dict(settings.options)
    if not 0 < chosen["effort"] <= 100:
        raise UsageError(f"{task.name}: option effort must lie above 0 and at most at 100, not {chosen['effort']}")
    return chosen
