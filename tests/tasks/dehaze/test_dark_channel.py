from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.tasks.dehaze.dark_channel import black_share, least_transmission, noise_level, opaque_colour, patch_minimum

H, W = 96, 160
AIRLIGHT = np.float32([0.8, 0.85, 0.9])
HALF_STEP = 0.5 / 255


def eight_bits(picture):
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def through_haze(radiance, t, airlight=AIRLIGHT):
    return eight_bits(t * radiance + (1 - t) * airlight)


def confetti(seed=0, height=H, width=W):
    """Squares of 4 pixels of any colour, a quarter of them black: something black in every patch."""
    rng = np.random.default_rng(seed)
    squares = rng.random((-(-height // 4), -(-width // 4), 3), np.float32) * 0.9
    squares[::2, ::2] = 0
    return squares.repeat(4, 0).repeat(4, 1)[:height, :width]


def smooth_texture(contrast=0.1):
    y, x = np.mgrid[:H, :W].astype(np.float32)
    waves = np.sin(x / 17) * np.cos(y / 13)
    return (0.3 + 0.3 * x / W + contrast * waves)[..., None] * np.float32([1, 0.9, 0.8])


@pytest.mark.parametrize("patch_px", [1, 3, 7])
def test_a_patch_s_minimum_is_that_of_a_plain_loop(patch_px):
    frame = np.random.default_rng(0).integers(0, 256, (11, 17, 3), np.uint8)
    reach = patch_px // 2
    expected = np.empty_like(frame)
    for y in range(11):
        for x in range(17):
            patch = frame[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
            expected[y, x] = patch.reshape(-1, 3).min(0)
    np.testing.assert_array_equal(patch_minimum(frame, patch_px=patch_px), expected)


@pytest.mark.parametrize("t", [0.1, 0.35, 0.8, 1.0])
@pytest.mark.parametrize("kept", [0.0, 0.05])
def test_a_patch_that_holds_something_black_tells_its_transmission(t, kept):
    minimum = patch_minimum(through_haze(confetti(), t))
    expected = 1 - (1 - kept) * (1 - t)
    np.testing.assert_allclose(
        least_transmission(minimum, AIRLIGHT, kept=kept), expected, atol=HALF_STEP / AIRLIGHT.min() + 1e-5
    )


def test_one_black_channel_is_enough():
    radiance = np.broadcast_to(np.float32([0.9, 0.0, 0.7]), (20, 20, 3))
    bound = least_transmission(patch_minimum(through_haze(radiance, 0.4)), AIRLIGHT, kept=0)
    np.testing.assert_allclose(bound, 0.4, atol=HALF_STEP / AIRLIGHT[1] + 1e-5)


@given(
    seed=st.integers(0, 2**32 - 1),
    t=st.floats(0, 1),
    airlight=st.tuples(*[st.floats(0.25, 1, width=32)] * 3),
    darkest=st.floats(0, 1),
    patch_px=st.sampled_from([1, 5, 15]),
)
def test_no_patch_is_said_to_let_more_through_than_it_does(seed, t, airlight, darkest, patch_px):
    radiance = np.random.default_rng(seed).uniform(darkest, 1, (12, 16, 3))
    colour = np.float32(airlight)
    minimum = patch_minimum(through_haze(radiance, t, colour), patch_px=patch_px)
    bound = least_transmission(minimum, colour, kept=0)
    assert bound.max() <= t + HALF_STEP / colour.min() + 1e-5
    assert bound.min() >= 0


def test_the_haze_s_colour_is_that_of_the_part_it_hides():
    t = np.full((H, W, 1), 0.6, np.float32)
    t[:24] = 0.01
    frame = through_haze(confetti(), t)
    assert opaque_colour([frame], [patch_minimum(frame)]) == pytest.approx(AIRLIGHT, abs=0.015)


@pytest.mark.parametrize("frames", [4, 12])
@pytest.mark.parametrize("which", [0, 2])
def test_one_frame_of_a_shot_may_tell_the_colour_for_all(frames, which):
    shot = [through_haze(confetti(seed), 0.7) for seed in range(frames)]
    t = np.full((H, W, 1), 0.7, np.float32)
    t[:24] = 0.0
    without = opaque_colour(shot, [patch_minimum(frame) for frame in shot])
    shot[which] = through_haze(confetti(which), t)
    found = opaque_colour(shot, [patch_minimum(frame) for frame in shot])
    assert found == pytest.approx(AIRLIGHT, abs=0.01)
    assert np.abs(without - AIRLIGHT).max() > 0.05


@pytest.mark.parametrize("lamp_px", [1, 5, 11])
def test_a_lamp_is_not_the_haze(lamp_px):
    t = np.full((H, W, 1), 0.6, np.float32)
    t[:24] = 0.0
    frame = through_haze(confetti(), t)
    frame[60 : 60 + lamp_px, 80 : 80 + lamp_px] = 255
    assert opaque_colour([frame], [patch_minimum(frame)]) == pytest.approx(AIRLIGHT, abs=0.01)


def test_black_is_seen_in_clear_air_and_not_through_haze():
    assert black_share([eight_bits(confetti())]) > 0.95
    assert black_share([through_haze(confetti(), 0.85)]) == 0


def test_a_part_counts_if_it_is_black_in_any_frame():
    hazed, clear = through_haze(confetti(), 0.7), eight_bits(confetti())
    half = hazed.copy()
    half[:, : W // 2] = clear[:, : W // 2]
    assert black_share([hazed, half, hazed]) == pytest.approx(0.5, abs=0.02)


def test_single_black_pixels_are_noise():
    frame = through_haze(confetti(), 0.7)
    frame[::6, ::6] = 0
    assert black_share([frame]) == 0


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_picture_that_shows_nothing_shows_no_black(level):
    assert black_share([np.full((H, W, 3), level, np.uint8)]) == 0


def with_bars(frame, bar_px):
    barred = frame.copy()
    barred[:bar_px], barred[H - bar_px :] = 0, 0
    return barred


def test_the_bars_of_a_letterbox_are_not_counted():
    """One of six rows of parts is all bar, above and below; of the others, the left half shows something black."""
    frame = through_haze(confetti(), 0.7)
    frame[:, : W // 2] = eight_bits(confetti())[:, : W // 2]
    assert black_share([with_bars(frame, H // 6 + 1)]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("bar_px", [12, 16, 24])
def test_a_hazed_picture_in_a_letterbox_shows_no_black(bar_px):
    assert black_share([with_bars(through_haze(confetti(), 0.7), bar_px)]) == 0


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.05])
@pytest.mark.parametrize(
    "picture",
    [np.full((H, W, 3), 0.5, np.float32), smooth_texture(0), smooth_texture()],
    ids=["flat", "gradient", "smooth texture"],
)
def test_the_noise_of_a_picture_is_told(picture, sigma):
    noisy = picture + sigma * np.random.default_rng(1).standard_normal(picture.shape).astype(np.float32)
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.3)
    assert noise_level(picture) < 0.001


@pytest.mark.parametrize("sigma", [0.005, 0.02])
def test_texture_on_half_of_a_picture_is_not_taken_for_noise(sigma):
    picture = np.full((H, W, 3), 0.5, np.float32)
    picture[:, : W // 2] = confetti()[:, : W // 2]
    noisy = picture + sigma * np.random.default_rng(1).standard_normal(picture.shape).astype(np.float32)
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.3)
