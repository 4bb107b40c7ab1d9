from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from benchmarks.material import unit
from benchmarks.mixtures import MOVING, STILL, Pair, fitted, mixed, moving_reflection, still_reflection
from tests.test_benchmark_haze import confetti

WIDTH, HEIGHT = 216, 120


def smooth(height, width, seed):
    """A texture whose motion can be measured."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 20, 235, cv2.NORM_MINMAX)


def shifts(frames):
    """How far the middle of each frame has moved from the last one, ``(T - 1, 2)`` pixels, x then y."""
    greys = [frame[20:-20, 20:-20].mean(axis=2) for frame in frames]
    window = cv2.createHanningWindow(greys[0].shape[::-1], cv2.CV_32F)
    return np.array([cv2.phaseCorrelate(np.float32(one), np.float32(two), window)[0] for one, two in pairwise(greys)])


def test_a_mixture_is_the_exact_sum_of_its_layers():
    scene = confetti(HEIGHT, WIDTH)
    scene[:10] = 255
    reflection = np.full(scene.shape, 0.3, np.float32)
    reflection[:, 100:] = 0.1234
    moment = mixed(scene, reflection)
    assert (moment.transmission == np.floor(scene * 0.75 + 0.5)).all()
    assert set(np.unique(moment.reflection)) == {31, 77}  # 0.1234 of 255 is 31.5; 0.3 is 76.5
    total = moment.transmission.astype(int) + moment.reflection
    assert np.abs(moment.mixture - np.minimum(total, 255.0)).max() <= 1
    assert (moment.mixture[:10, :100] == 255).all()
    assert total[0, 0, 0] > 255
    exact = 255 * (0.75 * unit(scene) + reflection)
    assert np.abs(moment.mixture - np.minimum(exact, 255)).max() <= 0.501


def test_a_still_reflection_sways_smoothly_and_always_alike():
    picture = smooth(150, 270, 1)
    frames = list(still_reflection(picture, 7, 30, WIDTH, HEIGHT))
    assert {(frame.shape, frame.dtype.name) for frame in frames} == {((HEIGHT, WIDTH, 3), "float32")}
    assert 0 <= min(frame.min() for frame in frames) < max(frame.max() for frame in frames) <= 0.3
    moves = shifts(frames)
    # Within 20 px in 50 to 80 frames, a swing is never faster than 2.5 px a frame, down half of that; and it bends
    # no more than 0.35 px a frame.
    assert 0.8 < np.abs(moves[:, 0]).max() < 2.9
    assert 0.4 < np.abs(moves[:, 1]).max() < 1.6
    assert np.abs(np.diff(moves, axis=0)).max() < 0.5
    assert abs(moves.sum(axis=0)[0]) < 40
    longer = still_reflection(picture, 7, 50, WIDTH, HEIGHT)
    assert all((one == two).all() for one, two in zip(frames, longer, strict=False))
    other = next(still_reflection(picture, 8, 1, WIDTH, HEIGHT))
    assert np.abs(other - frames[0]).mean() > 0.01


def test_a_still_reflection_turns_and_zooms_about_its_middle():
    """Corners of the frame move apart from its middle by 3 % and 1.5 degrees at most."""
    picture = np.zeros((120, 216, 3), np.uint8)
    picture[58:62, 106:110] = 255
    spots, sizes = [], []
    for frame in still_reflection(picture, 3, 60, WIDTH, HEIGHT):
        rows, columns = np.nonzero(frame.mean(axis=2) > 0.02)
        spots.append((columns.mean() - 107.5, rows.mean() - 59.5))
        sizes.append(frame.sum())
    reach = np.abs(spots).max(axis=0)
    assert 15 < reach[0] < 20.7
    assert 7 < reach[1] < 10.7
    # 16 pixels in three colours, 1.25 times as large each way.
    assert np.mean(sizes) == pytest.approx(16 * 3 * 0.3 * 1.25**2, rel=0.05)
    assert 1.06 < max(sizes) / min(sizes) < 1.2  # a spot of (1.03 / 0.97)^2 its size


def test_a_small_frame_shows_the_same_in_small():
    picture = smooth(300, 540, 2)
    clips = (still_reflection(picture, 5, 6, width, width * 5 // 9) for width in (432, 216))
    for large, small in zip(*clips, strict=True):
        reduced = cv2.resize(large, (216, 120), interpolation=cv2.INTER_AREA)
        assert np.abs(reduced - small).mean() < 0.004


def test_a_moving_reflection_pans_over_its_sequence():
    scene = smooth(240, 432, 3)
    frames = list(moving_reflection([scene] * 24))
    assert shifts(frames) == pytest.approx(np.tile([1.2, 0.4], (23, 1)), abs=0.08)
    assert max(frame.max() for frame in frames) <= 0.3
    # In frame 20, what is in the middle is in the middle, 1.15 times larger.
    spot = np.zeros_like(scene)
    spot[100:140, 196:236] = 255
    rows, columns = np.nonzero(list(moving_reflection([spot] * 21))[20].mean(axis=2) > 0.15)
    assert (rows.mean(), columns.mean()) == pytest.approx((119.5, 215.5), abs=0.2)
    assert rows.max() - rows.min() + 1 == pytest.approx(46, abs=1)
    other = list(moving_reflection([scene, 255 - scene]))
    assert np.abs(other[0] - frames[0]).max() == 0
    assert np.abs(other[1] - frames[1]).mean() > 0.02


def test_pairs_have_names_and_seeds_of_their_own():
    assert [pair.name for pair in STILL][:2] == ["lucia-motorcycle_left", "boat-astronaut"]
    assert (len(STILL), len({pair.name for pair in STILL})) == (8, 8)
    assert (len(MOVING), len({pair.name for pair in MOVING})) == (5, 5)
    assert len({pair.seed for pair in STILL}) == 8
    assert Pair("lucia", "motorcycle_left.png").seed == 39


def test_a_frame_is_averaged_where_it_is_made_smaller():
    picture = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    blocks = picture.reshape(12, 3, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(fitted(picture, 16, 12) - blocks).max() <= 0.51
