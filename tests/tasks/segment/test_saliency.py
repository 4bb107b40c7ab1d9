"""What stands out in a single frame, and where its score is cut."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.graph.barrier import barrier_distance
from ddvideo.graph.features import appearance
from ddvideo.graph.superpixels import adjacent_labels, mean_per_label, superpixels, to_lab
from ddvideo.tasks.segment.saliency import border_saliency
from ddvideo.tasks.segment.threshold import still_threshold, weighted_otsu

H, W = 120, 180
BY_HAND = np.int32([[0, 0, 1, 1], [0, 2, 2, 1], [3, 3, 3, 1]])


def disc(scale=1.0):
    y, x = np.mgrid[0 : round(H * scale), 0 : round(W * scale)]
    return np.hypot(x - 70 * scale, y - 55 * scale) < 28 * scale


def grain(cell, height, width, seed=0):
    """Grey grain of one mean and one contrast, so that only its coarseness tells one from another."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.normal(0, 1, (height // cell + 2, width // cell + 2)), None, fx=cell, fy=cell)
    grey = coarse[:height, :width]
    return np.repeat(128 + 24 * (grey / grey.std())[..., None], 3, axis=2)


def scored(picture, count=250):
    """Labels, number and score of a picture's superpixels."""
    rgb = np.clip(picture, 0, 255).astype(np.uint8)
    lab = to_lab(rgb)
    labels = superpixels(lab, count)
    count = int(labels.max()) + 1
    return labels, border_saliency(appearance(lab, labels, count), lab, labels, count)


