"""Separate: the scene behind a pane and what the pane reflects, told apart by how they move.

The reflection is a generator on its own canvas, seen through a smooth motion of its own; the transmission is what it
leaves of the picture, and has to meet itself along its flow, between frames near and far. As the reflection comes
apart, that flow is measured again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.compositing import additive, settle_additive
from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.motion.flow import to_grey
from ddvideo.motion.flow_chains import Flows, more_consistent, neighbour_flows, with_far_ones
from ddvideo.tasks.contract import (
    Conclusion,
    Footage,
    Layer,
    Layers,
    Memory,
    Motion,
    Neighbourhood,
    Observation,
    Phase,
    Render,
    Seeds,
    Task,
    Term,
    Window,
)
from ddvideo.tasks.separate.frame_pairs import SOFTNESS, changed, linked, told_apart, unexplained
from ddvideo.tasks.separate.reflection_motion import drift, fine_detail, registered_mean
from ddvideo.tasks.separate.still_reflection import still_reflection

__all__ = ["SEPARATE"]

_FIT_PX = 216
"""Longer side of the frames in the fit; the scene's detail is looked at in larger ones."""
_FAR = (2, 4, 8)
"""Frames so far apart are compared besides neighbours."""
_MARGIN = 0.5
"""The reflection's canvas reaches so far beyond the frame, in frames."""
_DARK = 0.005
"""So small a share of a reflection is darker than nothing."""
_ROUNDS = 3
_SHORTEST, _LEAST_WAY_PX = 8, 2.0
"""Frames in a row, and pixels across the scene, below which motion tells nothing."""
_UNEXPLAINED = (0.88, 0.91), (1.0, 0.0)
"""Share of the changes along the scene's flow that a reflection does not explain, and how far it is believed then."""
_TOLD_APART = (0.77, 0.83), (0.1, 0.3)
"""The same, and how much it has to change along that flow."""
_NO_REFLECTION = "nothing is seen to move across the scene as a reflection does; it was left as it is"
_HARDLY_A_REFLECTION = "little speaks for a reflection; only a part of it was taken away"
_NOTHING_MOVES = (
    "nothing moves across the scene, so that motion does not tell what is reflected: "
    "the result is a guess by single frames"
)
_NOTHING = "nothing"
"""State of frames without a reflection; and of those spread over a long shot, which are too far apart to be fitted: its
chunks are, each for itself."""
_FAINTEST = 0.010
"""Change along the scene's flow, of 1, between the frames that are farthest apart, below which nothing reflects."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """What is known of a window."""

    size: tuple[int, int]
    """Height and width in the fit."""
    detail: Flows
    """Between neighbours, by their fine detail alone."""
    gaps: tuple[int, ...]
    """How far apart the frames are that are compared besides neighbours."""
    rounds: int
    """So many fits along the transmission's flow are still to come."""


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    return {}


def _seed(window: Window, memory: Memory | None, settings: Settings) -> Seeds:
    options = {**SEPARATE.options, **settings.options}
    if not 1 <= options["rounds"] <= _ROUNDS:
        raise UsageError(f"separate: option rounds lies between 1 and {_ROUNDS}, not at {options['rounds']}")
    count = len(window.indices)
    if settings.together or count == 1:
        return Seeds(is_enough=True)
    if window.indices[-1] - window.indices[0] >= count:
        return Seeds(is_enough=True, state=_NOTHING)
    size = _fit_size(window)
    detail = neighbour_flows([fine_detail(frame) for frame in window.frames], size)
    pictures = _pictures(window, size)
    flows = _flows(pictures, detail, _FAR if options["far"] else ())
    speeds = drift(pictures, registered_mean(pictures, flows))
    links = linked(pictures, flows)
    scene_moves = _relative_way(flows, np.zeros_like(speeds)) >= _LEAST_WAY_PX
    if options["far"] and scene_moves and changed(pictures, links) < _FAINTEST:
        return Seeds(is_enough=True, state=_NOTHING, warnings=(f"{_where(window)}: {_NO_REFLECTION}",))
    if count < _SHORTEST or _relative_way(flows, speeds) < _LEAST_WAY_PX:
        return Seeds(is_enough=True, warnings=(f"{_where(window)}: {_NOTHING_MOVES}",))
    return Seeds(
        motions={"reflection": _motion(speeds, size, learned=options["learned_motion"])},
        links=links,
        state=_State(size=size, detail=detail, gaps=_FAR if options["far"] else (), rounds=options["rounds"] - 1),
    )


def _relative_way(flows: Flows, speeds: FloatArray) -> float:
    """How far a layer with these speeds ``(T - 1, 2)`` gets from most of the scene, in pixels."""
    steps = [np.median(speed - flows[t, t + 1].reshape(-1, 2), axis=0) for t, speed in enumerate(speeds)]
    way = np.cumsum(np.stack(steps), 0)
    return float(np.hypot(*np.ptp(way, 0)))


def _where(window: Window) -> str:
    return f"frames {window.indices[0]} to {window.indices[-1]}"


def _fit_size(window: Window) -> tuple[int, int]:
    scale = min(1.0, _FIT_PX / max(window.size))
    height, width = (max(round(side * scale), 2) for side in window.size)
    return height, width


def _pictures(window: Window, size: tuple[int, int]) -> list[FloatArray]:
    small = (cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA) for frame in window.frames)
    return [np.asarray(frame, np.float32) / np.float32(255) for frame in small]


