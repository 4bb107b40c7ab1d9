"""What speaks for foreground, and how far each of it is believed: on windows whose answer is known."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from ddvideo.graph.superpixels import mean_per_label, to_lab
from ddvideo.tasks.segment.consensus import Anchors, Consensus
from ddvideo.tasks.segment.cues import Cues, motion_trust, score, steadied, threshold
from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.motion_cues import mismatch, motion_barrier, observe_motion
from ddvideo.tasks.segment.regions import Regions
from ddvideo.tasks.segment.relative_position import relative_positions
from ddvideo.tasks.segment.saliency import sharpness
from ddvideo.tasks.segment.threshold import likelihood
from ddvideo.tasks.segment.weak_components import without_weak_components

H, W, CELL, FRAMES = 64, 96, 8, 6
GRID = (np.arange(H)[:, None] // CELL * (W // CELL) + np.arange(W)[None] // CELL).astype(np.int32)
COUNT = int(GRID.max()) + 1
ROW, COLUMN = np.divmod(np.arange(COUNT), W // CELL)
THING = (ROW >= 2) & (ROW < 5) & (COLUMN >= 4) & (COLUMN < 8)
POND = ROW >= 6
"""Below the thing, as wide as the frame."""


def window(**values):
    """Regions, consensus and cues of frames in which superpixels are the cells of a grid, and kinds look alike."""
    rng = np.random.default_rng(0)
    kinds = np.eye(3)[np.where(THING, 0, np.where(POND, 1, 2))]
    features = [(kinds + rng.normal(0, 0.05, (COUNT, 3))).astype(np.float32) for _ in range(FRAMES)]
    names = ("motion", "barrier", "standout", "restless", "unfit", "sharpness", "centre", "awake")
    flat = {"standout": 1.0, "centre": 1.0, "restless": 0.05, "unfit": 0.1, "sharpness": 1.0, "awake": 1.0}
    cues = Cues(
        **{name: np.tile(np.broadcast_to(values.get(name, flat.get(name, 0.0)), COUNT), FRAMES) for name in names}
    )
    cues = Cues(**{name: getattr(cues, name).astype(np.float32) for name in names})
    faint = rng.uniform(0, 0.1, COUNT * FRAMES).astype(np.float32)
    cues = replace(cues, motion=np.maximum(cues.motion, faint))
    regions = Regions([GRID] * FRAMES)
    return regions, Consensus(features), cues


def flat_cues(frames):
    """Of frames in which nothing tells anything from anything, and all is awake."""
    count = COUNT * frames
    flat = {field.name: np.zeros(count, np.float32) for field in fields(Cues)}
    return Cues(**flat | {"awake": np.ones(count, np.float32), "unexplained": None})


def found(regions, consensus, cues, name="motion", decisions=None):
    scores = score(cues, consensus, regions, decisions or Decisions(), name)
    return scores > threshold(scores, regions)


def overlap(mask, truth):
    truth = np.tile(truth, FRAMES)
    return (mask & truth).sum() / (mask | truth).sum()


def test_a_solid_thing_that_moves_is_found_though_water_below_moves_as_well():
    """Without a look at how well the frames fit along the flow, the water would win: it moves more."""
    moves = np.where(THING, 0.6, np.where(POND, 1.0, 0.0))
    water = {"restless": np.where(POND, 0.35, 0.05), "unfit": np.where(POND, 0.5, 0.1)}
    regions, consensus, cues = window(motion=moves, barrier=moves, **water)
    assert overlap(found(regions, consensus, cues), THING) > 0.95
    dry = replace(cues, unfit=np.full_like(cues.unfit, 0.1), restless=np.full_like(cues.restless, 0.05))
    assert overlap(found(regions, consensus, dry), THING) < 0.5


def test_what_is_restless_but_no_calmer_than_the_rest_is_kept():
    """Limbs fit badly, too: what is left without them is no calmer, so that there is no water."""
    limbs = THING & (ROW == 4)
    moves = THING * 1.0
    regions, consensus, cues = window(motion=moves, barrier=moves, restless=np.where(limbs, 0.35, 0.05))
    assert overlap(found(regions, consensus, cues), THING) > 0.95


def test_motion_that_no_likes_agree_on_is_not_believed_and_the_generator_is():
    rng = np.random.default_rng(1)
    regions, consensus, cues = window(barrier=THING * 0.3)
    noisy = replace(cues, motion=rng.random(COUNT * FRAMES).astype(np.float32))
    decisions = Decisions()
    drawn = replace(noisy, unexplained=np.tile(THING, FRAMES).astype(np.float32))
    assert overlap(found(regions, consensus, drawn, decisions=decisions), THING) > 0.95
    assert motion_trust(decisions) == 0
    sure = Decisions()
    score(replace(cues, motion=np.tile(THING, FRAMES).astype(np.float32)), consensus, regions, sure, "motion")
    assert motion_trust(sure) == 1


def test_a_generator_that_contradicts_the_motion_is_not_believed():
    """Parallax: the background's canvas fails at what stands near the camera and does not move."""
    elsewhere = (ROW < 2).astype(np.float32)
    regions, consensus, cues = window(motion=THING * 1.0, barrier=THING * 1.0)
    wrong = replace(cues, unexplained=np.tile(elsewhere, FRAMES))
    decisions = Decisions()
    assert overlap(found(regions, consensus, wrong, "joint", decisions), THING) > 0.95
    assert float(decisions.arrays()["decided_trust_generator"]) == 0


