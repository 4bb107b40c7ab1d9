"""Where the fit of a reflection starts from: the scene's flow, the reflection's drift, and whether there is any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.motion.flow import to_grey
from ddvideo.motion.flow_chains import Flows, more_consistent, neighbour_flows, with_far_ones
from ddvideo.tasks.contract import Memory, Motion, Render, SeedsOf, Window
from ddvideo.tasks.separate.frame_pairs import scene_change, weighted_pairs
from ddvideo.tasks.separate.reflection_motion import drift, fine_detail, registered_mean

__all__ = [
    "FIT_PX",
    "OPTIONS",
    "ROUNDS",
    "SEEN_NOTHING",
    "State",
    "Unfitted",
    "fit_size",
    "measure_flow_again",
    "pictures_of",
    "seed",
    "where",
]

FIT_PX = 216
"""Longer side of the frames in the fit; the scene's detail is looked at in larger ones."""
_FAR = (2, 4, 8)
"""Frames so far apart are compared besides neighbours."""
_MARGIN = 0.5
"""The reflection's canvas reaches so far beyond the frame, in frames."""
ROUNDS = 3
"""Fits along the flow of the transmission; it is measured again before each but the first."""
_SHORTEST, _LEAST_WAY_PX = 8, 2.0
"""Frames in a row, and pixels across the scene, below which motion tells nothing."""
SEEN_NOTHING = "nothing is seen to move across the scene as a reflection does; it was left as it is"
_NOTHING_MOVES = (
    "nothing moves across the scene, so that motion does not tell what is reflected: "
    "the result is a guess by single frames"
)
_FAINTEST = 0.010
"""Change along the scene's flow, of 1, between the frames that are farthest apart, below which nothing reflects."""
OPTIONS = {"rounds": ROUNDS, "far": True, "learned_motion": True}
"""How often the flow is measured again, whether frames far apart are compared, whether the motion is learned."""


class Unfitted(Enum):
    """Why nothing is fitted to a window; the state of its seeds then."""

    NO_REFLECTION = auto()
    """There is none; or the frames are spread over a long shot, whose chunks are fitted each for itself."""
    NO_MOTION = auto()
    """Nothing moves across the scene: a reflection is guessed from single frames."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What is known of a window."""

    size: tuple[int, int]
    """Height and width in the fit."""
    detail: Flows
    """Between neighbours, by their fine detail alone."""
    gaps: tuple[int, ...]
    """How far apart the frames are that are compared besides neighbours."""
    rounds: int
    """So many fits along the transmission's flow are still to come."""


def seed(window: Window, memory: Memory | None, settings: Settings) -> SeedsOf[State | Unfitted]:
    """Frame pairs along the scene's flow, and the reflection's drift; nothing to fit where motion tells nothing.

    Raises:
        UsageError: the option ``rounds`` is out of range.
    """
    options = {**OPTIONS, **settings.options}
    if not 1 <= options["rounds"] <= ROUNDS:
        raise UsageError(f"separate: option rounds lies between 1 and {ROUNDS}, not at {options['rounds']}")
    count = len(window.indices)
    if settings.together or count == 1:
        return SeedsOf(is_enough=True, state=Unfitted.NO_MOTION)
    if window.indices[-1] - window.indices[0] >= count:
        return SeedsOf(is_enough=True, state=Unfitted.NO_REFLECTION)
    size = fit_size(window)
    detail = neighbour_flows([fine_detail(frame) for frame in window.frames], size)
    pictures = pictures_of(window, size)
    flows = _flows(pictures, detail, _FAR if options["far"] else ())
    speeds = drift(pictures, registered_mean(pictures, flows))
    pairs = weighted_pairs(pictures, flows)
    scene_moves = _relative_way(flows, np.zeros_like(speeds)) >= _LEAST_WAY_PX
    if options["far"] and scene_moves and scene_change(pictures, pairs) < _FAINTEST:
        return SeedsOf(is_enough=True, state=Unfitted.NO_REFLECTION, warnings=(f"{where(window)}: {SEEN_NOTHING}",))
    if count < _SHORTEST or _relative_way(flows, speeds) < _LEAST_WAY_PX:
        return SeedsOf(is_enough=True, state=Unfitted.NO_MOTION, warnings=(f"{where(window)}: {_NOTHING_MOVES}",))
    return SeedsOf(
        motions={"reflection": _motion(speeds, size, learned=options["learned_motion"])},
        pairs=pairs,
        state=State(size=size, detail=detail, gaps=_FAR if options["far"] else (), rounds=options["rounds"] - 1),
    )


def _relative_way(flows: Flows, speeds: FloatArray) -> float:
    """How far a layer with these speeds ``(T - 1, 2)`` gets from most of the scene, in pixels."""
    steps = [np.median(speed - flows[t, t + 1].reshape(-1, 2), axis=0) for t, speed in enumerate(speeds)]
    way = np.cumsum(np.stack(steps), 0)
    return float(np.hypot(*np.ptp(way, 0)))


def where(window: Window) -> str:
    """The window's frames, for a warning."""
    return f"frames {window.indices[0]} to {window.indices[-1]}"


def fit_size(window: Window) -> tuple[int, int]:
    """Height and width of the frames in the fit."""
    scale = min(1.0, FIT_PX / max(window.size))
    height, width = (max(round(side * scale), 2) for side in window.size)
    return height, width


def pictures_of(window: Window, size: tuple[int, int]) -> list[FloatArray]:
    """The window's frames at the given height and width, ``(h, w, 3)`` in [0, 1]."""
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


def measure_flow_again(window: Window, seeds: SeedsOf[State | Unfitted], render: Render) -> SeedsOf[State | Unfitted]:
    """Links along the flow of the transmission that has come out so far."""
    state = seeds.state
    if isinstance(state, Unfitted) or state.rounds == 0:
        return replace(seeds, is_enough=True)
    rendered = render(("reflection",), FIT_PX)
    scene = [
        picture - drawn["reflection"] for picture, drawn in zip(pictures_of(window, state.size), rendered, strict=True)
    ]
    flows = _flows(scene, state.detail, state.gaps)
    return replace(seeds, pairs=weighted_pairs(scene, flows), state=replace(state, rounds=state.rounds - 1))
