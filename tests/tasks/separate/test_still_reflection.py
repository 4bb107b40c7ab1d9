"""What a single picture tells of a pane's reflection."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.separate.still_reflection import still_reflection

SIDE = 224


def tiles(seed=0, height=SIDE, width=SIDE):
    """Sharp tiles of many sizes and colours, one over another, none of them light."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 0.25, np.float32)
    for _ in range(60):
        top, left = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(height // 16, height // 4, 2)
        picture[top : top + tall, left : left + wide] = rng.uniform(0, 0.5, 3)
    return picture


def blob(height=SIDE, width=SIDE, colour=(0.5, 0.25, 0.05), sharpness=0.12):
    """A soft patch of light left of the middle."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    off = ((x / width - 0.4) ** 2 + (y / height - 0.5) ** 2) / sharpness**2
    return np.exp(-off / 2)[..., None] * np.float32(colour)


def error(picture):
    """Mean square of what is not one colour all over."""
    return float(np.square(picture - picture.mean((0, 1))).mean())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("height", "width", "times"), [(SIDE, SIDE, 1), (150, 120, 1), (126, 224, 2)])
def test_a_soft_patch_of_light_over_a_sharp_scene_grows_fainter(seed, height, width, times):
    scene = tiles(seed, height, width).repeat(times, 0).repeat(times, 1)
    light = blob(*scene.shape[:2])
    left = light - still_reflection(scene + light)
    assert error(left) < 0.8 * error(light)  # 1 dB
    assert np.square(left).mean() < 0.8 * np.square(light).mean()


def test_the_patch_is_found_where_it_is_and_in_its_colour():
    scene, light = tiles(), blob()
    found = still_reflection(scene + light)
    assert np.corrcoef(found.ravel(), light.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_a_sharp_scene_alone_has_next_to_no_reflection(seed):
    scene = tiles(seed)
    assert np.square(still_reflection(scene)).mean() < 1e-4  # 40 dB


def test_shading_of_the_scene_s_own_hue_is_no_reflection():
    scene = tiles(1)
    shaded = scene * (0.6 + blob(colour=(0.4, 0.4, 0.4)))
    assert np.square(still_reflection(shaded)).mean() < 1e-4


def test_the_reflection_is_between_nothing_and_the_picture():
    noise = np.random.default_rng(0).random((90, 130, 3), np.float32)
    for picture in (noise, cv2.GaussianBlur(noise, (0, 0), 6), np.clip(tiles() + blob(colour=(1.0, 0.6, 0.2)), 0, 1)):
        found = still_reflection(picture)
        assert found.dtype == np.float32
        assert found.shape == picture.shape
        assert (found >= 0).all()
        assert (found <= picture).all()


def test_fine_detail_stays_the_scene_s():
    scene = tiles() + np.random.default_rng(3).normal(0.05, 0.02, (SIDE, SIDE, 1)).astype(np.float32)
    found = still_reflection(np.clip(scene + blob(), 0, 1))
    inside = found[40:-40, 40:-40]
    assert np.abs(inside - cv2.GaussianBlur(inside, (0, 0), 1)).mean() < 2e-3


def test_a_larger_picture_has_the_same_reflection():
    small = tiles() + blob()
    large = cv2.resize(small, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_NEAREST)
    found = cv2.resize(still_reflection(large), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(found, still_reflection(small), atol=0.03)


@pytest.mark.parametrize("colour", [(0, 0, 0), (0.5, 0.5, 0.5), (1, 1, 1), (0.9, 0.2, 0.1)])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 3), (3, 500), (40, 40)])
def test_one_colour_all_over_has_no_reflection(colour, height, width):
    found = still_reflection(np.broadcast_to(np.float32(colour), (height, width, 3)))
    assert found.shape == (height, width, 3)
    assert found.max() < 1e-5


def test_a_grey_picture_tells_next_to_nothing():
    grey = np.repeat((tiles() + blob()).mean(2, keepdims=True), 3, axis=2)
    found = still_reflection(grey)
    assert np.isfinite(found).all()
    assert found.max() < 0.05


def test_the_picture_is_left_as_it_was():
    picture = tiles() + blob()
    before = picture.copy()
    still_reflection(picture)
    np.testing.assert_array_equal(picture, before)
