"""Dehaze as data: radiance, transmission map and airlight of a shot.

The darkest channel of a patch bounds its transmission from below. One smooth map a shot is fitted to the upper envelope
of these bounds, so that light things are not taken for haze. Airlight and map are decided for a whole shot. The
radiance follows from both: a generator for it, fitted together with them, would explain any map as well as the right
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.compositing import haze, settle_haze
from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.motion.flow import consistency, dense_flow, to_grey
from ddvideo.motion.temporal_filter import FLOWS, ObservedFlows, temporal_filter
from ddvideo.tasks.contract import (
    Conclusion,
    Layer,
    Memory,
    Neighbourhood,
    Observation,
    PhaseOf,
    Render,
    SeedsOf,
    TaskOf,
    Term,
    Window,
)
from ddvideo.tasks.dehaze.dark_channel import (
    Box,
    black_share,
    least_transmission,
    opaque_colour,
    patch_minimum,
    picture_box,
)
from ddvideo.tasks.dehaze.full_size import FLOOR, finish

__all__ = ["DEHAZE"]

_TELLING, _CALM_PX = 0.06, 15
"""A patch that differs less from the airlight than this holds nothing to be brought out."""
_CALM_MOST = 0.5
_MEMORY, _TRUST = 0.9, 0.6
"""How steady the map is over time."""
_BLACK_SHARE = (0.08, 0.2)
"""Where something black is seen in a smaller share of the picture, it is hazed; in a larger one it is not."""
_DENSE = 0.55
"""Without a part so densely hazed, the airlight is an extrapolation."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What is known of a window before its fit."""

    size: tuple[int, int]
    """Height and width of the frames."""
    box: Box
    """Where the picture is, without the bars of a letterbox."""
    minima: list[ByteArray]
    """Patch minima of the picture, ``(h, w, 3)``."""
    airlight: FloatArray
    """``(3,)`` in [0, 1]."""
    strength: float
    """How far the shot is taken to be hazed at all, in [0, 1]."""
    is_given: bool
    """Whether the user told the airlight."""


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    greys = {offset: to_grey(frame) for offset, frame in around.frames.items()}
    height, width = greys[0].shape
    half = (max(width // 2, 1), max(height // 2, 1))
    seen = {}
    for offset, name in FLOWS.items():
        if offset in greys:
            flow = dense_flow(greys[0], greys[offset])
            seen[name] = cv2.resize(flow, half, interpolation=cv2.INTER_AREA).astype(np.float16)
            if offset == 1:
                trust = consistency(flow, dense_flow(greys[1], greys[0]))
                seen["confidence"] = cv2.resize(trust, half, interpolation=cv2.INTER_AREA).astype(np.float16)
    return seen


def _seed(window: Window, memory: Memory | None, settings: Settings) -> SeedsOf[State]:
    box = picture_box(window.frames) if memory is None else _box(memory["box"])
    top, bottom, left, right = box
    pictures = [frame[top:bottom, left:right] for frame in window.frames]
    minima = [patch_minimum(picture) for picture in pictures]
    given = _given_airlight(settings)
    warnings: list[str] = []
    if memory is not None:
        airlight, strength = memory["airlight"], float(memory["strength"])
    elif given is not None:
        airlight, strength = given, 1.0
    else:
        airlight = opaque_colour(pictures, minima)
        low, high = _BLACK_SHARE
        strength = float(np.clip((high - black_share(pictures)) / (high - low), 0, 1))
        if strength < 1:
            fate = "it was left as it is" if strength == 0 else "little was taken away"
            warnings.append(
                f"{_where(window)}: black is seen all over the picture, so that hardly any haze lies over it: {fate}; "
                "tell the airlight (--airlight R,G,B) to dehaze it all the same"
            )
    state = State(
        size=window.size, box=box, minima=minima, airlight=airlight, strength=strength, is_given=given is not None
    )
    return SeedsOf(targets={"bound": _Bounds(state)}, state=state, warnings=tuple(warnings))


def _given_airlight(settings: Settings) -> FloatArray | None:
    """The option ``airlight``, checked.

    Raises:
        UsageError: it is not three numbers in [0, 1], or black.
    """
    given = settings.options.get("airlight")
    if not given:
        return None
    numbers = len(given) == 3 and all(isinstance(part, int | float) and 0 <= part <= 1 for part in given)
    if not numbers or max(given) < 1 / 255:
        raise UsageError(f"dehaze: option airlight is three numbers from 0 to 1, not all 0, and not {given}")
    return np.array(given, np.float32)


def _box(numbers: AnyArray) -> Box:
    top, bottom, left, right = (int(number) for number in numbers)
    return top, bottom, left, right


def _where(window: Window) -> str:
    return f"frames {window.shot.start} to {window.shot.stop - 1}"


class _Bounds:
    """The lower bounds of a window's transmission, computed when they are looked at."""

    def __init__(self, state: State) -> None:
        self._state = state

    def __iter__(self) -> Iterator[FloatArray]:
        (height, width), (top, bottom, left, right) = self._state.size, self._state.box
        around = (top, height - bottom, left, width - right)
        for minimum in self._state.minima:
            bound = least_transmission(minimum, self._state.airlight)
            # Bars are as their picture's edge: they must not draw the map towards them.
            yield np.asarray(cv2.copyMakeBorder(bound, *around, borderType=cv2.BORDER_REPLICATE), np.float32)


def _conclude(window: Window, seeds: SeedsOf[State], render: Render | None, memory: Memory | None) -> Conclusion:
    """The fitted map, and above it where a patch shows that more comes through; steady along the motion."""
    state = seeds.state
    maps = list(_Bounds(state))
    if render is not None:
        for t, drawn in enumerate(render(("transmission_map",), max(window.size))):
            maps[t] = np.maximum(maps[t], drawn["transmission_map"][..., 0])
    warnings = list(seeds.warnings)
    densest = 1 - min(float(np.quantile(through, 0.01)) for through in maps)
    if memory is None and not state.is_given and state.strength > 0 and densest < _DENSE:
        warnings.append(
            f"{_where(window)}: nothing is densely hazed, so that the airlight is uncertain; --airlight R,G,B tells it"
        )
    maps = [_calm(through, frame, state.airlight) for through, frame in zip(maps, window.frames, strict=True)]
    back, ahead = (ObservedFlows(window, step) for step in (-1, 1))
    through = 1 - np.float32(state.strength) * (1 - temporal_filter(maps, back, ahead, memory=_MEMORY, trust=_TRUST))
    airlight = np.broadcast_to(state.airlight.astype(np.float16), (len(maps), 1, 1, 3))
    return Conclusion(
        maps={"transmission_map": through.astype(np.float16), "airlight": airlight},
        memory={
            "airlight": state.airlight,
            "strength": np.array(state.strength, np.float32),
            "box": np.array(state.box, np.int64),
        },
        warnings=tuple(warnings),
    )


def _calm(through: FloatArray, frame: ByteArray, airlight: FloatArray) -> FloatArray:
    """Leave what can hardly be told from the airlight, such as a clear sky, as it is: dividing would show its noise.

    Skies need such a tolerance under the dark channel prior; that a whole patch decides is this project's.
    """
    away = np.abs(frame.astype(np.float32) / np.float32(255) - airlight).max(2)
    contrast = cv2.blur(away, (_CALM_PX, _CALM_PX))
    lifted = np.maximum(through, FLOOR) * np.maximum(_TELLING / np.maximum(contrast, 1e-3), 1)
    return np.asarray(np.maximum(through, np.minimum(lifted, _CALM_MOST)), np.float32)


DEHAZE = TaskOf[State](
    name="dehaze",
    layers=(
        Layer(name="radiance", channels=3, generator=None),
        Layer(name="transmission_map", channels=1, canvas_px=144, options={"cells_px": (144,)}),
        Layer(name="airlight", channels=3, spatial=False, generator=None),
    ),
    main="radiance",
    forward=haze,
    settle=settle_haze,
    observe=_observe,
    seed=_seed,
    phases=(
        PhaseOf[State](
            name="map",
            steps=300,
            terms=(
                Term(
                    name="envelope",
                    weight=1.0,
                    layers=("transmission_map",),
                    target="bound",
                    options={"quantile": 0.75},
                ),
                Term(name="coherence", weight=0.1, layers=("transmission_map",)),
            ),
            layers=("transmission_map",),
            size_px=144,
            rate=1e-2,
        ),
    ),
    conclude=_conclude,
    finish=finish,
    offsets=(-1, 1),
    options={"airlight": []},
)
