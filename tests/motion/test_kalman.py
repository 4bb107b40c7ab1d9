from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.motion.kalman import kalman_filter
from tests.tasks.dewatermark.mark_scenes import scenery

H, W, T = 40, 56, 10


def links(pan=(0, 0), frames=T, trust=1.0):
    """The way to the frame before, of a camera that goes ``pan`` pixels a frame."""
    flow = np.broadcast_to(np.float32(pan), (H, W, 2)).copy()
    return [None] + [(flow, np.full((H, W), trust, np.float32))] * (frames - 1)


def measured(frames, variance=1e-4):
    return [(frame, np.full((H, W), variance, np.float32)) for frame in frames]


def once(frames=T, variance=1e-4):
    """Only the first frame is measured."""
    grey = np.full((H, W, 3), 0.5, np.float32)
    return measured([grey], variance) + measured([grey] * (frames - 1), 1e6)


def away_from_the_border(maps, pan, t):
    """Where nothing has come in over the frame's border in ``t`` frames; cubics reach two pixels further."""
    x, y = abs(pan[0]) * t + 2, abs(pan[1]) * t + 2
    return maps[y : H - y, x : W - x]


@pytest.mark.parametrize("pan", [(0, 0), (2, 0), (0, -1), (-1, 1)])
def test_the_prediction_of_a_shift_is_exact(pan):
    clean = scenery(pan, frames=T, height=H, width=W)
    for t, (predicted, precision) in enumerate(kalman_filter(measured(clean), links(pan))):
        if t:
            error = away_from_the_border(predicted - clean[t], pan, t)
            assert error.size
            assert np.abs(error).max() < 1e-5
            assert precision.min() > 0
        else:
            assert not predicted.any()


def test_a_wrong_way_predicts_something_else():
    clean = scenery((2, 0), frames=T, height=H, width=W)
    (_, (predicted, _), *_) = kalman_filter(measured(clean), links((-2, 0)))
    assert np.abs(predicted - clean[1]).mean() > 0.05


def test_precision_falls_along_the_way():
    variances = 1 / np.array([precision.mean() for _, precision in list(kalman_filter(once(), links()))[1:]])
    grown = np.diff(variances)
    assert grown.min() > 1e-4
    np.testing.assert_allclose(grown, grown[0], rtol=0.01)
    assert variances[0] == pytest.approx(1e-4 + grown[0], rel=0.01)


def test_precision_grows_with_what_is_measured():
    precisions = np.array(
        [precision.mean() for _, precision in list(kalman_filter(measured(np.zeros((T, H, W, 3))), links()))]
    )
    assert precisions[0] == 0
    assert (np.diff(precisions) >= 0).all()
    rough = np.array([p.mean() for _, p in kalman_filter(measured(np.zeros((T, H, W, 3)), 1e-2), links())])
    assert (rough[1:] < precisions[1:]).all()
    assert rough[-1] > 3 * rough[1]


def test_precision_falls_where_the_flow_is_not_sure():
    """And only there."""
    way = links()
    trust = np.linspace(0, 1, W, dtype=np.float32)[None].repeat(H, 0)
    way[1] = way[1][0], trust
    (_, (_, precision), *_) = kalman_filter(measured(np.zeros((T, H, W, 3))), way)
    assert (np.diff(precision[H // 2]) > 0).all()
    assert precision[0, 0] < 5
    assert precision[0, -1] > 1000


def test_nothing_is_known_without_a_link():
    clean = scenery((0, 0), frames=T, height=H, width=W)
    clean[5:] = 1 - clean[5:]
    way = links()
    way[5] = None
    found = list(kalman_filter(measured(clean), way))
    for t in (0, 5):
        assert not found[t][1].any()
        assert not found[t][0].any()
    np.testing.assert_allclose(found[6][0], clean[6], atol=1e-5)
    np.testing.assert_array_equal(found[6][1], found[1][1])  # as if the clip began there


@given(t=st.integers(0, T - 1))
def test_a_frame_has_no_part_in_its_own_prediction(t):
    frames = np.full((T, H, W, 3), 0.5, np.float32)
    before = [(p.copy(), q.copy()) for p, q in kalman_filter(measured(frames), links())]
    frames[t] = 0.6
    after = list(kalman_filter(measured(frames), links()))
    for at, ((p, q), (p_after, q_after)) in enumerate(zip(before, after, strict=True)):
        if at <= t:
            np.testing.assert_array_equal(p, p_after)
            np.testing.assert_array_equal(q, q_after)
        elif at == t + 1:
            assert np.abs(p_after - p).min() > 0.01


def test_noise_is_averaged():
    noise = 0.02
    frames = 0.5 + noise * np.random.default_rng(0).standard_normal((T, H, W, 3)).astype(np.float32)
    predicted, precision = list(kalman_filter(measured(frames, noise**2), links()))[-1]
    assert (predicted - 0.5).std() < 0.75 * noise
    assert (predicted - 0.5).std() < np.sqrt(1 / precision.mean()) < 1.2 * noise  # it claims no more than it has


def test_what_looks_quite_different_from_the_prediction_is_taken_anew():
    """Something that comes out from behind something else, along a flow that is said to be sure."""
    frames = np.full((T, H, W, 3), 0.2, np.float32)
    frames[4:] = 0.8
    found = list(kalman_filter(measured(frames, 1e-3), links()))
    np.testing.assert_allclose(found[4][0], 0.2, atol=1e-4)
    np.testing.assert_allclose(found[5][0], 0.8, atol=0.01)


def test_backwards_it_tells_what_later_frames_say():
    pan = (1, 1)
    clean = scenery(pan, frames=T, height=H, width=W)
    back = list(kalman_filter(measured(clean[::-1]), links((-1, -1))))[::-1]
    error = away_from_the_border(back[3][0] - clean[3], pan, T - 4)
    assert np.abs(error).max() < 1e-5


def test_as_many_links_as_frames_are_needed():
    with pytest.raises(ValueError, match="shorter"):
        list(kalman_filter(measured(np.zeros((T, H, W, 3))), links(frames=T - 1)))


def test_a_step_that_adds_more_leaves_less_precision():
    more = np.ones((H, W), np.float32)
    more[:, 28:] = 9
    (_, (_, plain), *_), (_, (_, grown), *_) = kalman_filter(once(), links()), kalman_filter(once(), links(), more)
    np.testing.assert_array_equal(plain[:, :28], grown[:, :28])
    added = 1 / plain[:, 28:] - 1e-4
    np.testing.assert_allclose(1 / grown[:, 28:] - 1e-4, 9 * added, rtol=0.01)