def _flows(scene: Sequence[FloatArray], detail: Flows, gaps: Sequence[int]) -> Flows:
    """Of the scene, as far as it is known, or of its detail: whichever tells one story both ways."""
    greys = [to_grey(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)) for picture in scene]
    return with_far_ones(more_consistent(neighbour_flows(greys), detail), len(greys), gaps)


def _motion(speeds: FloatArray, size: tuple[int, int], *, learned: bool) -> Motion:
    """Frames to the reflection's canvas, which lies where the middle frame sees it."""
    height, width = size
    way = np.concatenate([np.zeros((1, 2), np.float32), np.cumsum(speeds, 0)])
    way -= way[len(way) // 2]
    matrices = np.broadcast_to(np.eye(3, dtype=np.float32), (len(way), 3, 3)).copy()
    matrices[:, :2, 2] = -way / np.array([width / 2, height / 2], np.float32)
    reach = 1 + 2 * _MARGIN
    return Motion(matrices=matrices, bounds=np.array([-reach, -reach, reach, reach], np.float32), learned=learned)


def _derive(frame: FloatArray, drawn: Layers) -> Layers:
    return {"transmission": frame - drawn["reflection"]}


def _again(window: Window, seeds: Seeds, render: Render) -> Seeds:
    """Links along the flow of the transmission that has come out so far."""
    state: _State = seeds.state
    if state.rounds == 0:
        return replace(seeds, is_enough=True)
    rendered = render(("reflection",), _FIT_PX)
    scene = [
        picture - drawn["reflection"] for picture, drawn in zip(_pictures(window, state.size), rendered, strict=True)
    ]
    flows = _flows(scene, state.detail, state.gaps)
    return replace(seeds, links=linked(scene, flows), state=replace(state, rounds=state.rounds - 1))


def _conclude(window: Window, seeds: Seeds, render: Render | None, memory: Memory | None) -> Conclusion:
    warnings = list(seeds.warnings)
    if render is not None:
        drawn = np.stack([frame["reflection"] for frame in render(("reflection",), _FIT_PX)])
        # Differences tell a reflection up to one colour: it is dark somewhere.
        drawn -= np.quantile(drawn.reshape(-1, 3), _DARK, axis=0).astype(np.float32)
        trust = _trust(
            unexplained(_pictures(window, drawn.shape[1:3]), drawn, seeds.links), told_apart(drawn, seeds.links)
        )
        drawn *= np.float32(trust)
        if trust < 1:
            warnings.append(f"{_where(window)}: {_NO_REFLECTION if trust == 0 else _HARDLY_A_REFLECTION}")
    elif seeds.state is _NOTHING:
        drawn = np.zeros((len(window.indices), *_fit_size(window), 3), np.float32)
    else:
        drawn = np.stack([still_reflection(picture) for picture in _pictures(window, _fit_size(window))])
    return Conclusion(maps={"reflection": drawn.astype(np.float16)}, warnings=tuple(warnings))


def _trust(left: float, apart: float) -> float:
    """How far a fitted reflection is believed, in [0, 1]: the less it explains, the more it has to move on its own.

    Args:
        left: share of the changes along the scene's flow that it does not explain.
        apart: how much it changes along that flow.
    """
    needed = float(np.interp(left, *_TOLD_APART))
    return float(np.interp(left, *_UNEXPLAINED) * np.interp(apart, (0.9 * needed, 1.1 * needed), (0, 1)))


def _finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """The reflection at full size, and the transmission as what it leaves: all fine detail is the scene's."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    for full, small in zip(footage.frames, footage.maps["reflection"], strict=True):
        frame = full.astype(np.float32) * scale
        size = frame.shape[1], frame.shape[0]
        reflection = cv2.resize(small.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
        reflection = np.clip(reflection, 0, frame)
        yield settle_additive(frame, {"transmission": frame - reflection, "reflection": reflection})


_MEETS = Term(name="coherence", weight=1.0, layers=("transmission",), options={"softness": SOFTNESS})
_FAINT = Term(name="energy", weight=0.03, layers=("reflection",))
_ROUND = Phase(
    name="round",
    steps=200,
    terms=(_MEETS, _FAINT),
    layers=("reflection",),
    size_px=_FIT_PX,
    pairs=16,
    points=1536,
    rate=1.5e-3,
    grid_rate=1e-2,
)

SEPARATE = Task(
    name="separate",
    layers=(
        Layer(name="transmission", channels=3, generator=None),
        Layer(
            name="reflection",
            channels=3,
            generator="pyramid",
            motion="reflection",
            signed=True,
            canvas_px=_FIT_PX,
        ),
    ),
    main="transmission",
    forward=additive,
    settle=settle_additive,
    observe=_observe,
    seed=_seed,
    phases=(
        replace(_ROUND, name="motion", steps=250, terms=(_MEETS,), octaves=(3, 4, 5), rate=2.5e-3, reseed=None),
        *(replace(_ROUND, name=f"round {n}", reseed=_again if n < _ROUNDS else None) for n in range(1, _ROUNDS + 1)),
    ),
    conclude=_conclude,
    finish=_finish,
    derive=_derive,
    shares_weights=False,
    offsets=(),
    options={"rounds": _ROUNDS, "far": True, "learned_motion": True},
)
