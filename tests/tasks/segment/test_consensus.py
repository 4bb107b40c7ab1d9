from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.segment.consensus import Anchors, Consensus
from ddvideo.tasks.segment.motion_cues import observe_motion
from ddvideo.tasks.segment.regions import Regions
from ddvideo.tasks.segment.saliency import centre_prior
from ddvideo.tasks.segment.threshold import stable_threshold, weighted_otsu

H, W = 108, 192
LABELS = (np.int32([[0, 0, 0, 1], [2, 3, 3, 1], [2, 4, 4, 1], [5, 5, 5, 5]]), np.int32([[0, 0, 1, 1]] * 4))


def populations(share, count=2000, low=0.1, high=0.9):
    rng = np.random.default_rng(0)
    many = round(count * share)
    scores = np.concatenate([rng.normal(high, 0.03, many), rng.normal(low, 0.03, count - many)])
    return np.abs(scores).astype(np.float32)


def with_distractors():
    """Background near 0, an object near 1, and between them distractors whose number falls off up to one half."""
    rank = (np.arange(300) + 0.5) / 300
    distractors = 0.02 + 0.5 * (1 - (1 - rank) ** (1 / 1.5))
    return [
        np.asarray(part, np.float32) for part in (np.linspace(0, 0.05, 1500), distractors, np.linspace(0.85, 1, 60))
    ]


def area_slope(scores, threshold, step=0.1):
    """Share of the area above a threshold that a change of the threshold by so large a part loses, over that part."""
    above = [(scores > threshold * factor).sum() for factor in (np.exp(-step), np.exp(step))]
    return np.log(above[0] / above[1]) / (2 * step)


def test_otsu_by_hand():
    values, once = np.float32([0, 0, 0, 0.5, 1]), np.ones(5)
    # Four bins, centres 1/8 to 7/8; both cuts part means that lie 5/8 from each other. Cutting off the three zeros
    # makes 6/25 of its square, cutting off the one 4/25. Between the first bin and the third all cuts are the same.
    assert weighted_otsu(values, once, bins=4) == pytest.approx(0.25)
    # With these weights the first cut makes 26 x 0.479, the last 140 x 0.103.
    assert weighted_otsu(values, np.array([1, 0, 0, 6, 20]), bins=4) == pytest.approx(0.625)
    assert weighted_otsu(np.full(7, 0.3, np.float32), np.ones(7)) == pytest.approx(0.3)


def test_a_weight_is_so_many_samples():
    rng = np.random.default_rng(1)
    values = rng.random(60).astype(np.float32) ** 2
    weights = rng.integers(1, 9, 60)
    repeated = np.repeat(values, weights)
    assert weighted_otsu(values, weights) == weighted_otsu(repeated, np.ones(len(repeated)))
    assert stable_threshold(values, weights) == pytest.approx(stable_threshold(repeated, np.ones(len(repeated))))
    assert stable_threshold(values, weights) != pytest.approx(stable_threshold(values, np.ones(60)), rel=1e-3)


@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("low", [0.0, 0.1, 0.2])
def test_two_populations_are_told_apart_whatever_their_share(share, low):
    scores = populations(share, low=low)
    threshold = stable_threshold(scores, np.ones(len(scores)))
    wrong = (scores > threshold) != (np.arange(len(scores)) < round(2000 * share))
    assert wrong.mean() < 0.01


def test_a_plateau_is_preferred_to_a_slope():
    background, distractors, target = with_distractors()
    scores = np.concatenate([background, distractors, target])
    sizes = np.ones(len(scores))
    otsu, stable = weighted_otsu(scores, sizes), stable_threshold(scores, sizes)
    assert 0.1 < otsu < 0.9 * distractors.max()  # into the distractors
    assert area_slope(scores, otsu) > 1
    assert area_slope(scores, stable) < 0.25 * area_slope(scores, otsu)
    assert distractors.max() < stable < target.min()


def test_the_scale_of_the_scores_does_not_matter():
    scores = np.concatenate(with_distractors())
    sizes = np.ones(len(scores))
    assert stable_threshold(7 * scores, sizes) == pytest.approx(7 * stable_threshold(scores, sizes), rel=1e-3)


def test_scores_without_spread_still_give_a_threshold():
    assert stable_threshold(np.zeros(50, np.float32), np.ones(50)) == 0
    assert stable_threshold(np.full(50, 0.6, np.float32), np.ones(50)) == pytest.approx(0.6)


def test_regions_by_hand():
    regions = Regions(LABELS)
    assert len(regions) == 8
    assert regions.counts == [6, 2]
    np.testing.assert_array_equal(regions.sizes, [3, 3, 2, 2, 2, 4, 8, 8])
    np.testing.assert_array_equal(regions.border(), [True, True, True, False, False, True, True, True])
    np.testing.assert_array_equal(regions.of_frame(np.arange(8), 1), [6, 7])
    np.testing.assert_array_equal(regions.of_frame(np.arange(16).reshape(8, 2), 0), np.arange(12).reshape(6, 2))
    ramp = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_allclose(regions.mean([ramp, -ramp]), [1, 7, 6, 5.5, 9.5, 13.5, -6.5, -8.5])


def test_what_is_painted_is_read_back():
    regions = Regions(LABELS)
    values = np.random.default_rng(0).random(8, np.float32)
    maps = regions.paint(values)
    assert maps.shape == (2, 4, 4)
    assert maps.dtype == np.float32
    assert maps[0, 3, 2] == values[5]
    assert maps[1, 0, 3] == values[7]
    np.testing.assert_allclose(regions.mean(maps), values, rtol=1e-6)


