"""What frames and predictions of them tell of each other's errors."""

from __future__ import annotations

import numpy as np
import pytest

from ddvideo.tasks.dewatermark.video.variance_model import corrected_variances, step_growth

H, W, T = 24, 32, 60
ALL = np.ones((H, W), bool)


def noisy(deviation, seed):
    rng = np.random.default_rng(seed)
    return [np.float32(0.5 + deviation * rng.standard_normal((H, W, 3))) for _ in range(T)]


def precision(deviation):
    return np.full((H, W), 1 / deviation**2, np.float32)


def pairs(before, after, stated=None):
    """Predictions that err by so much, and say so, or say that they err by ``stated``."""
    sure = [precision(stated or deviation) for deviation in (before, after)]
    return [(b, sure[0], a, sure[1]) for b, a in zip(noisy(before, 1), noisy(after, 2), strict=True)]


def measured(deviation, stated):
    return [(own, np.full((H, W), stated**2, np.float32)) for own in noisy(deviation, 3)]


@pytest.mark.parametrize("deviation", [0.02, 0.05, 0.2])
def test_a_variance_that_was_stated_wrongly_is_put_right(deviation):
    found = corrected_variances(measured(deviation, 0.05), pairs(0.03, 0.08), ALL, [True] * T)
    for _, variance in found:
        np.testing.assert_allclose(variance, deviation**2, rtol=0.6)
        assert np.median(variance) == pytest.approx(deviation**2, rel=0.1)


def test_the_colours_stay():
    given = measured(0.1, 0.05)
    for (own, _), (before, _) in zip(
        corrected_variances(given, pairs(0.03, 0.03), ALL, [True] * T), given, strict=True
    ):
        np.testing.assert_array_equal(own, before)


def test_a_mark_s_wrong_colour_counts_as_an_error():
    """It is the same in all frames: its variance over time is nothing."""
    off = [(own + np.float32(0.1), variance) for own, variance in measured(0.01, 0.01)]
    variance = corrected_variances(off, pairs(0.03, 0.03), ALL, [True] * T)[0][1]
    assert np.median(variance) == pytest.approx(0.1**2, rel=0.15)


def test_where_and_when_there_is_no_mark_the_variance_stays():
    where = ALL.copy()
    where[:, :16] = False
    shown = [t % 2 == 0 for t in range(T)]
    found = corrected_variances(measured(0.2, 0.05), pairs(0.03, 0.03), where, shown)
    for (_, variance), is_shown in zip(found, shown, strict=True):
        np.testing.assert_array_equal(variance[:, :16], np.float32(0.05**2))
        assert (variance[:, 16:] > 0.1**2).all() == is_shown


@pytest.mark.parametrize(("stated", "growth"), [(0.04, 1.0), (0.02, 4.0), (0.06, 4 / 9), (0.4, 0.2)])
def test_growth_is_how_much_further_apart_both_ways_are_than_they_say(stated, growth):
    found = step_growth(pairs(0.04, 0.04, stated))
    assert found.shape == (H, W)
    assert np.median(found) == pytest.approx(growth, rel=0.05)


def test_where_one_of_the_ways_is_missing_a_step_adds_what_it_does_as_a_rule():
    gone = [(before, sure, after, np.zeros_like(sure)) for before, sure, after, _ in pairs(0.2, 0.2, 0.02)]
    np.testing.assert_array_equal(step_growth(gone), 1)
