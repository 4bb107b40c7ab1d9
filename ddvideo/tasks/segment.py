"""Segment: foreground, background and the alpha between them, of whatever moves on its own.

Hints come from motion and are made consistent by non-local voting; the coupled background generator then tells what the
scene behind cannot be, is voted in, and foreground, background and alpha are fitted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.compositing import alpha_over, settle_alpha_over
from ddvideo.config import Settings
from ddvideo.detail.extend import extend_colours
from ddvideo.detail.guided import guided_upsample
from ddvideo.detail.matte import solid_matte
from ddvideo.detail.plate import plate
from ddvideo.graph.features import appearance
from ddvideo.graph.neighbours import OFFSETS
from ddvideo.graph.superpixels import superpixels, to_lab
from ddvideo.graph.voting import reliability
from ddvideo.hints.appearance import centre_prior, standout
from ddvideo.hints.consensus import Anchors, Consensus
from ddvideo.hints.marks import HINTS
from ddvideo.hints.motion import observe_motion
from ddvideo.hints.regions import Painted, Regions
from ddvideo.hints.threshold import stable_threshold, still_threshold
from ddvideo.tasks.hinted import Hinted, hint_keys, look_at_hints
from ddvideo.tasks.task import Layer, Phase, Task, Term
from ddvideo.tasks.window import (
    Codes,
    Conclusion,
    Footage,
    Memory,
    Motion,
    Neighbourhood,
    Observation,
    Render,
    Seeds,
    Window,
)

__all__ = ["SEGMENT"]

_SUPERPIXELS, _SUPERPIXEL_PX = 1200, 85
"""At most so many superpixels a frame, of about so many pixels: smaller ones have no look of their own."""
_VOTES, _SHORT_VOTES, _FEW_VOTES = 60, 15, 2
"""Rounds; a few where appearance decides, since more of them bleed what stands out into what looks nearly alike."""
_RELIABLE = 0.4
"""Below this the motion does not agree with what looks alike (running water): appearance decides."""
_MOVING_PX = 0.5
"""Slower than this, at working size, counts as nothing moving on its own."""
_SOFTNESS = 0.25
"""Width of the step from 0 to 1 around the threshold, in parts of the threshold."""
_LAB_UNITS = np.array([100, 60, 60], np.float32)
_EMPTY, _FULL = 2e-4, 0.9
"""Shares of foreground that are worth a warning."""
_HIDING = 12
"""An alpha over so many 255ths hides the background."""
_ANCHOR_FRAMES = 8
_ANCHOR_VOTES = ("surround", "motion", "joint")


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    """What is known of a window's superpixels; arrays are ``(N,)``."""

    regions: Regions
    consensus: Consensus
    features: list[FloatArray]
    motion: FloatArray
    """Motion seed."""
    votes: Mapping[str, FloatArray]
    """Voted scores: ``motion`` and, once the background is fitted, ``joint``; each over its scale."""
    by_appearance: bool
    cue: FloatArray
    """What the background generator cannot explain, in [0, 1]."""
    scales: dict[str, float]
    """What was decided on this window, for the shot's other windows to take over."""
    memory: Memory | None
    hinted: Hinted | None = None
    """What the user tells of it."""
    likelihood: FloatArray = field(default_factory=lambda: np.empty(0, np.float32))
    """Of being foreground, after the last vote."""


