from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.sparse import csr_array

from ddvideo.graph.features import FEATURES, appearance
from ddvideo.graph.neighbours import likeness_graph
from ddvideo.graph.superpixels import border_labels, mean_per_label, superpixels, to_lab
from ddvideo.graph.voting import reliability, vote

H, W, FRAMES = 90, 140, 4
COUNT = 120


def disc(t):
    y, x = np.mgrid[0:H, 0:W]
    return np.hypot(x - 60 - 6 * t, y - 45) < 26


def two_textures(t):
    """A reddish disc of coarse grain goes over greenish ground of fine grain; ``(H, W, 3)`` uint8."""
    rng = np.random.default_rng(t)
    fine = rng.normal(0, 8, (H, W, 3))
    coarse = cv2.resize(rng.normal(0, 12, (H // 6, W // 6, 3)), (W, H), interpolation=cv2.INTER_CUBIC)
    picture = np.where(disc(t)[..., None], coarse + np.array([150, 90, 80]), fine + np.array([90, 130, 80]))
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clip():
    """Superpixels of the frames, the graph over all, and which of them are of the disc or on the edge."""
    labels = [superpixels(to_lab(two_textures(t)), COUNT) for t in range(FRAMES)]
    counts = [int(label.max()) + 1 for label in labels]
    features = [appearance(to_lab(two_textures(t)), labels[t], counts[t]) for t in range(FRAMES)]
    shares = [mean_per_label(disc(t).astype(np.float32), labels[t], counts[t]) for t in range(FRAMES)]
    return {
        "labels": labels,
        "counts": counts,
        "features": features,
        "graph": likeness_graph(features),
        "share": np.concatenate(shares),
        "border": np.concatenate([border_labels(label, n) for label, n in zip(labels, counts, strict=True)]),
    }


@pytest.mark.parametrize("count", [2, 40, 400])
@pytest.mark.parametrize("kind", ["pond", "textures", "flat"])
def test_superpixel_labels_have_no_gaps(kind, count, scene):
    if kind == "pond":
        frame = np.rint(255 * scene("mover").frame(0)).astype(np.uint8)
    else:
        frame = two_textures(0) if kind == "textures" else np.full((H, W, 3), 77, np.uint8)
    labels = superpixels(to_lab(frame), count)
    assert labels.shape == frame.shape[:2]
    assert labels.dtype == np.int32
    found = np.unique(labels)
    np.testing.assert_array_equal(found, np.arange(len(found)))
    if kind != "textures":  # where grain is strong, regions of one colour are few
        assert 0.4 * count <= len(found) <= 1.6 * count


def test_superpixels_keep_to_the_edges_of_what_is_seen(clip):
    assert ((clip["share"] < 0.15) | (clip["share"] > 0.85)).mean() > 0.85


def test_lab_of_known_colours():
    lab = to_lab(np.uint8([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]]))
    np.testing.assert_allclose(lab[0], [[100, 0, 0], [0, 0, 0], [53.2, 80.1, 67.2]], atol=0.5)


def test_mean_per_label_by_hand():
    labels = np.int32([[0, 0, 1], [3, 1, 1]])
    values = np.float32([[1, 2, 3], [4, 5, 10]])
    np.testing.assert_array_equal(mean_per_label(values, labels, 4), np.float32([1.5, 6, 0, 4]))
    two = np.stack([values, -2 * values], -1)
    np.testing.assert_array_equal(mean_per_label(two, labels, 4)[:, 1], np.float32([-3, -12, 0, -8]))


def test_labels_on_the_border_by_hand():
    labels = np.int32([[0, 0, 0, 1], [2, 3, 4, 1], [2, 5, 5, 1]])
    np.testing.assert_array_equal(border_labels(labels, 6), [True, True, True, False, False, True])


def test_features_are_nearer_within_a_texture_than_across(clip):
    features, share = clip["features"][0], clip["share"][: clip["counts"][0]]
    assert features.shape == (clip["counts"][0], FEATURES)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    inside, outside = features[share > 0.9], features[share < 0.1]

    def mean_distance(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)).mean()

    across = mean_distance(inside, outside)
    assert across > 1.4 * mean_distance(inside, inside)
    assert across > 1.4 * mean_distance(outside, outside)


def test_rows_of_the_graph_sum_to_one(clip):
    graph = clip["graph"]
    total = sum(clip["counts"])
    assert graph.shape == (total, total)
    assert graph.data.min() >= 0
    np.testing.assert_allclose(graph.sum(1), 1, atol=1e-5)
    assert graph.diagonal().max() == 0
    assert (np.diff(graph.indptr) == 14).all()


def test_rows_sum_to_one_also_for_what_is_like_nothing_else():
    """A crowd of nearly equal superpixels sets the scale; the odd one out still needs neighbours."""
    features = np.random.default_rng(0).normal(0, 0.01, (60, 5)).astype(np.float32)
    features[7] += 10
    graph = likeness_graph([features])
    np.testing.assert_allclose(graph.sum(1), 1, atol=1e-5)


def test_neighbours_are_the_nearest_among_the_offsets():
    rng = np.random.default_rng(1)
    features = [rng.random((12, 4), np.float32) for _ in range(5)]
    graph = likeness_graph(features, neighbours=3, offsets=(0, 2, -2)).toarray()
    everything = np.concatenate(features)
    frame = np.arange(60) // 12
    for row in range(60):
        distance = ((everything - everything[row]) ** 2).sum(1)
        distance[row] = np.inf
        distance[~np.isin(frame - frame[row], (0, 2, -2))] = np.inf
        nearest = np.argsort(distance)[:3]
        assert set(np.flatnonzero(graph[row])) == set(nearest)
        assert graph[row, nearest[0]] == graph[row].max()


def test_a_vote_by_hand():
    graph = csr_array(np.float32([[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]]))
    scores = np.float32([1, 0, 0])
    np.testing.assert_allclose(vote(graph, scores, steps=1), [0, 0.5, 0])
    np.testing.assert_allclose(vote(graph, scores, steps=2), [0.5, 0, 0.5])
    np.testing.assert_array_equal(vote(graph, scores, steps=0), scores)


def test_a_vote_spreads_a_seed_over_its_likes_and_not_to_others(clip):
    """Only some of the disc is seeded, and in the first frame alone."""
    seed = np.zeros(len(clip["share"]), np.float32)
    first = np.flatnonzero(clip["share"][: clip["counts"][0]] > 0.9)
    seed[first[::2]] = 1
    voted = vote(clip["graph"], seed, steps=15)
    inside, outside = clip["share"] > 0.9, clip["share"] < 0.1
    last = np.arange(len(seed)) >= len(seed) - clip["counts"][-1]
    assert voted[inside & last].mean() > 5 * voted[outside & last].mean()
    assert np.median(voted[inside]) > np.quantile(voted[outside], 0.95)


def test_a_seed_that_follows_likeness_is_reliable_and_noise_is_not(clip):
    noise = np.random.default_rng(0).random(len(clip["share"])).astype(np.float32)
    same = np.ones_like(noise)
    for seed, low, high in ((clip["share"], 0.7, 1.0), (noise, -1.0, 0.4)):
        assert low < reliability(seed, vote(clip["graph"], seed, steps=15), same) <= high
    assert np.isfinite(reliability(0 * noise, 0 * noise, same))


def test_reliability_counts_what_has_weight():
    before, after = np.float32([0, 1, 0, 1]), np.float32([0, 1, 1, 0])
    assert reliability(before, after, np.float32([1, 1, 0, 0])) == pytest.approx(1)
    assert reliability(before, after, np.float32([0, 0, 1, 1])) == pytest.approx(1 - 4)
    assert reliability(before, after, np.ones(4, np.float32)) == pytest.approx(1 - 0.5 / 0.25)
