"""How likely each superpixel is foreground: from its cues, then revised by the background and the mask network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.config import Settings
from ddvideo.graph.features import POSITION_WEIGHT
from ddvideo.graph.neighbours import OFFSETS
from ddvideo.graph.superpixels import to_lab
from ddvideo.tasks.contract import Codes, Memory, Render, SeedsOf, Window
from ddvideo.tasks.segment.consensus import Consensus, anchors_outside
from ddvideo.tasks.segment.cues import Cues, motion_trust, over_top, score, steadied, threshold, water_found
from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.regions import Painted, Regions
from ddvideo.tasks.segment.relative_position import relative_positions
from ddvideo.tasks.segment.threshold import likelihood, still_threshold
from ddvideo.tasks.segment.user_hints.window_hints import WindowHints, gather_hints
from ddvideo.tasks.segment.water_reflection import find_water_reflection
from ddvideo.tasks.segment.weak_components import without_weak_components

__all__ = ["BACKGROUND_PX", "State", "seed", "vote_background_in", "vote_mask_in"]

_SHORT_VOTES, _FEW_VOTES = 10, 2
"""Rounds for what is nearly right; a few where appearance decides, since more bleed into what looks nearly alike."""
_NETWORK = 2.0
"""Weight of the mask network against what it was taught."""
_WATER = 0.5
"""Found to such a degree, there may be mirror images."""
_MIRRORED = 0.2
"""So likely foreground is a mirror image, in parts of what it would be."""
_RAREST = 0.06
_MOVING_PX, _RESTING = 0.5, 0.8
"""Slower than this, at working size, in so large a part of the frames: nothing moves on its own."""
BACKGROUND_PX = 144
"""Longer side at which the background is told from the rest."""
_LAB_UNITS = np.array([100, 60, 60], np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What is known of a window's superpixels; arrays are ``(N,)``."""

    regions: Regions
    consensus: Consensus
    features: list[FloatArray]
    cues: Cues
    by_appearance: bool
    decisions: Decisions
    mirrored: BoolArray | None = None
    """Of mirror images on water; None where there is no water."""
    hinted: WindowHints | None = None
    """What the user tells of it."""
    likelihood: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Of being foreground, after the last vote."""


def seed(window: Window, memory: Memory | None, settings: Settings) -> SeedsOf[State]:
    """Cut a first score of every superpixel in foreground and background, and add what the user hints at."""
    regions = Regions([seen["labels"] for seen in window.observations])
    features = [seen["features"] for seen in window.observations]
    # In a shot that moves, a stretch in which the object rests is told by its anchors.
    is_still = _is_still(window) and (memory is None or bool(memory["by_appearance"]))
    # Frames of a still shot are copies: among them, a superpixel's nearest would all be itself.
    offsets = (0,) if is_still else OFFSETS
    consensus = Consensus(features, None if is_still else anchors_outside(window.indices, memory), offsets=offsets)
    decisions = Decisions(memory)
    cues = Cues.gather(window.observations, decisions)
    by_appearance = is_still if memory is None else bool(memory["by_appearance"])
    if by_appearance:
        salient = cues.standout * cues.centre
        found = over_top(consensus.vote(salient, steps=_FEW_VOTES, name="motion"), "found", decisions)
    else:
        found = score(cues, consensus, regions, decisions, "motion")
    state = State(
        regions=regions,
        consensus=consensus,
        features=features,
        cues=cues,
        by_appearance=by_appearance,
        decisions=decisions,
    )
    state, guess = _without_mirror_image(state, _cut(state, found, "motion"), window.frames)
    hinted = gather_hints(window, regions, features, guess, settings, memory)
    # What is hinted is no guess.
    warnings = _doubts(window, by_appearance, decisions) if hinted is None and memory is None else ()
    return _seeds(replace(state, hinted=hinted), guess, warnings)


def _is_still(window: Window) -> bool:
    """Whether nothing moves on its own."""
    return float(np.quantile([seen["speed_px"] for seen in window.observations], _RESTING)) < _MOVING_PX


def _doubts(window: Window, by_appearance: bool, decisions: Decisions) -> tuple[str, ...]:
    """What the user should know of how the layers were told apart."""
    where = f"frames {window.shot.start} to {window.shot.stop - 1}"
    guess = "the layers were told apart by appearance alone, which is a guess"
    if window.shot.frames == 1:
        return (f"there is a single frame: {guess}",)
    if by_appearance:
        return (f"{where}: nothing moves on its own: {guess}",)
    if motion_trust(decisions) == 0:
        return (f"{where}: the motion looks like noise, as on running water: look at the result before you use it",)
    return ()


def _seeds(state: State, found: FloatArray, warnings: tuple[str, ...]) -> SeedsOf[State]:
    """What the generators start from, given how likely each superpixel is foreground."""
    if state.hinted is not None:
        found = state.hinted.over(found)
    looks, places = ([part[:, at] for part in state.features] for at in (slice(-2), slice(-2, None)))
    relative = relative_positions(found, [place / np.float32(POSITION_WEIGHT) for place in places], state.regions)
    vectors = [np.concatenate(pair, 1) for pair in zip(looks, relative, strict=True)]
    # Foreground is rare, and is to count as much as a third of all.
    is_foreground = found > 0.5
    share = float((state.regions.sizes * is_foreground).sum() / state.regions.sizes.sum())
    sure = np.abs(2 * found - 1) * np.where(is_foreground, 1 + 1 / max(3 * share, _RAREST), 1)
    return SeedsOf(
        targets={
            "label": Painted(state.regions, is_foreground.astype(np.float32)),
            "sure": Painted(state.regions, sure.astype(np.float32)),
            "behind": Painted(state.regions, 1 - found),
        },
        codes=Codes(vectors=vectors, labels=state.regions.labels),
        state=replace(state, likelihood=found),
        warnings=warnings,
        is_enough=not is_foreground.any() and state.by_appearance,  # nothing stands out: there is nothing to fit
    )


def vote_background_in(window: Window, seeds: SeedsOf[State], render: Render) -> SeedsOf[State]:
    """What the background generator cannot draw is likely not background: voted together with the motion."""
    state = seeds.state
    if state.by_appearance:
        return seeds

    def misses() -> Iterator[FloatArray]:
        for frame, drawn in zip(window.frames, render(("background",), BACKGROUND_PX), strict=True):
            behind = drawn["background"]
            small = cv2.resize(frame, behind.shape[1::-1], interpolation=cv2.INTER_AREA)
            error = (np.abs(to_lab(small) - to_lab(behind)) / _LAB_UNITS).sum(2)
            yield np.asarray(cv2.resize(error, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    missed = over_top(state.regions.mean(misses()), "unexplained", state.decisions, 0.98)
    state = replace(state, cues=replace(state.cues, unexplained=np.clip(missed, 0, 1)))
    found = score(state.cues, state.consensus, state.regions, state.decisions, "joint")
    state, guess = _without_mirror_image(state, _cut(state, found, "joint"), window.frames)
    return _seeds(state, guess, seeds.warnings)


def vote_mask_in(window: Window, seeds: SeedsOf[State], render: Render) -> SeedsOf[State]:
    """What the mask network has learned from the clear cases, voted together with what it was taught."""
    state = seeds.state
    drawn = state.regions.mean(frame["alpha"][..., 0] for frame in render(("alpha",), max(window.size)))
    # It knows looks and places: on water, a mirror image has both of what it mirrors.
    weight = _NETWORK * (1 - water_found(state.decisions))
    mixed = np.asarray((state.likelihood + weight * drawn) / (1 + weight), np.float32)
    voted = state.consensus.vote(mixed, steps=_SHORT_VOTES, name="mask")
    if not state.by_appearance:
        voted = steadied(voted, "mask", state.cues, state.regions, state.decisions)
    return _seeds(state, _unmirrored(state, _cut(state, voted, "mask")), seeds.warnings)


def _cut(state: State, found: FloatArray, name: str) -> FloatArray:
    """A score as a likelihood, by a threshold that the shot's prior decides."""
    regions = state.regions
    if state.by_appearance:
        return likelihood(found, state.decisions.once(f"cut_{name}", lambda: still_threshold(found, regions.sizes)))
    cut = likelihood(found, state.decisions.once(f"cut_{name}", lambda: threshold(found, regions)))
    return without_weak_components(cut, found, regions)


def _without_mirror_image(state: State, found: FloatArray, frames: Sequence[ByteArray]) -> tuple[State, FloatArray]:
    """A likelihood in which mirror images on water are background, and the state that knows them."""
    if water_found(state.decisions) < _WATER:
        return state, found
    state = replace(state, mirrored=find_water_reflection(found, frames, state.regions, state.decisions))
    return state, _unmirrored(state, found)


def _unmirrored(state: State, found: FloatArray) -> FloatArray:
    return found if state.mirrored is None else np.where(state.mirrored, found * np.float32(_MIRRORED), found)
