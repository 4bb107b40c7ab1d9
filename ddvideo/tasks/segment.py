"""Segment: foreground, background and the alpha between them, of whatever moves on its own.

Hints come from motion and looks and are made consistent by non-local voting; what the coupled background generator
cannot draw is voted in; then a mask network, shared by all frames, learns from the clear cases what the others are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.compositing import alpha_over, settle_alpha_over
from ddvideo.config import Settings
from ddvideo.detail.extend import extend_colours
from ddvideo.detail.guided import guided_upsample
from ddvideo.detail.matte import solid_matte
from ddvideo.detail.plate import plate
from ddvideo.detail.side_by_side import side_by_side
from ddvideo.graph.features import POSITION_WEIGHT, appearance
from ddvideo.graph.neighbours import OFFSETS
from ddvideo.graph.superpixels import mean_per_label, superpixels, to_lab
from ddvideo.hints.appearance import centre_prior, sharpness, standout
from ddvideo.hints.consensus import Anchors, Consensus
from ddvideo.hints.cues import Cues, motion_trust, over_top, score, steadied, threshold, water_found
from ddvideo.hints.decisions import Decisions
from ddvideo.hints.faint import without_faint_parts
from ddvideo.hints.marks import HINTS
from ddvideo.hints.mirror import mirror_image
from ddvideo.hints.motion import mismatch, motion_barrier, observe_motion
from ddvideo.hints.place import relative_places
from ddvideo.hints.regions import Painted, Regions
from ddvideo.hints.threshold import likelihood, still_threshold
from ddvideo.media.working import working_frame
from ddvideo.motion.temporal_filter import FLOWS, ObservedFlows, temporal_filter
from ddvideo.tasks.contract import (
    Codes,
    Conclusion,
    Footage,
    Layer,
    Memory,
    Neighbourhood,
    Observation,
    Phase,
    Render,
    Seeds,
    Task,
    Term,
    Window,
)
from ddvideo.tasks.hinted import Hinted, hint_keys, look_at_hints

__all__ = ["FAINT_EDGE", "SEGMENT"]

_SUPERPIXELS, _SUPERPIXEL_PX = 1200, 85
"""At most so many superpixels a frame, of about so many pixels: smaller ones have no look of their own."""
_CUES_PX = 432
"""Longer side, at most, at which motion is looked at, and what fits along it: their thresholds are for this size."""
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
_BACKGROUND_PX, _PLATE_PX = 144, 216
"""Longer side at which the background is told from the rest, and at which it is drawn: it is smoother than that."""
_LAB_UNITS = np.array([100, 60, 60], np.float32)
_EMPTY, _FULL = 2e-4, 0.9
"""Shares of foreground that are worth a warning."""
FAINT_EDGE = 1e-4
"""Variance of the colours from which on alpha is bound to them: weak edges count, for the hint is nearly right."""
_HIDING = 12
"""An alpha over so many 255ths hides the background."""
_ANCHOR_FRAMES = 8
_STEADIED = 0.7
"""Part of alpha that stays from frame to frame where the flow is sure."""
_VOTED = "anchor_voted_"


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """What is known of a window's superpixels; arrays are ``(N,)``."""

    regions: Regions
    consensus: Consensus
    features: list[FloatArray]
    cues: Cues
    by_appearance: bool
    decisions: Decisions
    mirrored: BoolArray | None = None
    """Of mirror images on water; None where there is no water."""
    hinted: Hinted | None = None
    """What the user tells of it."""
    likelihood: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Of being foreground, after the last vote."""


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    frame = around.frames[0]
    size = frame.shape[1::-1]
    lab = to_lab(frame)
    labels = superpixels(lab, min(_SUPERPIXELS, max(size[0] * size[1] // _SUPERPIXEL_PX, 4)))
    count = int(labels.max()) + 1
    features = appearance(lab, labels, count)
    small = {offset: working_frame(other, _CUES_PX) for offset, other in around.frames.items()}
    motion = observe_motion(small)
    near, far = mismatch(small, motion.flows)

    def enlarged(values: FloatArray) -> FloatArray:
        if values.shape[1::-1] == size:
            return values
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR), np.float32)

    def mean(values: FloatArray) -> FloatArray:
        return mean_per_label(enlarged(values), labels, count)

    observed: dict[str, AnyArray] = {
        "labels": labels.astype(np.uint16),
        "features": features,
        "motion": mean(motion.seed),
        "residual_px": mean(motion.residual_px),
        "barrier": motion_barrier({offset: enlarged(flow) for offset, flow in motion.flows.items()}, labels, count),
        "unfit": mean(near),
        "unfit_far": mean(far),
        "sharpness": mean(sharpness(to_lab(small[0]))),
        "standout": standout(features, lab, labels, count),
        "centre": centre_prior(labels, count),
        "speed_px": np.array(motion.speed_px, np.float32),
    }
    scale = np.array((size[0] / small[0].shape[1], size[1] / small[0].shape[0]), np.float32)
    for offset, name in FLOWS.items():
        if offset in motion.halved:
            observed[name] = (motion.halved[offset] * scale).astype(np.float16)
    return observed


def _seed(window: Window, memory: Memory | None, settings: Settings) -> Seeds:
    regions = Regions([seen["labels"] for seen in window.observations])
    features = [seen["features"] for seen in window.observations]
    # In a shot that moves, a stretch in which the object rests is told by its anchors.
    is_still = _is_still(window) and (memory is None or bool(memory["by_appearance"]))
    # Frames of a still shot are copies: among them, a superpixel's nearest would all be itself.
    offsets = (0,) if is_still else OFFSETS
    consensus = Consensus(features, None if is_still else _anchors(window, memory), offsets=offsets)
    decisions = Decisions(memory)
    cues = Cues.gather(window.observations, decisions)
    by_appearance = is_still if memory is None else bool(memory["by_appearance"])
    if by_appearance:
        hint = cues.standout * cues.centre
        found = over_top(consensus.vote(hint, steps=_FEW_VOTES, name="motion"), "found", decisions)
    else:
        found = score(cues, consensus, regions, decisions, "motion")
    state = _State(
        regions=regions,
        consensus=consensus,
        features=features,
        cues=cues,
        by_appearance=by_appearance,
        decisions=decisions,
    )
    state, guess = _without_mirror_image(state, _cut(state, found, "motion"), window.frames)
    hinted = look_at_hints(window, regions, features, guess, settings, memory)
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


def _anchors(window: Window, memory: Memory | None) -> Anchors | None:
    """Superpixels of the shot's key frames that lie outside the window."""
    if memory is None:
        return None
    frames = memory["anchor_frames"]
    outside = np.unique(frames[~np.isin(frames, window.indices)])
    if len(outside) == 0:
        return None
    chosen = outside[np.unique(np.linspace(0, len(outside) - 1, _ANCHOR_FRAMES).round().astype(int))]
    rows = np.isin(frames, chosen)
    return Anchors(
        memory["anchor_features"][rows],
        {name.removeprefix(_VOTED): scores[rows] for name, scores in memory.items() if name.startswith(_VOTED)},
    )


