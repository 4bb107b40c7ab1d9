from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.material import unit
from benchmarks.mixtures import Moment
from benchmarks.reflection_baselines import BASELINES
from benchmarks.reflection_score import Estimate, score_clip
from benchmarks.score import ScoreError

FRAMES = 10


def texture(seed, low=0, high=100, size=(48, 64), sigma=1.5):
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), sigma), None, low, high, cv2.NORM_MINMAX)


def moments(reflection=True):
    for k in range(FRAMES):
        scene, mirrored = texture(2 * k, 40, 150), texture(2 * k + 1) * np.uint8(reflection)
        yield Moment(scene + mirrored, scene, mirrored)


def scored(make, reflection=True):
    """The numbers of layers made of the true ones, by frame: over all frames, and over every 8th."""
    layers = [(unit(moment.transmission), unit(moment.reflection)) for moment in moments(reflection)]
    stream = (None if (made := make(k, t, r)) is None else Estimate(*made) for k, (t, r) in enumerate(layers))
    score = score_clip(moments(reflection), {"x": stream})["x"]
    return score.whole.as_dict(), score.sampled.as_dict()


def test_the_truth_is_perfect():
    told, sampled = scored(lambda k, t, r: (t, r))
    assert told == sampled | {"r_mean": told["r_mean"]}
    assert {told[key] for key in ("psnr_db", "ac_psnr_db", "r_psnr_db", "r_ac_psnr_db")} == {100}
    assert (told["ssim"], told["swapped"]) == (pytest.approx(1), 0)
    assert (told["leak_r_in_t"], told["leak_t_in_r"]) == pytest.approx((0, 0), abs=1e-6)


def test_one_colour_too_much_counts_for_the_plain_ratio_alone():
    colour = np.array([0.1, -0.05, 0.02], np.float32)
    told = scored(lambda k, t, r: (t + colour, r - colour))[0]
    raw_db = -10 * np.log10((colour**2).mean())
    assert (told["psnr_db"], told["r_psnr_db"]) == pytest.approx((raw_db, raw_db), abs=1e-3)
    assert min(told["ac_psnr_db"], told["r_ac_psnr_db"]) > 80
    assert told["leak_r_in_t"] == pytest.approx(0, abs=1e-5)


def test_the_colour_is_one_of_the_whole_clip():
    told = scored(lambda k, t, r: (t + np.float32(0.1 if k % 2 else 0.3), r))[0]
    assert told["psnr_db"] == pytest.approx(-10 * np.log10((0.1**2 + 0.3**2) / 2), abs=1e-3)
    assert told["ac_psnr_db"] == pytest.approx(20, abs=1e-3)
    assert told["r_psnr_db"] == 100


def test_leaks_are_the_shares_that_were_left():
    told = scored(lambda k, t, r: (t + 0.25 * r - 0.1 * t, r - 0.25 * r + 0.1 * t))[0]
    assert (told["leak_r_in_t"], told["leak_t_in_r"]) == pytest.approx((0.25, 0.1), abs=1e-4)
    assert told["swapped"] == 0


def test_the_input_as_it_is_holds_all_of_the_reflection():
    told = scored(lambda k, t, r: (t + r, 0 * r))[0]
    assert (told["leak_r_in_t"], told["leak_t_in_r"]) == pytest.approx((1, 0), abs=1e-5)
    assert (told["swapped"], told["r_mean"]) == (0, 0)
    power = np.mean([np.square(unit(moment.reflection)).mean() for moment in moments()])
    assert (told["psnr_db"], told["r_psnr_db"]) == pytest.approx((-10 * np.log10(power),) * 2, abs=1e-3)


@pytest.mark.parametrize(("share", "swapped"), [(1.0, 1), (0.8, 1), (0.2, 0), (0.0, 0)])
def test_exchanged_layers_are_told(share, swapped):
    told = scored(lambda k, t, r: ((1 - share) * t + share * r, share * t + (1 - share) * r))[0]
    assert told["swapped"] == swapped


def test_only_sampled_frames_count_beside_single_ones():
    """Frames 0 and 8 are right; the others are 0.1 too light."""
    told, sampled = scored(lambda k, t, r: (t if k % 8 == 0 else t + np.float32(0.1), r))
    assert sampled["psnr_db"] == 100
    assert told["psnr_db"] == pytest.approx(-10 * np.log10(0.8 * 0.01), abs=1e-3)
    some, same = scored(lambda k, t, r: None if k % 8 else (t + np.float32(0.1), r))
    assert some == same
    assert some["psnr_db"] == pytest.approx(20, abs=1e-3)


def test_without_a_reflection_nothing_can_leak():
    told = scored(lambda k, t, r: (t, r + np.float32(0.02)), reflection=False)[0]
    assert told["r_mean"] == pytest.approx(0.02, abs=1e-6)
    assert not told.keys() & {"leak_r_in_t", "leak_t_in_r", "swapped"}


def test_a_result_of_another_length_or_size_is_an_error():
    def stream(count, columns=64):
        return (Estimate(*np.zeros((2, 48, columns, 3), np.float32)) for _ in range(count))

    for wrong in (stream(FRAMES - 1), stream(FRAMES + 1), stream(FRAMES, 60)):
        with pytest.raises(ScoreError, match="number or size"):
            score_clip(moments(), {"x": wrong})


def test_baselines_add_up_to_the_mixture():
    pictures = [moment.mixture for moment in moments()]
    found = {name: list(make(pictures)) for name, make in BASELINES.items()}
    assert list(found) == ["input", "minus", "mean"]
    for name, estimates in found.items():
        assert len(estimates) == FRAMES
        for picture, estimate in zip(pictures, estimates, strict=True):
            total = estimate.transmission + estimate.reflection
            assert total == pytest.approx(unit(picture), abs=1e-6), name
    assert (found["input"][3].reflection == 0).all()
    assert found["minus"][3].reflection == pytest.approx(0.12)
    dark = next(BASELINES["minus"]([np.full((4, 4, 3), 10, np.uint8)]))
    assert (dark.transmission == 0).all()


def test_the_registered_mean_holds_the_scene_and_not_what_moves_across_it():
    """A scene at rest, and a reflection that goes by at 3 pixels a frame."""
    wide, scene = texture(4, 0, 30, (120, 330), 3), texture(9, 20, 220, (120, 216))
    clip = [Moment(scene + layer, scene, layer) for layer in (wide[:, 3 * k : 3 * k + 216] for k in range(FRAMES))]
    pictures = [moment.mixture for moment in clip]
    scores = score_clip(clip, {name: make(pictures) for name, make in BASELINES.items()})
    told = {name: score.whole.as_dict() for name, score in scores.items()}
    assert told["mean"]["ac_psnr_db"] > told["input"]["ac_psnr_db"] + 3
    assert told["mean"]["leak_r_in_t"] < 0.5
    assert told["mean"]["swapped"] == 0
