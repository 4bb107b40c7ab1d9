from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.motion.temporal_filter import temporal_filter

H, W, T = 96, 128, 24


def links(frames=T, *, x=0.0, y=0.0, confidence=1.0):
    """To the frame before and to the one after, of a pattern that goes ``x, y`` pixels a frame; none at the ends."""
    trust = np.full((H, W), confidence, np.float32)
    flow = np.broadcast_to(np.float32([x, y]), (H, W, 2)).copy()
    back = [None] + [(-flow, trust)] * (frames - 1)
    ahead = [(flow, trust)] * (frames - 1) + [None]
    return back, ahead


def noise(seed=0, frames=T):
    return list(np.random.default_rng(seed).standard_normal((frames, H, W)).astype(np.float32))


def moving(x, y, frames=T):
    """A pattern that goes ``x, y`` whole pixels a frame."""
    wide = np.random.default_rng(3).random((H + 200, W + 200), np.float32)
    wide = cv2.GaussianBlur(wide, (0, 0), 1) * 4
    return [wide[100 - y * t : 100 - y * t + H, 100 - x * t : 100 - x * t + W].copy() for t in range(frames)]


def test_a_still_map_stays():
    still = moving(0, 0, 1) * T
    out = temporal_filter(still, *links())
    assert out.shape == (T, H, W)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, still, atol=1e-5)


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.9])
def test_noise_in_time_is_averaged(memory):
    """Two leaky averages, of which each leaves (1 - m) / (1 + m) of the variance, and share the frame itself."""
    out = temporal_filter(noise(frames=120), *links(120), memory=memory)[40:80]
    left = (1 - memory) / (1 + memory)
    expected = np.sqrt(0.5 * left + 0.5 * (1 - memory) ** 2)
    assert out.std() == pytest.approx(expected, rel=0.02)
    assert abs(out.mean()) < 0.02


def test_noise_on_a_still_clip_is_less_than_half():
    still = np.array(moving(0, 0, 1) * T)
    out = temporal_filter(list(still + 0.1 * np.array(noise())), *links())
    assert (out - still).std() < 0.05
    assert (out - still)[[0, -1]].std() < 0.08  # the ends have half the neighbours


@pytest.mark.parametrize(("x", "y"), [(2, 0), (0, -1), (-2, 1)])
def test_what_moves_stays_sharp(x, y):
    """Where nothing has come in over the edge of the frame."""
    pattern = np.array(moving(x, y))
    inside = np.s_[:, T:-T, 2 * T : -2 * T]
    followed, smeared = (temporal_filter(list(pattern), *way) - pattern for way in (links(x=x, y=y), links()))
    assert np.abs(followed[inside]).max() < 1e-4
    assert smeared[inside].std() > 0.4 * pattern.std()


def test_noise_is_averaged_along_the_motion():
    pattern = np.array(moving(2, 0))
    noisy = list(pattern + 0.1 * np.array(noise()))
    error = (temporal_filter(noisy, *links(x=2)) - pattern)[:, :, 2 * T : -2 * T]
    assert error.std() < 0.05


def test_without_confidence_nothing_changes():
    maps = noise()
    np.testing.assert_array_equal(temporal_filter(maps, *links(x=2, confidence=0)), maps)


def test_confidence_is_taken_pixel_by_pixel():
    maps = noise()
    back, ahead = links()
    trust = np.zeros((H, W), np.float32)
    trust[:, W // 2 :] = 1
    back, ahead = ([link and (link[0], trust) for link in side] for side in (back, ahead))
    out = temporal_filter(maps, back, ahead)
    np.testing.assert_array_equal(out[..., : W // 2], np.array(maps)[..., : W // 2])
    assert out[4:-4, :, W // 2 :].std() < 0.5


def test_frames_without_links_are_untouched_and_part_the_clip():
    maps = noise(frames=9)
    back, ahead = links(9)
    back[4] = ahead[4] = back[5] = ahead[3] = None
    out = temporal_filter(maps, back, ahead)
    np.testing.assert_array_equal(out[4], maps[4])
    parted = [temporal_filter(maps[part], *links(4)) for part in (slice(0, 4), slice(5, 9))]
    np.testing.assert_allclose(out[[0, 1, 2, 3, 5, 6, 7, 8]], np.concatenate(parted), atol=1e-6)
    np.testing.assert_array_equal(temporal_filter(maps, [None] * 9, [None] * 9), maps)


def test_a_single_map_stays():
    (alone,) = noise(frames=1)
    np.testing.assert_array_equal(temporal_filter([alone], [None], [None])[0], alone)


def test_trust_is_the_least_confidence_of_every_flow():
    maps = noise()
    unsure = [[link and (link[0], 0.2 * link[1]) for link in side] for side in links()]
    wanted = [[link and (link[0], 0.6 * link[1]) for link in side] for side in links()]
    np.testing.assert_allclose(temporal_filter(maps, *unsure, trust=0.6), temporal_filter(maps, *wanted), atol=1e-6)
    np.testing.assert_array_equal(temporal_filter(maps, *wanted, trust=0.2), temporal_filter(maps, *wanted))
    assert np.abs(temporal_filter(maps, *unsure) - temporal_filter(maps, *wanted)).mean() > 0.1