def told_apart(labels, score, mask):
    """How much likelier the object scores higher than the ground: the area under the ROC curve, over superpixels."""
    share = mean_per_label(mask.astype(np.float32), labels, len(score))
    inside, outside = score[share > 0.8], score[share < 0.2]
    return float((inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean())


def test_neighbours_by_hand():
    np.testing.assert_array_equal(adjacent_labels(BY_HAND), [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])
    assert adjacent_labels(np.zeros((3, 3), np.int32)).shape == (0, 2)


def test_the_barrier_is_the_least_range_that_a_path_crosses():
    """A chain 0 - 1 - 2 - 3 with a way around its hill: 0 - 4 - 2."""
    chain, around = [[0, 1], [1, 2], [2, 3]], [[0, 4], [2, 4]]
    start = np.array([True, False, False, False, False])
    hill = np.float32([[0], [9], [2], [1], [3]])
    np.testing.assert_allclose(barrier_distance(hill, np.array(chain), start), [0, 9, 9, 9, 0])
    np.testing.assert_allclose(barrier_distance(hill, np.array(chain + around), start), [0, 9, 3, 3, 3])
    # A path that goes down and up crosses one range; a second channel adds its own along the same path.
    both = np.concatenate([hill, np.float32([[5], [4], [6], [6], [5]])], 1)
    np.testing.assert_allclose(barrier_distance(both, np.array(chain + around), start), [0, 11, 4, 4, 3])


def test_without_a_path_there_is_no_barrier():
    values, pairs = np.float32([[0], [5], [9]]), np.array([[0, 1]])
    np.testing.assert_array_equal(barrier_distance(values, pairs, np.array([True, False, False])), [0, 5, 0])
    np.testing.assert_array_equal(barrier_distance(values, pairs, np.zeros(3, bool)), 0)
    np.testing.assert_array_equal(barrier_distance(values, np.empty((0, 2), int), np.ones(3, bool)), 0)


def test_an_object_is_found_by_its_colour():
    """On a slope of light, whose ends differ more from each other than the object does from what is around it."""
    slope = np.linspace(60, 190, W)[None, :, None] + np.zeros((H, 1, 3))
    picture = slope + np.where(disc()[..., None], [25.0, -10, -25], 0)
    labels, score = scored(picture)
    assert told_apart(labels, score, disc()) > 0.97


def test_an_object_is_found_whose_colour_occurs_on_the_border_too():
    """A spot in the corner has it as well, but what lies between is a barrier."""
    ground, coloured = grain(3, H, W), disc()
    coloured[:30, -40:] = True
    labels, score = scored(np.where(coloured[..., None], [190.0, 120, 60], ground))
    assert told_apart(labels, score, disc()) > 0.85


def test_an_object_is_found_by_its_texture():
    """Coarse grain on fine grain of the same grey: no colour tells them apart."""
    picture = np.where(disc()[..., None], grain(12, H, W), grain(2, H, W, seed=1))
    labels, score = scored(picture)
    assert told_apart(labels, score, disc()) > 0.85


def test_the_score_does_not_depend_on_the_size():
    scores = []
    for scale in (1.0, 2.0):
        height, width = disc(scale).shape
        ground = cv2.resize(grain(6, H, W), (width, height), interpolation=cv2.INTER_LINEAR)
        labels, score = scored(np.where(disc(scale)[..., None], ground + np.array([40, -20, 0]), ground))
        scores.append(cv2.resize(score[labels], (W, H), interpolation=cv2.INTER_AREA))
        assert told_apart(labels, score, disc(scale)) > 0.97
    assert np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("noise", [0.0, 1.0, 8.0])
def test_nothing_stands_out_where_all_looks_alike(noise):
    _, score = scored(np.full((H, W, 3), 120.0) + np.random.default_rng(0).normal(0, noise, (H, W, 3)))
    np.testing.assert_array_equal(score, 0)


@pytest.mark.parametrize(("height", "width", "count"), [(16, 16, 1), (16, 16, 4), (1, 40, 3)])
def test_few_superpixels_have_a_score(height, width, count):
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
    labels = (np.arange(height * width).reshape(height, width) * count // (height * width)).astype(np.int32)
    lab = to_lab(picture)
    score = border_saliency(appearance(lab, labels, count), lab, labels, count)
    assert score.shape == (count,)
    assert np.isfinite(score).all()
    assert ((score >= 0) & (score <= 1)).all()


def test_two_classes_are_cut_between():
    """However large the object: a tenth of the frame, or four."""
    rng = np.random.default_rng(0)
    for many in (100, 400):
        scores = np.concatenate([rng.normal(0.8, 0.1, many), rng.normal(0.1, 0.05, 1000 - many)]).astype(np.float32)
        threshold = still_threshold(scores, np.ones(1000))
        assert threshold == weighted_otsu(scores, np.ones(1000))
        assert 0.2 < threshold < 0.6


def test_of_a_slope_only_the_top_is_taken():
    """A small object above a background whose scores slope: Otsu's threshold would pass through the slope."""
    scores = np.concatenate([np.linspace(0, 0.6, 900), np.linspace(0.9, 1, 40)]).astype(np.float32)
    sizes = np.ones(len(scores))
    assert weighted_otsu(scores, sizes) < 0.45
    assert still_threshold(scores, sizes) > 0.45
    # Of a wide slope, no more than three times the mean is asked for.
    rare = np.concatenate([np.linspace(0, 0.2, 3000), np.linspace(0.2, 1, 150)]).astype(np.float32)
    assert still_threshold(rare, np.ones(len(rare))) <= 3 * rare.mean() + 1e-6


def test_the_still_threshold_goes_with_the_scores_and_their_weights():
    scores = np.random.default_rng(1).random(200).astype(np.float32) ** 3
    sizes = np.random.default_rng(2).integers(1, 6, 200)
    repeated = np.repeat(scores, sizes)
    threshold = still_threshold(scores, sizes)
    assert threshold == pytest.approx(still_threshold(repeated, np.ones(len(repeated))), rel=1e-4)
    assert still_threshold(4 * scores, sizes) == pytest.approx(4 * threshold, rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_no_score_reaches_the_still_threshold_where_all_are_equal(level):
    assert still_threshold(np.full(50, level, np.float32), np.ones(50)) > level