def _observe(around: Neighbourhood, settings: Settings) -> Observation:
    frame = around.frames[0]
    area_px = frame.shape[0] * frame.shape[1]
    labels = superpixels(frame, min(_SUPERPIXELS, max(area_px // _SUPERPIXEL_PX, 4)))
    count = int(labels.max()) + 1
    motion = observe_motion(around.frames)
    regions = Regions([labels])
    lab = to_lab(frame)
    features = appearance(lab, labels, count)
    observed: dict[str, AnyArray] = {
        "labels": labels.astype(np.uint16),
        "features": features,
        "motion": regions.mean([motion.seed]),
        "standout": standout(features, lab, labels, count) * centre_prior(labels, count),
        "speed_px": np.array(motion.speed_px, np.float32),
    }
    if motion.flow is not None and motion.confidence is not None:
        half = (frame.shape[1] // 2, frame.shape[0] // 2)  # no phase looks at more
        observed["flow"] = cv2.resize(motion.flow, half, interpolation=cv2.INTER_AREA).astype(np.float16)
        observed["confidence"] = cv2.resize(motion.confidence, half, interpolation=cv2.INTER_AREA).astype(np.float16)
    return observed


def _seed(window: Window, memory: Memory | None, settings: Settings) -> Seeds:
    regions = Regions([seen["labels"] for seen in window.observations])
    features = [seen["features"] for seen in window.observations]
    # In a shot that moves, a stretch in which the object rests is told by its anchors.
    is_still = _is_still(window) and (memory is None or bool(memory["by_appearance"]))
    # Frames of a still shot are copies: among them, a superpixel's nearest would all be itself.
    offsets = (0,) if is_still else OFFSETS
    consensus = Consensus(features, regions.border(), None if is_still else _anchors(window, memory), offsets=offsets)
    motion = np.concatenate([seen["motion"] for seen in window.observations])
    scales: dict[str, float] = {}
    by_appearance, warnings = _mode(window, motion, consensus, memory)
    if by_appearance:
        hint = np.concatenate([seen["standout"] for seen in window.observations])
    else:
        hint = motion * (0.5 + 0.5 * consensus.surround)
    votes = _FEW_VOTES if by_appearance else _VOTES
    voted = _over_scale(consensus.vote(hint, steps=votes, name="motion"), "motion", scales, memory)
    hinted = look_at_hints(window, regions, features, voted, settings, memory)
    state = _State(
        regions=regions,
        consensus=consensus,
        features=features,
        motion=motion,
        votes={"motion": voted},
        by_appearance=by_appearance,
        cue=np.zeros(len(regions), np.float32),
        scales=scales,
        memory=memory,
        hinted=hinted,
    )
    # What is hinted is no guess.
    return _seeds(window, state, "motion", voted, () if hinted is not None else tuple(warnings))


def _is_still(window: Window) -> bool:
    """Whether nothing moves on its own."""
    return float(np.median([seen["speed_px"] for seen in window.observations])) < _MOVING_PX


def _mode(window: Window, motion: FloatArray, consensus: Consensus, memory: Memory | None) -> tuple[bool, list[str]]:
    """Whether appearance alone has to decide, and what the user should know of it. A shot's prior decides for all."""
    if memory is not None:
        return bool(memory["by_appearance"]), []
    where = f"frames {window.shot.start} to {window.shot.stop - 1}"
    guess = "the layers were told apart by appearance alone, which is a guess"
    if window.shot.frames == 1:
        return True, [f"there is a single frame: {guess}"]
    if _is_still(window):
        return True, [f"{where}: nothing moves on its own: {guess}"]
    trust = reliability(motion, consensus.vote(motion, steps=_SHORT_VOTES, name="motion"))
    if trust < _RELIABLE:
        return True, [f"{where}: the motion looks like noise, as on running water: {guess}"]
    return False, []


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
    return Anchors(memory["anchor_features"][rows], {name: memory[f"anchor_{name}"][rows] for name in _ANCHOR_VOTES})


def _over_scale(scores: FloatArray, name: str, scales: dict[str, float], memory: Memory | None) -> FloatArray:
    """Scores over their 99th percentile, which the shot's prior decides."""
    given = None if memory is None else memory.get(f"scale_{name}")
    scales[name] = max(float(np.quantile(scores, 0.99)) if given is None else float(given), 1e-6)
    return np.asarray(scores / scales[name], np.float32)


def _seeds(window: Window, state: _State, name: str, score: FloatArray, warnings: tuple[str, ...]) -> Seeds:
    """What the generators start from, given a score that is about 1 on the foreground."""
    likelihood = _likelihood(name, score, state)
    if state.hinted is not None:
        likelihood = state.hinted.over(likelihood)
    cues = np.stack([state.cue, state.motion, state.consensus.surround, state.votes["motion"]], 1)
    vectors = [
        np.concatenate([features, state.regions.of_frame(cues, t)], 1) for t, features in enumerate(state.features)
    ]
    return Seeds(
        targets={"hint": Painted(state.regions, likelihood), "behind": Painted(state.regions, 1 - likelihood)},
        motions={"object": _object_motion(Painted(state.regions, likelihood), window.size)},
        codes=Codes(vectors=vectors, labels=state.regions.labels),
        state=replace(state, likelihood=likelihood),
        warnings=warnings,
        is_enough=state.by_appearance and not (likelihood > 0.5).any(),  # nothing stands out: there is nothing to fit
    )


def _likelihood(name: str, score: FloatArray, state: _State) -> FloatArray:
    """A score as a likelihood: one half at the stable threshold, which the shot's prior decides for its chunks."""
    given = None if state.memory is None else state.memory.get(f"scale_threshold_{name}")
    cut = still_threshold if state.by_appearance else stable_threshold
    threshold = cut(score, state.regions.sizes) if given is None else float(given)
    state.scales[f"threshold_{name}"] = threshold
    width = _SOFTNESS * max(threshold, 1e-6)
    return np.asarray(1 / (1 + np.exp(-np.clip((score - threshold) / width, -30, 30))), np.float32)


def _object_motion(hint: Iterable[FloatArray], size: tuple[int, int]) -> Motion:
    """Follows the hinted region: its centre becomes the canvas's origin, its size the unit."""
    height, width = size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    rows = []
    for frame in hint:
        mass = frame.sum() + 1e-3 * frame.size
        cx, cy = ((frame * x).sum() / mass, (frame * y).sum() / mass)
        spread = np.sqrt((frame * ((x - cx) ** 2 + (y - cy) ** 2)).sum() / mass)
        rows.append((cx, cy, 2.2 * max(spread, 0.1)))
    track = cv2.GaussianBlur(np.array(rows, np.float64)[:, None], (1, 9), 0, sigmaY=2, borderType=cv2.BORDER_REPLICATE)
    matrices = np.zeros((len(rows), 3, 3), np.float32)
    for matrix, (cx, cy, unit) in zip(matrices, track[:, 0], strict=True):
        matrix[:] = [[1 / unit, 0, -cx / unit], [0, 1 / unit, -cy / unit], [0, 0, 1]]
    return Motion(matrices=matrices, bounds=np.array([-1.5, -1.5, 1.5, 1.5], np.float32))


def _vote_background_in(window: Window, seeds: Seeds, render: Render) -> Seeds:
    """What the background generator cannot draw is likely not background: voted together with the motion (R + G)."""
    state: _State = seeds.state
    if state.by_appearance:
        return seeds

    def misses() -> Iterator[FloatArray]:
        for frame, drawn in zip(window.frames, render(("background",), 144), strict=True):
            behind = drawn["background"]
            small = cv2.resize(frame, behind.shape[1::-1], interpolation=cv2.INTER_AREA)
            error = (np.abs(to_lab(small) - to_lab(behind)) / _LAB_UNITS).sum(2)
            yield np.asarray(cv2.resize(error, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    scales = dict(state.scales)
    raw = state.regions.mean(misses())
    given = None if state.memory is None else state.memory.get("scale_cue")
    scales["cue"] = max(float(np.quantile(raw, 0.98)) if given is None else float(given), 1e-6)
    cue = np.clip(raw / scales["cue"], 0, 1)
    motion = state.motion / max(float(np.quantile(state.motion, 0.99)), 1e-6)
    hint = (motion + cue) * (0.5 + 0.5 * state.consensus.surround)
    joint = _over_scale(state.consensus.vote(hint, steps=_VOTES, name="joint"), "joint", scales, state.memory)
    changed = replace(state, cue=cue, scales=scales, votes={**state.votes, "joint": joint})
    return _seeds(window, changed, "joint", np.float32(0.5) * (state.votes["motion"] + joint), seeds.warnings)


def _conclude(window: Window, seeds: Seeds, render: Render | None, memory: Memory | None) -> Conclusion:
    """Mean of the vote and, after a fit, of the fitted alpha."""
    state: _State = seeds.state
    alpha = np.empty((len(window.indices), *window.size), np.float16)
    for t, voted in enumerate(Painted(state.regions, state.likelihood)):
        alpha[t] = voted
    if render is not None:
        for t, drawn in enumerate(render(("alpha",), max(window.size))):
            alpha[t] = (alpha[t] + drawn["alpha"][..., 0]) / 2
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
    frames = np.repeat(window.indices, state.regions.counts)
    votes = {"surround": state.consensus.surround, **state.votes}
    told = {} if state.hinted is None else state.hinted.memory()
    return told | {
        "by_appearance": np.array(state.by_appearance),
        "anchor_frames": frames.astype(np.int64),
        "anchor_features": np.concatenate(state.features),
        **{f"anchor_{name}": votes.get(name, state.votes["motion"]) for name in _ANCHOR_VOTES},
        **{f"scale_{name}": np.array(value, np.float32) for name, value in state.scales.items()},
    }


def _finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """Alpha along the frame's edges, foreground colours beyond them, background from the frames that saw it."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    alphas = []
    for full, small, hint in zip(footage.frames, footage.small, footage.maps["alpha"], strict=True):
        edge_aware = guided_upsample(hint.astype(np.float32), small, full.astype(np.float32) * scale)
        alphas.append((solid_matte(edge_aware) * 255).round().astype(np.uint8))
    longer = max(alphas[0].shape)
    near, wide = (np.ones((2 * (longer // part) + 3,) * 2, np.uint8) for part in (200, 60))
    # What lies close to the foreground is not asked for the background: there, a missed part of it may still show.
    visible = [np.asarray(255 * (cv2.dilate(alpha, wide) <= _HIDING), np.uint8) for alpha in alphas]
    behind = footage.drawn.get("background")
    for t, full in enumerate(footage.frames):
        frame = full.astype(np.float32) * scale
        alpha = alphas[t].astype(np.float32) / np.float32(255)
        hidden = cv2.dilate(alphas[t], near) > _HIDING
        drawn = None if behind is None else behind[t]
        layers: dict[str, FloatArray] = {
            "foreground": extend_colours(frame, alpha),
            "background": plate(t, frame, hidden, footage.frames, visible, footage.camera, drawn),
            "alpha": alpha[..., None],
        }
        yield settle_alpha_over(frame, layers)


_BACKGROUND_GRID = {"cells_px": (96, 48, 24, 12, 6)}

SEGMENT = Task(
    name="segment",
    layers=(
        Layer(name="foreground", channels=3, motion="object", canvas_px=96, options={"cells_px": (64, 32, 16, 8)}),
        Layer(name="background", channels=3, motion="camera", canvas_px=144, options=_BACKGROUND_GRID),
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
            size_px=144,
            reseed=_vote_background_in,
        ),
        Phase(
            name="warm",
            steps=60,
            terms=(
                Term(name="reconstruction", weight=1.0, layers=("foreground",), target="hint"),
                Term(name="reconstruction", weight=1.0, layers=("background",), target="behind"),
                Term(name="agreement", weight=1.0, layers=("alpha",), target="hint", options={"q": 0.5}),
            ),
            layers=("foreground", "background", "alpha"),
            size_px=144,
        ),
        Phase(
            name="layers",
            steps=150,
            terms=(
                Term(name="reconstruction", weight=1.0, options={"knee": 0.3}),
                Term(name="reconstruction", weight=1.0, layers=("foreground",), target="hint"),
                Term(name="reconstruction", weight=1.0, layers=("background",), target="behind"),
                Term(name="agreement", weight=1.0, layers=("alpha",), target="hint", options={"q": 0.5}),
                Term(name="coherence", weight=0.5, layers=("alpha",)),
            ),
            layers=("foreground", "background", "alpha"),
            size_px=216,
        ),
    ),
    conclude=_conclude,
    drawn=("background",),
    finish=_finish,
    options=HINTS,
    also_keys=hint_keys,
)
