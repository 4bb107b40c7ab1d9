from __future__ import annotations

import cv2
import numpy as np

from ddvideo.motion.flow_chains import chained, more_consistent, neighbour_flows, with_far_ones
from ddvideo.tasks.separate.reflection_motion import drift, fine_detail, registered_mean

H, W = 72, 108


def texture(seed, size_px, height=H + 60, width=W + 120):
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), size_px)
    return np.clip(0.5 + 0.15 * soft / soft.std(), 0, 1)


def panned(ground, per_frame, count):
    """Crops that see the ground move by ``per_frame``, in whole pixels."""
    x, y = per_frame
    return [ground[30 - y * t : 30 - y * t + H, 60 - x * t : 60 - x * t + W] for t in range(count)]


def grey(picture):
    return np.rint(picture.mean(2) * 255).astype(np.uint8)


def constant(x, y, size=(H, W)):
    return np.full((*size, 2), (x, y), np.float32)


def test_far_flows_are_put_together_from_near_ones():
    flows = {}
    for t in range(8):
        flows[t, t + 1], flows[t + 1, t] = constant(1 + t % 2, -1), constant(-1 - t % 2, 1)
    far = with_far_ones(flows, 9, (2, 4, 8))
    assert {abs(a - b) for a, b in far} == {1, 2, 4, 8}
    assert len(far) == 2 * (8 + 7 + 5 + 1)
    for (a, b), flow in far.items():
        way = sum(1 + t % 2 for t in range(min(a, b), max(a, b))) * np.sign(b - a)
        np.testing.assert_allclose(flow, constant(way, a - b), atol=1e-4)


def test_the_second_flow_of_a_chain_is_read_where_the_first_one_ends():
    first = constant(2, 0)
    second = np.zeros((H, W, 2), np.float32)
    second[..., 1] = np.arange(W)
    np.testing.assert_allclose(chained(first, second)[5, 10], (2, 12))


def test_of_two_flows_the_one_that_comes_back_is_taken():
    right = {(0, 1): constant(3, 0), (1, 0): constant(-3, 0)}
    astray = {(0, 1): constant(1, 2), (1, 0): constant(1, 0)}
    for pair in ((right, astray), (astray, right)):
        np.testing.assert_allclose(more_consistent(*pair)[0, 1], right[0, 1], atol=1e-3)


def test_flow_is_told_at_the_size_asked_for():
    frames = [grey(frame) for frame in panned(texture(0, 1.5), (4, 2), 3)]
    flows = neighbour_flows(frames, (H // 2, W // 2))
    assert set(flows) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    np.testing.assert_allclose(np.median(flows[0, 1].reshape(-1, 2), 0), (2, 1), atol=0.1)


def test_fine_detail_follows_the_sharp_layer_where_the_picture_follows_the_soft_one():
    scene, soft = panned(texture(1, 1.2), (2, 0), 2), panned(texture(2, 5), (-2, 1), 2)
    both = [0.3 * a + 0.7 * b for a, b in zip(scene, soft, strict=True)]
    whole = neighbour_flows([grey(picture) for picture in both])[0, 1]
    fine = neighbour_flows([fine_detail((255 * picture).astype(np.uint8)) for picture in both])[0, 1]
    right = [(np.hypot(*(flow - (2, 0)).transpose(2, 0, 1))[8:-8, 8:-8] < 0.5).mean() for flow in (whole, fine)]
    assert right[1] > right[0] + 0.3


def test_what_moves_otherwise_fades_from_a_registered_mean():
    scene, soft = panned(texture(3, 2), (1, 0), 12), panned(texture(4, 3), (-2, 0), 12)
    both = [0.7 * a + 0.15 * b for a, b in zip(scene, soft, strict=True)]
    flows = {}
    for t in range(11):
        flows[t, t + 1], flows[t + 1, t] = constant(1, 0), constant(-1, 0)
    mean = registered_mean(both, flows)[6]
    inner = np.s_[8:-8, 16:-16]
    before, after = (np.std((picture - 0.7 * scene[6])[inner]) for picture in (both[6], mean))
    assert after < 0.6 * before


def test_the_drift_of_a_faint_layer_is_found():
    scene, soft = panned(texture(5, 2), (2, 0), 14), panned(texture(6, 3), (-1, 1), 14)
    both = [0.7 * a + 0.25 * b for a, b in zip(scene, soft, strict=True)]
    found = drift(both, [0.7 * a + 0.125 for a in scene])
    assert found.shape == (13, 2)
    np.testing.assert_allclose(np.median(found, 0), (-1, 1), atol=0.25)


def test_nothing_drifts_where_nothing_is_left():
    still = [texture(7, 2)[:H, :W]] * 4
    assert drift(still, still).shape == (3, 2)
