"""Mended times: strictly rising, every good stamp kept as it is."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddvideo.media.timeline import mend_times

STEP = Fraction(40)
GAPS = st.lists(st.integers(1, 500), min_size=1, max_size=40)


def mend(*runs, in_decode_order=False, step=STEP):
    return mend_times(runs, in_decode_order=in_decode_order, usual_step=step)


def exact(timeline):
    return [Fraction(time, timeline.refine) for time in timeline.times.tolist()]


def rising(gaps):
    return np.cumsum(gaps).tolist()


@pytest.mark.parametrize(
    ("stamps", "times", "mended"),
    [
        ([0, 40, 100, 130], [0, 40, 100, 130], 0),
        ([0, 40, 40, 120, 130], [0, 40, 80, 120, 130], 1),
        ([0, 40, 80, 70, 160], [0, 40, 55, 70, 160], 1),  # one of the two is wrong
        ([0, None, None, 120], [0, 40, 80, 120], 2),
        ([None, None, 80, 120], [0, 40, 80, 120], 2),
        ([0, 40, None, None], [0, 40, 80, 120], 2),
        ([0, 9000, 80, 120, 160], [0, 40, 80, 120, 160], 1),
        ([0, None, None, 90, None, None, 180, None], [0, 30, 60, 90, 120, 150, 180, 210], 5),
        ([None, None, None], [0, 40, 80], 3),
        ([None, 500, None], [460, 500, 540], 2),
        ([7], [7], 0),
        ([0, 0, 0, 1], [0, Fraction(1, 3), Fraction(2, 3), 1], 2),
    ],
)
def test_examples(stamps, times, mended):
    found = mend(stamps)
    assert np.abs(np.array(exact(found), float) - np.array(times, float)).max() < 0.5 / found.refine + 1e-9
    assert found.mended == mended
    assert found.absent == sum(stamp is None for stamp in stamps)


def test_stamps_in_decoding_order_belong_to_frames_by_rank():
    found = mend([0, 120, 40, 80, 240, 160, 200], in_decode_order=True)
    assert found.times.tolist() == [0, 40, 80, 120, 160, 200, 240]


def test_each_run_follows_on_the_one_before():
    found = mend([100, 140, 180], [20, 60, 110], [9000, 9040])
    assert found.times.tolist() == [100, 140, 180, 220, 260, 310, 350, 390]
    assert found.mended == 0
    assert found.parts == ((100, 220, 0), (20, 150, 200), (9000, 9080, -8650))
    for (start, stop, shift), (after, _, next_shift) in pairwise(found.parts):
        assert stop + shift == after + next_shift
        assert start < stop


@given(GAPS)
def test_good_stamps_are_kept(gaps):
    found = mend(rising(gaps))
    assert found.times.tolist() == rising(gaps)
    assert (found.refine, found.mended, len(found.parts)) == (1, 0, 1)


@given(GAPS, st.data())
def test_one_repeated_stamp_costs_its_frame_only(gaps, data):
    stamps = rising([5, *gaps, 3])
    place = data.draw(st.integers(1, len(stamps) - 2))
    told = [*stamps[:place], stamps[place - 1], *stamps[place + 1 :]]
    found = mend(told)
    times = exact(found)
    assert found.mended == 1
    assert [t for i, t in enumerate(times) if i != place] == [t for i, t in enumerate(stamps) if i != place]
    assert times[place - 1] < times[place] < times[place + 1]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40)), min_size=1, max_size=60), st.booleans())
def test_whatever_the_stamps_times_rise(stamps, ordered):
    found = mend(stamps, in_decode_order=ordered)
    assert len(found.times) == len(stamps)
    assert (np.diff(found.times) > 0).all()
    assert found.absent == stamps.count(None)
    kept = set(exact(found)) & {stamp for stamp in stamps if stamp is not None}
    assert len(kept) >= min(1, len(stamps) - stamps.count(None))


@settings(max_examples=50)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 10**6)), min_size=1, max_size=12), min_size=1, max_size=5))
def test_runs_join_without_a_gap(runs):
    found = mend(*runs)
    assert (np.diff(found.times) > 0).all()
    assert len(found.times) == sum(map(len, runs))
    for (_, stop, shift), (start, _, next_shift) in pairwise(found.parts):
        assert stop + shift == start + next_shift


def test_stamps_that_64_bits_can_hardly_hold_rise_too():
    huge = 2**62
    found = mend([huge, huge, huge + 1, huge + 2])
    assert (np.diff(found.times) > 0).all()
