from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from benchmarks.dark_channel import dark_channel, dark_channel_airlight, dark_channel_prior
from benchmarks.haze_score import UNKNOWN, Estimate, Truth, score_clip, score_picture, summary
from benchmarks.hazing import CYCLE, at_most, disparity_depth, hazed, hazes_of, ramp_depth, transmission_of
from benchmarks.score import ScoreError

AIRLIGHT = (0.85, 0.87, 0.9)


def confetti(height=120, width=160, seed=0, cell=8):
    """Squares of full colours: somewhere in every patch of 15 x 15 pixels one of the three is 0."""
    rng = np.random.default_rng(seed)
    squares = rng.integers(60, 200, (-(-height // cell), -(-width // cell), 3), np.uint8)
    np.put_along_axis(squares, rng.integers(0, 3, (*squares.shape[:2], 1)), 0, axis=2)
    return squares.repeat(cell, 0).repeat(cell, 1)[:height, :width]


def unit(picture):
    return picture.astype(np.float32) / np.float32(255)


def grey(level, height=90, width=120):
    return np.full((height, width, 3), level, np.float32)


def test_dark_channel_prior_recovers_a_known_haze():
    clear = confetti(240, 320)
    clear[:40] = 255  # a sky of the airlight's own colour, which the airlight can be read from
    through = np.full(clear.shape[:2], 0.5, np.float32)
    through[:40] = 0.0
    through[:, 160:] = np.where(through[:, 160:] > 0, 0.7, 0)
    hazy = unit(hazed(clear, through, AIRLIGHT))
    found = dark_channel_prior(hazy)
    assert found.airlight == pytest.approx(AIRLIGHT, abs=0.005)
    inside = np.s_[100:, :]
    # Of the haze, 95 % are taken away: t is 1 - 0.95 (1 - t).
    assert np.median(found.through[inside][:, :120]) == pytest.approx(1 - 0.95 * 0.5, abs=0.04)
    assert np.median(found.through[inside][:, 200:]) == pytest.approx(1 - 0.95 * 0.3, abs=0.04)
    before = np.abs(hazy - unit(clear))[inside].mean()
    after = np.abs(found.radiance - unit(clear))[inside].mean()
    assert after < 0.2 * before
    assert found.radiance.dtype == found.through.dtype == np.float32
    assert found.through.min() >= 0
    assert found.through.max() <= 1


def test_dark_channel_is_the_least_of_the_patch():
    picture = grey(0.9, 40, 40)
    picture[20, 20, 1] = 0.2
    dark = dark_channel(picture)
    where = np.argwhere(dark < 0.5)
    assert where.min(axis=0).tolist() == [13, 13]
    assert where.max(axis=0).tolist() == [27, 27]
    assert len(where) == 15 * 15
    assert np.unique(dark).tolist() == pytest.approx([0.2, 0.9])


def test_airlight_is_not_read_from_a_small_bright_thing():
    """A lamp is brighter than the haze, but there is dark beside it."""
    picture = grey(0.1, 100, 100)
    picture[:30] = (0.7, 0.72, 0.74)
    picture[80, 80] = 1
    assert dark_channel_airlight(picture).tolist() == pytest.approx([0.7, 0.72, 0.74])


def test_airlight_is_the_brightest_of_the_haziest():
    picture = grey(0.7, 100, 100)
    picture[40:56, 40:59] = 0.8  # its patches lie wholly inside for 2 x 5 pixels: a thousandth of all
    picture[47, 50] = (0.8, 0.9, 0.95)
    picture[42, 42] = (0.8, 1, 1)  # brighter, but haze lies not all around it
    assert dark_channel_airlight(picture).tolist() == pytest.approx([0.8, 0.9, 0.95])


def test_haze_follows_the_model():
    clear = confetti()
    depth = ramp_depth("koi", *clear.shape[:2])
    through = transmission_of(depth, 1.2)
    assert through == pytest.approx(np.exp(-1.2 * depth.astype(float)), abs=1e-6)
    by_hand = through[..., None] * (clear / 255) + (1 - through[..., None]) * np.array(AIRLIGHT)
    assert np.abs(hazed(clear, through, AIRLIGHT) / 255 - by_hand).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(hazed(clear, np.ones_like(through), AIRLIGHT), clear)


def test_depth_recedes_upwards_and_is_the_same_in_every_run():
    depths = {name: ramp_depth(name, 480, 854) for name in ("koi", "carp", "boat", "lucia")}
    noise = {name: depth - np.linspace(1, 0.15, 480)[:, None] for name, depth in depths.items()}
    for name, depth in depths.items():
        assert depth.min() >= 0
        assert np.array_equal(depth, ramp_depth(name, 480, 854))
        assert np.abs(noise[name]).max() <= 0.25 + 1e-6
        steps = np.abs(np.diff(noise[name], axis=1))[depth[:, 1:] > 0]
        assert steps.max() < 0.25 / (854 / 12)  # smooth: it takes a sigma to change by its size
    assert max(np.abs(values).max() for values in noise.values()) == pytest.approx(0.25, abs=1e-3)
    assert not np.array_equal(depths["koi"], depths["carp"])
    # Not the hash that Python changes from one process to the next: these are numbers of this very algorithm.
    assert depths["koi"][[0, 240, 479], [0, 400, 853]].tolist() == pytest.approx([0.79415, 0.55183, 0.31499], abs=1e-3)


def test_the_haze_of_a_sequence_does_not_depend_on_which_are_asked_for():
    hazes = hazes_of(["d", "b", "a", "c", "e"])
    assert [hazes[name] for name in "abcde"] == [*CYCLE, CYCLE[0]]
    assert [haze.beta for haze in CYCLE] == [1.2, 0.8, 1.6, 1.0]


def test_depth_from_disparity():
    disparity = np.tile(np.linspace(10, 2, 101, dtype=np.float32), (20, 1))
    depth = disparity_depth(disparity)
    low, high = np.percentile(1 / disparity, (2, 98))
    assert depth == pytest.approx(np.clip((1 / disparity - low) / (high - low), 0, 1), abs=1e-5)
    holes = disparity.copy()
    holes[5:9, 40:44], holes[0, 0], holes[1, 1] = np.inf, np.nan, 0
    filled = disparity_depth(holes)
    assert np.isfinite(filled).all()
    assert np.abs(filled - depth).max() < 0.05
    assert at_most(np.zeros((50, 200, 3), np.uint8), 100).shape == (25, 100, 3)
    assert at_most(np.zeros((50, 200, 3), np.uint8), 200).shape == (50, 200, 3)


def test_scores_of_a_picture_by_hand():
    truth = Truth(np.full((90, 120), 0.5, np.float32), (0.8, 0.8, 0.8))
    estimate = Estimate(grey(0.6), np.full((90, 120), 0.7, np.float32), (0.8, 0.7, 0.6))
    found = score_picture(estimate, grey(0.5), truth)
    assert found == pytest.approx(
        {"psnr_db": 20, "t_mean": 0.7, "t_mae": 0.2, "airlight_error": 0.1, "airlight_distance": math.sqrt(0.05)},
        abs=1e-4,
    )
    assert score_picture(Estimate(grey(0.5)), grey(0.5), truth) == {"psnr_db": 100}
    assert score_picture(Estimate(grey(0.5)), None, UNKNOWN) == {}


def moving(count=8, step=3):
    """Frames of 200 x 120 pixels over which a texture moves to the left, 3 pixels a frame."""
    texture = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (120, 260, 3), np.uint8), (0, 0), 2)
    texture = cv2.normalize(texture, None, 60, 180, cv2.NORM_MINMAX)
    return [np.ascontiguousarray(texture[:, step * k : step * k + 200]) for k in range(count)]


def scored(errors):
    """The summary of a radiance that differs from the truth by an error a frame."""
    clear = moving()
    stream = (
        None if e is None else Estimate(np.asarray(unit(c) + e, np.float32))
        for c, e in zip(clear, errors, strict=False)
    )
    scores = score_clip(clear, clear, UNKNOWN, {"x": stream})
    return scores, summary(scores["x"], scores["input"])


def test_flicker_of_a_constant_error_is_nothing_and_of_an_alternating_one_its_size():
    constant = scored([0.1] * 8)[1]
    assert constant["flicker"] == pytest.approx(0, abs=1e-6)
    assert constant["pumping"] == pytest.approx(0, abs=1e-6)
    assert constant["psnr_db"] == pytest.approx(20, abs=1e-3)
    alternating = scored([0.05 * (-1) ** k for k in range(8)])[1]
    assert alternating["flicker"] == pytest.approx(0.1, abs=1e-4)
    assert alternating["pumping"] == pytest.approx(0.1, abs=1e-4)
    # What changes its sign from place to place as well does not change the brightness of the whole.
    board = np.kron(np.indices((6, 10)).sum(axis=0) % 2 * 2 - 1, np.ones((20, 20)))[..., None] * 0.05
    local = scored([board * (-1) ** k for k in range(8)])[1]
    assert local["flicker"] > 0.06
    assert local["pumping"] == pytest.approx(0, abs=1e-5)


def test_an_error_that_moves_with_the_scene_does_not_flicker():
    clear = moving()
    with_scene = scored([0.3 * (0.5 - unit(picture)) for picture in clear])[1]
    standing = scored([0.3 * (0.5 - unit(clear[0]))] * 8)[1]
    assert with_scene["flicker"] < 0.2 * standing["flicker"]


def test_haze_that_stands_still_has_no_veil_whatever_its_error():
    """True haze 0.5 of 0.8 stands still; an estimate of 0.4 does too; one that jumps by 0.1 changes by 0.1 of 0.8."""
    truth = Truth(through=np.full((90, 120), 0.5, np.float32), airlight=(0.8, 0.8, 0.8))

    def estimates(through):
        return iter([Estimate(grey(0.3), np.full((90, 120), t, np.float32), (0.8, 0.8, 0.8)) for t in through])

    pictures = [np.full((90, 120, 3), 128, np.uint8)] * 4
    streams = {"still": estimates([0.4] * 4), "jumping": estimates([0.4, 0.5, 0.4, 0.5])}
    scores = score_clip(pictures, pictures, truth, streams)
    told = {name: summary(score, scores["input"]) for name, score in scores.items()}
    assert told["still"]["veil"] == 0
    assert told["jumping"]["veil"] == pytest.approx(0.08, abs=1e-6)
    assert "veil" not in told["input"]


def test_warped_is_free_of_contrast_but_not_of_unrest():
    """Haze that is taken away makes all changes larger, by as much as the contrast: that alone is no loss."""
    rng = np.random.default_rng(5)
    hazy = [np.clip(p * 0.5 + 100 + rng.normal(0, 2, p.shape), 0, 255).astype(np.uint8) for p in moving()]
    stretched = [Estimate(np.asarray(1.5 * (unit(p) - 0.6) + 0.6, np.float32)) for p in hazy]
    unsteady = [Estimate(np.asarray(s.radiance + 0.02 * (-1) ** k, np.float32)) for k, s in enumerate(stretched)]
    scores = score_clip(hazy, None, UNKNOWN, {"stretched": iter(stretched), "unsteady": iter(unsteady)})
    told = {name: summary(score, scores["input"]) for name, score in scores.items()}
    assert told["input"]["warped"] == told["input"]["contrast_gain"] == 1
    assert told["stretched"]["contrast_gain"] == pytest.approx(1.5, abs=1e-3)
    assert told["stretched"]["warped"] == pytest.approx(1, abs=1e-3)
    assert told["unsteady"]["warped"] > 1.5
    assert "flicker" not in told["unsteady"]


def test_frames_that_are_left_out_are_not_measured():
    errors = [0.1, 0.2, None, 0.2, 0.2, None, 0.1, 0.1]
    scores, told = scored(errors)
    assert sorted(scores["x"].frames) == [0, 1, 3, 4, 6, 7]
    assert sorted(scores["x"].flicker) == [0, 3, 6]
    assert told["flicker"] == pytest.approx(0.1 / 3, abs=1e-4)
    sampled = summary(scores["x"], scores["input"], every=6, start=2)
    assert sampled["psnr_db"] == pytest.approx(20, abs=1e-3)
    assert sampled["flicker"] == pytest.approx(0.1, abs=1e-4)


def test_a_result_that_is_too_short_is_an_error():
    with pytest.raises(ScoreError, match="number"):
        scored([0.1] * 7)
    with pytest.raises(ScoreError, match="number"):
        score_clip(moving(), moving()[:-1], UNKNOWN, {})
