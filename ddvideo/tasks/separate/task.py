"""Separate as data: the scene behind a pane, and what the pane reflects, told apart by how they move.

The reflection is drawn by a generator on its own canvas, seen through a smooth motion of its own. The transmission is
the picture less the reflection; along its flow it has to look the same in frames near and far. As the reflection comes
apart from the scene, that flow is measured again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.compositing import additive, settle_additive
from ddvideo.config import Settings
from ddvideo.tasks.contract import (
    Conclusion,
    Footage,
    Layer,
    Layers,
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
from ddvideo.tasks.separate.frame_pairs import SOFTNESS, motion_contrast, unexplained_share
from ddvideo.tasks.separate.seeds import (
    FIT_PX,
    OPTIONS,
    ROUNDS,
    SEEN_NOTHING,
    State,
    Unfitted,
    fit_size,
    measure_flow_again,
    pictures_of,
    seed,
    where,
)
from ddvideo.tasks.separate.still_reflection import still_reflection

__all__ = ["SEPARATE"]

_DARK = 0.005
"""So small a share of a reflection is darker than nothing."""
_UNEXPLAINED = (0.88, 0.91), (1.0, 0.0)
"""Share of the changes along the scene's flow that a reflection does not explain, and how far it is believed then."""
_TOLD_APART = (0.77, 0.83), (0.1, 0.3)
"""The same, and how much it has to change along that flow."""
_HARDLY_A_REFLECTION = "little speaks for a reflection; only a part of it was taken away"
_MEETS = Term(name="coherence", weight=1.0, layers=("transmission",), options={"softness": SOFTNESS})
_FAINT = Term(name="energy", weight=0.03, layers=("reflection",))
_ROUND = PhaseOf[State | Unfitted](
    name="round",
    steps=200,
    terms=(_MEETS, _FAINT),
    layers=("reflection",),
    size_px=FIT_PX,
    pairs=16,
    points=1536,
    rate=1.5e-3,
    grid_rate=1e-2,
)


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    return {}


def _derive(frame: FloatArray, drawn: Layers) -> Layers:
    return {"transmission": frame - drawn["reflection"]}


def _conclude(
    window: Window, seeds: SeedsOf[State | Unfitted], render: Render | None, memory: Memory | None
) -> Conclusion:
    warnings = list(seeds.warnings)
    if render is not None:
        drawn = np.stack([frame["reflection"] for frame in render(("reflection",), FIT_PX)])
        # Differences tell a reflection up to one colour: it is dark somewhere.
        drawn -= np.quantile(drawn.reshape(-1, 3), _DARK, axis=0).astype(np.float32)
        trust = _trust(
            unexplained_share(pictures_of(window, drawn.shape[1:3]), drawn, seeds.pairs),
            motion_contrast(drawn, seeds.pairs),
        )
        drawn *= np.float32(trust)
        if trust < 1:
            warnings.append(f"{where(window)}: {SEEN_NOTHING if trust == 0 else _HARDLY_A_REFLECTION}")
    elif seeds.state is Unfitted.NO_REFLECTION:
        drawn = np.zeros((len(window.indices), *fit_size(window), 3), np.float32)
    else:
        drawn = np.stack([still_reflection(picture) for picture in pictures_of(window, fit_size(window))])
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


SEPARATE = TaskOf[State | Unfitted](
    name="separate",
    layers=(
        Layer(name="transmission", channels=3, generator=None),
        Layer(
            name="reflection",
            channels=3,
            generator="pyramid",
            motion="reflection",
            signed=True,
            canvas_px=FIT_PX,
        ),
    ),
    main="transmission",
    forward=additive,
    settle=settle_additive,
    observe=_observe,
    seed=seed,
    phases=(
        replace(_ROUND, name="motion", steps=250, terms=(_MEETS,), octaves=(3, 4, 5), rate=2.5e-3, reseed=None),
        *(
            replace(_ROUND, name=f"round {n}", reseed=measure_flow_again if n < ROUNDS else None)
            for n in range(1, ROUNDS + 1)
        ),
    ),
    conclude=_conclude,
    finish=_finish,
    derive=_derive,
    shares_weights=False,
    offsets=(),
    options=OPTIONS,
)