def test_the_centre_is_likely():
    """Tiles of 6 x 6 in a frame of 60 x 90: the likelihood falls with the distance, in parts of the frame."""
    rows, columns = np.mgrid[0:60, 0:90] // 6
    prior = centre_prior(rows * 15 + columns, 150).reshape(10, 15)
    assert prior.min() > 0
    assert prior.max() <= 1
    np.testing.assert_allclose(prior, prior[::-1, ::-1], atol=1e-6)
    assert (np.diff(prior[:, :8], axis=1) > 0).all()
    assert (np.diff(prior[:5], axis=0) > 0).all()
    assert prior[4, 7] > 0.95
    assert prior[0, 0] == pytest.approx(np.exp(-((0.5 - 2.5 / 59) ** 2 + (0.5 - 2.5 / 89) ** 2) / 0.18), rel=0.02)


def looks(kinds, seed):
    """Features of superpixels of some kinds that look different."""
    noise = np.random.default_rng(seed).normal(0, 0.05, (len(kinds), 4))
    return (np.eye(4)[kinds] + noise).astype(np.float32)


KINDS = np.repeat([0, 1], [30, 30])


def window_and_anchors():
    features = [looks(KINDS, seed) for seed in (0, 1)]
    score = (KINDS == 0).astype(np.float32)
    return features, Anchors(looks(KINDS, 2), {"motion": score, "joint": 0.5 * score})


def test_anchors_pull_what_looks_like_them():
    features, anchors = window_and_anchors()
    consensus = Consensus(features, anchors)
    nothing = np.zeros(120, np.float32)
    first = np.tile(KINDS == 0, 2)
    for name, high in (("motion", 1.0), ("joint", 0.5)):
        voted = consensus.vote(nothing, steps=60, name=name)
        assert voted.shape == (120,)
        assert voted[first].min() > 0.9 * high  # which only anchors that never give way can reach
        assert voted[first].max() <= high + 1e-4
        assert voted[~first].max() < 0.01
    np.testing.assert_array_equal(nothing, 0)


def test_without_anchors_nothing_comes_from_nothing():
    features, anchors = window_and_anchors()
    for consensus in (Consensus(features), Consensus(features, Anchors(anchors.features[:0], NOBODY))):
        np.testing.assert_array_equal(consensus.vote(np.zeros(120, np.float32), steps=60, name="motion"), 0)


NOBODY = {name: np.empty(0, np.float32) for name in ("motion", "joint")}


@pytest.fixture(scope="module")
def ground(scene):
    return np.rint(scene("mover").layers(0)["background"] * 255).astype(np.uint8)


def panned(ground, t, moves):
    """A camera that pans over the ground; what moves is textured, 50 x 36 pixels, and goes the other way."""
    matrix = np.float32([[1, 0, 60 + 1.5 * t], [0, 1, 36 - 0.5 * t]])
    frame = cv2.warpAffine(ground, matrix, (W, H), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    if moves:
        left = 70 + 2 * t
        frame[36:72, left : left + 50] = ground[4:40, 30:80][::-1, ::-1]
    return frame


OFFSETS = (-4, -2, -1, 0, 1, 2, 4)


def test_what_moves_on_its_own_is_found(ground):
    evidence = observe_motion({t: panned(ground, t, True) for t in OFFSETS})
    inside = np.zeros((H, W), bool)
    inside[36:72, 70:120] = True
    near = cv2.dilate(inside.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert evidence.saliency.shape == (H, W)
    assert evidence.saliency.dtype == np.float32
    assert evidence.saliency[inside].mean() > 0.6
    assert evidence.saliency[~near].mean() < 0.05
    # Against the camera, which carries the ground by (-1.5, 0.5) pixels a frame: 3.5 and 0.5, times four frames.
    assert evidence.speed_px == pytest.approx(4 * np.hypot(3.5, 0.5), rel=0.15)
    np.testing.assert_allclose(np.median(evidence.flows[1][~near], 0), [-1.5, 0.5], atol=0.2)
    np.testing.assert_allclose(np.median(evidence.flows[1][42:66, 76:114].reshape(-1, 2), 0), [2, 0], atol=0.2)
    assert evidence.halved.keys() == evidence.flows.keys()
    np.testing.assert_allclose(np.median(evidence.halved[-4][21:33, 38:57].reshape(-1, 2), 0), [-8, 0], atol=0.4)


def test_a_pure_pan_is_no_motion(ground):
    evidence = observe_motion({t: panned(ground, t, False) for t in OFFSETS})
    assert evidence.speed_px < 0.5
    assert evidence.saliency.mean() < 0.03
    still = observe_motion({t: panned(ground, 0, True) for t in OFFSETS})
    assert still.speed_px < 0.05
    np.testing.assert_array_equal(still.saliency, 0)


def test_frames_without_neighbours(ground):
    frame = panned(ground, 0, True)
    alone = observe_motion({0: frame})
    np.testing.assert_array_equal(alone.saliency, np.zeros((H, W), np.float32))
    assert alone.speed_px == 0
    assert alone.flows == {}
    assert alone.halved == {}
    last = observe_motion({0: frame, -1: panned(ground, -1, True)})
    assert 1 not in last.flows
    assert last.saliency[40:68, 74:116].mean() > 0.5
