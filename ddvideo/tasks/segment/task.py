"""Segment as data: foreground, background and the alpha between them, of whatever moves on its own.

Each superpixel gets a score from motion and looks; superpixels that look alike vote, so that the scores agree. What the
background generator cannot draw adds to the score. Then a mask network, shared by all frames, learns from the clear
cases what the others are.
"""

from __future__ import annotations

import numpy as np

from ddvideo.arrays import AnyArray
from ddvideo.compositing import alpha_over, settle_alpha_over
from ddvideo.hint_options import HINTS
from ddvideo.motion.temporal_filter import ObservedFlows, temporal_filter
from ddvideo.tasks.contract import Conclusion, Layer, Memory, PhaseOf, Render, SeedsOf, TaskOf, Term, Window
from ddvideo.tasks.segment.consensus import anchor_memory
from ddvideo.tasks.segment.full_size import finish
from ddvideo.tasks.segment.observe import observe
from ddvideo.tasks.segment.regions import Painted
from ddvideo.tasks.segment.seeds import BACKGROUND_PX, State, seed, vote_background_in, vote_mask_in
from ddvideo.tasks.segment.user_hints.window_hints import hint_key_frames

__all__ = ["SEGMENT"]

_PLATE_PX = 216
"""Longer side at which the background is drawn for the layers: it is smoother than that."""
_EMPTY, _FULL = 2e-4, 0.9
"""Shares of foreground that are worth a warning."""
_STEADIED = 0.7
"""Part of alpha that stays from frame to frame where the flow is sure."""


def _conclude(window: Window, seeds: SeedsOf[State], render: Render | None, memory: Memory | None) -> Conclusion:
    """What was voted last, steadied along the flow: the outlines of superpixels differ from frame to frame."""
    state = seeds.state
    voted = list(Painted(state.regions, state.likelihood))
    alpha = temporal_filter(voted, ObservedFlows(window, -1), ObservedFlows(window, 1), memory=_STEADIED).astype(
        np.float16
    )
    if state.hinted is not None:
        state.hinted.held(alpha)
    share = float((alpha > 0.5).mean())
    where = f"frames {window.indices[0]} to {window.indices[-1]}"
    warnings = list(seeds.warnings)
    if share < _EMPTY:
        warnings.append(f"{where}: nothing stood out, so that the foreground is empty")
    elif share > _FULL:
        warnings.append(f"{where}: nearly everything ended in the foreground ({share:.0%}): look before you use it")
    return Conclusion(maps={"alpha": alpha}, memory=_memory(window, state), warnings=tuple(warnings))


def _memory(window: Window, state: State) -> dict[str, AnyArray]:
    """What a shot's chunks take from its prior."""
    told = {} if state.hinted is None else state.hinted.memory()
    return {
        **told,
        **state.decisions.arrays(),
        "by_appearance": np.array(state.by_appearance),
        **anchor_memory(window.indices, state.features, state.consensus.voted),
    }


SEGMENT = TaskOf[State](
    name="segment",
    layers=(
        Layer(name="foreground", channels=3, generator=None),
        Layer(
            name="background",
            channels=3,
            motion="camera",
            canvas_px=BACKGROUND_PX,
            options={"cells_px": (96, 48, 24, 12, 6)},
        ),
        Layer(name="alpha", channels=1, generator="region", may_vanish=False),
    ),
    main="foreground",
    steady="alpha",
    forward=alpha_over,
    settle=settle_alpha_over,
    observe=observe,
    seed=seed,
    phases=(
        PhaseOf[State](
            name="background",
            steps=160,
            terms=(Term(name="reconstruction", weight=1.0, layers=("background",), options={"knee": 0.1}),),
            layers=("background",),
            size_px=BACKGROUND_PX,
            reseed=vote_background_in,
        ),
        PhaseOf[State](
            name="mask",
            steps=250,
            terms=(Term(name="agreement", weight=1.0, layers=("alpha",), target="label", trust="sure"),),
            layers=("alpha",),
            size_px=432,
            pairs=4,
            reseed=vote_mask_in,
        ),
        PhaseOf[State](
            name="plate",
            steps=80,
            terms=(Term(name="reconstruction", weight=1.0, layers=("background",), target="behind"),),
            layers=("background",),
            size_px=_PLATE_PX,
        ),
    ),
    conclude=_conclude,
    drawn=("background",),
    drawn_px=_PLATE_PX,
    finish=finish,
    options=HINTS,
    also_keys=hint_key_frames,
)