def test_looks_decide_between_things_that_move_alike():
    moves = (THING | (ROW == 7)).astype(np.float32)
    regions, consensus, cues = window(motion=moves, barrier=moves, standout=THING * 1.0)
    scores = score(cues, consensus, regions, Decisions(), "motion")
    assert scores[np.tile(THING, FRAMES)].min() > 2 * scores[np.tile(ROW == 7, FRAMES)].max()


def test_a_faint_frame_is_raised_and_an_empty_one_is_not():
    regions = Regions([GRID] * 40)
    frames = np.repeat(np.where(np.arange(40) < 20, 1.0, 0.5), COUNT)
    frames[-10 * COUNT :] = 0.01
    scores = (np.tile(THING, 40) * frames).astype(np.float32)
    alike = flat_cues(40)
    tops = steadied(scores, "x", alike, regions, Decisions()).reshape(40, COUNT).max(1)
    np.testing.assert_allclose(tops[[5, 24]], 1, atol=0.05)
    assert tops[36] < 0.1


def test_how_high_scores_go_is_told_by_the_frames_in_which_something_moves():
    """The thing is there in a quarter of the frames; the others would raise their noise."""
    regions = Regions([GRID] * 40)
    there = np.repeat(np.arange(40) < 10, COUNT)
    scores = np.where(there, np.tile(THING, 40) * 1.0, 0.02).astype(np.float32)
    cues = replace(flat_cues(40), awake=np.where(there, 1, 0.01).astype(np.float32))
    tops = steadied(scores, "x", cues, regions, Decisions()).reshape(40, COUNT).max(1)
    assert tops[2] > 0.9
    assert tops[30] < 0.1


def test_a_thing_that_comes_to_rest_is_found_where_it_rests_and_noise_is_not():
    """In the last frames nothing moves, and the motion's scale makes much of what little drifts on one side."""
    moves = np.zeros((FRAMES, COUNT), np.float32)
    moves[:2] = THING
    moves[2:] = 0.8 * (COLUMN < 4) + 0.2 * np.random.default_rng(2).random((FRAMES - 2, COUNT))
    speeds = np.where(np.arange(FRAMES) < 2, 10.0, 0.01)
    regions, consensus, flat = window()
    seen = [
        {name: getattr(flat, name)[:COUNT] for name in ("standout", "unfit", "centre", "sharpness")}
        | {"motion": moving, "barrier": moving, "unfit_far": flat.restless[:COUNT]}
        | {"residual_px": np.zeros(COUNT, np.float32), "speed_px": np.float32(speed)}
        for moving, speed in zip(moves, speeds, strict=True)
    ]
    decisions = Decisions()
    cues = Cues.gather(seen, decisions)
    assert overlap(found(regions, consensus, cues, decisions=decisions), THING) > 0.95
    assert motion_trust(decisions) == 1
    heard = replace(cues, awake=np.ones_like(cues.awake))
    assert overlap(found(regions, consensus, heard), THING) < 0.8


def test_weights_say_how_much_each_has_to_say_and_anchors_know_their_score():
    """Three that look alike, of which one is hardly heard, and an anchor that looks like them."""
    alike = [np.float32([[0.0], [0.1], [0.2]])]
    scores, weights = np.float32([1, 1, 0]), np.float32([1, 1, 1e-6])
    np.testing.assert_allclose(Consensus(alike).vote(scores, steps=4, weights=weights), 1, atol=1e-3)
    same = np.ones(3, np.float32)
    plain = Consensus(alike).vote(scores, steps=4)
    np.testing.assert_allclose(Consensus(alike).vote(scores, steps=4, weights=same), plain, atol=1e-6)
    assert plain.min() < 0.6
    anchored = Consensus(alike, Anchors(np.float32([[0.15]]), {"x": np.float32([0.5])}))
    asleep = np.full(3, 1e-6, np.float32)
    np.testing.assert_allclose(anchored.vote(scores, steps=9, name="x", weights=asleep), 0.5, atol=1e-2)


def test_decisions_are_made_once_and_handed_on():
    first = Decisions()
    assert first.once("a", lambda: 2.5) == 2.5
    assert first.once("a", lambda: pytest.fail("was decided before")) == 2.5
    second = Decisions({**first.arrays(), "other": np.zeros(3)})
    assert second.once("a", lambda: pytest.fail("was given")) == 2.5
    assert set(first.arrays()) == {"decided_a"}