def _seeds(state: _State, found: FloatArray, warnings: tuple[str, ...]) -> Seeds:
    """What the generators start from, given how likely each superpixel is foreground."""
    if state.hinted is not None:
        found = state.hinted.over(found)
    looks, places = ([part[:, at] for part in state.features] for at in (slice(-2), slice(-2, None)))
    relative = relative_places(found, [place / np.float32(POSITION_WEIGHT) for place in places], state.regions)
    vectors = [np.concatenate(pair, 1) for pair in zip(looks, relative, strict=True)]
    # Foreground is rare, and is to count as much as a third of all.
    is_foreground = found > 0.5
    share = float((state.regions.sizes * is_foreground).sum() / state.regions.sizes.sum())
    sure = np.abs(2 * found - 1) * np.where(is_foreground, 1 + 1 / max(3 * share, _RAREST), 1)
    return Seeds(
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


def _vote_background_in(window: Window, seeds: Seeds, render: Render) -> Seeds:
    """What the background generator cannot draw is likely not background: voted together with the motion."""
    state: _State = seeds.state
    if state.by_appearance:
        return seeds

    def misses() -> Iterator[FloatArray]:
        for frame, drawn in zip(window.frames, render(("background",), _BACKGROUND_PX), strict=True):
            behind = drawn["background"]
            small = cv2.resize(frame, behind.shape[1::-1], interpolation=cv2.INTER_AREA)
            error = (np.abs(to_lab(small) - to_lab(behind)) / _LAB_UNITS).sum(2)
            yield np.asarray(cv2.resize(error, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    missed = over_top(state.regions.mean(misses()), "unexplained", state.decisions, 0.98)
    state = replace(state, cues=replace(state.cues, unexplained=np.clip(missed, 0, 1)))
    found = score(state.cues, state.consensus, state.regions, state.decisions, "joint")
    state, guess = _without_mirror_image(state, _cut(state, found, "joint"), window.frames)
    return _seeds(state, guess, seeds.warnings)


def _vote_mask_in(window: Window, seeds: Seeds, render: Render) -> Seeds:
    """What the mask network has learned from the clear cases, voted together with what it was taught."""
    state: _State = seeds.state
    drawn = state.regions.mean(frame["alpha"][..., 0] for frame in render(("alpha",), max(window.size)))
    # It knows looks and places: on water, a mirror image has both of what it mirrors.
    weight = _NETWORK * (1 - water_found(state.decisions))
    hint = np.asarray((state.likelihood + weight * drawn) / (1 + weight), np.float32)
    voted = state.consensus.vote(hint, steps=_SHORT_VOTES, name="mask")
    if not state.by_appearance:
        voted = steadied(voted, "mask", state.cues, state.regions, state.decisions)
    return _seeds(state, _unmirrored(state, _cut(state, voted, "mask")), seeds.warnings)


def _cut(state: _State, found: FloatArray, name: str) -> FloatArray:
    """A score as a likelihood, by a threshold that the shot's prior decides."""
    regions = state.regions
    if state.by_appearance:
        return likelihood(found, state.decisions.once(f"cut_{name}", lambda: still_threshold(found, regions.sizes)))
    cut = likelihood(found, state.decisions.once(f"cut_{name}", lambda: threshold(found, regions)))
    return without_faint_parts(cut, found, regions)


def _without_mirror_image(state: _State, found: FloatArray, frames: Sequence[ByteArray]) -> tuple[_State, FloatArray]:
    """A likelihood in which mirror images on water are background, and the state that knows them."""
    if water_found(state.decisions) < _WATER:
        return state, found
    state = replace(state, mirrored=mirror_image(found, frames, state.regions, state.decisions))
    return state, _unmirrored(state, found)


def _unmirrored(state: _State, found: FloatArray) -> FloatArray:
    return found if state.mirrored is None else np.where(state.mirrored, found * np.float32(_MIRRORED), found)


def _conclude(window: Window, seeds: Seeds, render: Render | None, memory: Memory | None) -> Conclusion:
    """What was voted last, steadied along the flow: the outlines of superpixels differ from frame to frame."""
    state: _State = seeds.state
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


def _memory(window: Window, state: _State) -> dict[str, AnyArray]:
    """What a shot's chunks take from its prior."""
    told = {} if state.hinted is None else state.hinted.memory()
    return {
        **told,
        **state.decisions.arrays(),
        **{_VOTED + name: scores for name, scores in state.consensus.voted.items()},
        "by_appearance": np.array(state.by_appearance),
        "anchor_frames": np.repeat(window.indices, state.regions.counts).astype(np.int64),
        "anchor_features": np.concatenate(state.features),
    }


def _finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """Alpha along the frame's edges, foreground colours beyond them, background from the frames that saw it."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    longer = max(footage.frames[0].shape[:2])
    near, wide = (np.ones((2 * (longer // part) + 3,) * 2, np.uint8) for part in (200, 60))
    behind = footage.drawn.get("background")

    def matte(t: int) -> ByteArray:
        hint, full = footage.maps["alpha"][t].astype(np.float32), footage.frames[t].astype(np.float32) * scale
        edge_aware = guided_upsample(hint, footage.small[t], full, eps=FAINT_EDGE)
        return np.asarray((solid_matte(edge_aware) * 255).round(), np.uint8)

    def settled(t: int) -> Mapping[str, FloatArray]:
        frame = footage.frames[t].astype(np.float32) * scale
        alpha = alphas[t].astype(np.float32) / np.float32(255)
        hidden = cv2.dilate(alphas[t], near) > _HIDING
        drawn = None if behind is None else behind[t]
        layers: dict[str, FloatArray] = {
            "foreground": extend_colours(frame, alpha),
            "background": plate(t, frame, hidden, footage.frames, visible, footage.camera, drawn),
            "alpha": alpha[..., None],
        }
        return settle_alpha_over(frame, layers)

    alphas = list(side_by_side(matte, footage.frames, threads=footage.threads))
    # What lies close to the foreground is not asked for the background: there, a missed part of it may still show.
    visible = [np.asarray(255 * (cv2.dilate(alpha, wide) <= _HIDING), np.uint8) for alpha in alphas]
    yield from side_by_side(settled, footage.frames, threads=footage.threads)


SEGMENT = Task(
    name="segment",
    layers=(
        Layer(name="foreground", channels=3, generator=None),
        Layer(
            name="background",
            channels=3,
            motion="camera",
            canvas_px=_BACKGROUND_PX,
            options={"cells_px": (96, 48, 24, 12, 6)},
        ),
        Layer(name="alpha", channels=1, generator="region", may_vanish=False),
    ),
    main="foreground",
    steady="alpha",
    forward=alpha_over,
    settle=settle_alpha_over,
    observe=_observe,
    seed=_seed,
    phases=(
        Phase(
            name="background",
            steps=160,
            terms=(Term(name="reconstruction", weight=1.0, layers=("background",), options={"knee": 0.1}),),
            layers=("background",),
            size_px=_BACKGROUND_PX,
            reseed=_vote_background_in,
        ),
        Phase(
            name="mask",
            steps=250,
            terms=(Term(name="agreement", weight=1.0, layers=("alpha",), target="label", trust="sure"),),
            layers=("alpha",),
            size_px=432,
            pairs=4,
            reseed=_vote_mask_in,
        ),
        Phase(
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
    finish=_finish,
    options=HINTS,
    also_keys=hint_keys,
)