def test_faint_parts_go_unless_they_are_near_or_strong():
    labels = GRID
    core, limb, far, twin = THING, (ROW == 6) & (COLUMN == 5), (ROW == 0) & (COLUMN == 11), (ROW == 7) & (COLUMN == 0)
    scores = (core * 1.0 + limb * 0.3 + far * 0.3 + twin * 0.9).astype(np.float32)
    likely = likelihood(scores, 0.2)
    large = Regions([cv2.resize(labels.astype(np.uint8), (8 * W, 8 * H), interpolation=cv2.INTER_NEAREST)])
    kept = without_weak_components(likely, scores, large) > 0.5
    assert kept[core].all()
    assert kept[twin].all()
    assert not kept[far].any()
    assert not kept[limb].any()  # a row of cells lies between, 64 px of 768
    touching = Regions([cv2.resize(labels.astype(np.uint8), (8 * W, 8 * H), interpolation=cv2.INTER_NEAREST)])
    close = (core * 1.0 + (ROW == 5) * (COLUMN == 5) * 0.3).astype(np.float32)
    np.testing.assert_array_equal(
        without_weak_components(likelihood(close, 0.2), close, touching), likelihood(close, 0.2)
    )


def test_places_are_seen_from_the_region_and_do_not_depend_on_where_it_is():
    places = np.stack([(COLUMN + 0.5) * CELL / W, (ROW + 0.5) * CELL / H], 1)
    regions = Regions([GRID])
    likely = THING.astype(np.float32)
    (here,), (there,) = (relative_positions(likely, [at], regions) for at in (places, places + 0.1))
    np.testing.assert_allclose(here, there, atol=0.05)
    centre = here[THING][:, :2].mean(0)
    np.testing.assert_allclose(centre, 0, atol=1e-3)
    assert here[:, 2].argmax() in (0, W // CELL - 1, COUNT - W // CELL, COUNT - 1)
    assert np.abs(here).max() < 1


def textured(seed, cell=2):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (H // cell + 8, W // cell + 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)


def test_what_comes_along_with_its_flow_fits_and_what_changes_does_not():
    """The left half moves on as a whole, the right half is new in every frame."""
    solid, boil = textured(0), [textured(seed) for seed in (1, 2, 3)]
    frames = {}
    for offset in (-1, 0, 1):
        picture = solid[8 : 8 + H, 8 - offset : 8 - offset + W].copy()
        picture[:, W // 2 :] = boil[offset + 1][:H, W // 2 : W]
        frames[offset] = picture
    flow = np.zeros((H, W, 2), np.float32)
    flow[..., 0] = 1
    for miss in mismatch(frames, {1: flow, -1: -flow}):
        assert miss[8:-8, 8 : W // 2 - 16].max() < 0.2
        assert miss[8:-8, W // 2 + 16 : -8].min() > 0.5
    assert not np.any(mismatch({0: frames[0]}, {}))


def test_the_nearest_and_the_farthest_frames_are_asked_each_for_itself():
    """The next frames show the same, those further off something else; one side suffices at the end of a shot."""
    picture, other = textured(0)[:H, :W], textured(1)[:H, :W]
    flow = np.zeros((H, W, 2), np.float32)
    near, far = mismatch({0: picture, -1: picture, 1: picture, 4: other}, {-1: flow, 1: flow, 4: flow})
    assert near.max() < 0.05
    assert far[8:-8, 8:-8].min() > 0.5


def test_motion_is_shut_off_from_the_edge_by_what_surrounds_it_and_parallax_is_not():
    """A background whose flow grows step by step from one side to the other, and a thing in it."""
    slope = np.zeros((H, W, 2), np.float32)
    slope[..., 0] = np.linspace(-6, 6, W)
    thing = THING[GRID]
    slope[thing] += (0, 9)
    barrier = motion_barrier({1: slope, -1: -slope}, GRID, COUNT)
    assert barrier[THING].min() > 0.6
    assert barrier[~THING].max() < 0.4
    np.testing.assert_array_equal(motion_barrier({}, GRID, COUNT), 0)


def test_a_mirror_image_is_less_sharp_than_the_thing():
    picture = textured(0)[:H, :W]
    lab = to_lab(picture)
    blurred = to_lab(cv2.GaussianBlur(picture, (0, 0), 2))
    assert np.median(sharpness(blurred)) < 0.3 * np.median(sharpness(lab))


def test_the_speed_of_its_own_is_measured_from_one_frame_to_the_next():
    ground = textured(0, 8)
    frames = {}
    for offset in (-2, -1, 0, 1, 2):
        picture = ground[16 : 16 + H, 16 : 16 + W].copy()
        picture[24:48, 30 + 3 * offset : 60 + 3 * offset] = textured(5, 4)[:24, :30]
        frames[offset] = picture
    evidence = observe_motion(frames)
    inside = mean_per_label(evidence.residual_px, GRID, COUNT)[(ROW == 4) & (COLUMN > 4) & (COLUMN < 7)]
    np.testing.assert_allclose(inside, 3, atol=0.8)
    assert set(evidence.flows) == {-2, -1, 1, 2}
