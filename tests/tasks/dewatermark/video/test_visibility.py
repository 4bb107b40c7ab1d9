from __future__ import annotations

import numpy as np
import pytest

from ddvideo.tasks.dewatermark.video.constant_edges import gradient
from ddvideo.tasks.dewatermark.video.visibility import shown, signature
from tests.tasks.dewatermark.mark_scenes import H, W, eight_bits, emblem, marked, scenery, white

T = 60
WHERE = np.abs(gradient(emblem()[..., None])).max(2) > 0.02


@pytest.fixture(scope="module")
def clean():
    return scenery(frames=T)


def with_strengths(clean, strengths):
    """Frames with the mark at a strength of 0 to 1 each."""
    return eight_bits(marked(clean, np.float32(strengths)[:, None, None] * emblem(), white()))


def found(clean, strengths):
    frames = with_strengths(clean, strengths)
    return shown(frames, signature(frames, WHERE))


def test_the_signature_is_the_mark_s_gradient(clean):
    edges = signature(with_strengths(clean, np.ones(T)), WHERE)
    assert edges.shape == (H, W, 6)
    assert not edges[~WHERE].any()
    wanted = gradient(np.repeat(emblem()[..., None], 3, 2)) * (1 - clean.mean())  # white over what is there on average
    inside = WHERE[..., None] & (np.abs(wanted) > 0.05)
    assert np.corrcoef(edges[inside], wanted[inside])[0, 1] > 0.95


def test_frames_without_the_mark_do_not_change_the_signature_much(clean):
    strengths = np.ones(T)
    strengths[:20] = 0
    whole, part = (signature(with_strengths(clean, s), WHERE) for s in (np.ones(T), strengths))
    assert (whole * part).sum() / (whole**2).sum() > 0.75


def test_a_mark_that_is_there_throughout(clean):
    np.testing.assert_array_equal(found(clean, np.ones(T)), np.ones(T))


@pytest.mark.parametrize("hidden", [np.s_[:20], np.s_[40:], np.s_[25:40]], ids=str)
def test_a_mark_that_comes_or_goes_at_once_is_there_or_not(clean, hidden):
    strengths = np.ones(T, np.float32)
    strengths[hidden] = 0
    np.testing.assert_array_equal(found(clean, strengths), strengths)


def test_edges_like_a_mark_s_away_from_its_switch_are_no_fade(clean):
    strengths = (np.arange(T) >= 24).astype(np.float32)
    wanted = strengths.copy()
    strengths[14:18] = 0.2
    np.testing.assert_array_equal(found(clean, strengths), wanted)


@pytest.mark.xfail(strict=True, reason="any frame near a switch whose edges look like some of the mark's is in a fade")
def test_a_mark_that_comes_at_once_in_a_short_clip_has_no_fade():
    frames = scenery((6, 3), frames=24, seed=1)
    strengths = (np.arange(24) >= 12).astype(np.float32)
    np.testing.assert_array_equal(found(frames, strengths), strengths)


@pytest.mark.parametrize("ways", [1, -1], ids=["in", "out"])
def test_a_fade_is_followed(clean, ways):
    strengths = np.clip((np.arange(T) - 10) / 10, 0, 1)[::ways]
    seen = found(clean, strengths)
    assert np.abs(seen - strengths).max() < 0.32  # 0.7 is taken for the whole mark
    assert np.abs(seen - strengths).mean() < 0.03
    assert set(seen[(strengths == 0) | (strengths == 1)]) <= {0.0, 1.0}
    assert ((seen > 0) & (seen < 1)).sum() >= 5


def test_a_weaker_stretch_in_the_middle_is_no_fade(clean):
    strengths = np.ones(T)
    strengths[25:35] = 0.7
    np.testing.assert_array_equal(found(clean, strengths), np.ones(T))


def test_single_frames_do_not_flicker(clean):
    """One in which the scene happens to hide the mark's edges."""
    frames = with_strengths(clean, np.ones(T))
    edges = signature(frames, WHERE)
    frames[30] = np.full_like(frames[30], 255)
    np.testing.assert_array_equal(shown(frames, edges), np.ones(T))


def test_without_edges_a_mark_is_taken_to_be_there(clean):
    np.testing.assert_array_equal(shown(eight_bits(clean[:7]), np.zeros((H, W, 6), np.float32)), np.ones(7))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_stretches(clean, frames):
    edges = signature(with_strengths(clean, np.ones(T)), WHERE)
    with_it, without = (with_strengths(clean, np.full(T, strength))[:frames] for strength in (1, 0))
    np.testing.assert_array_equal(shown(with_it, edges), np.ones(frames))
    np.testing.assert_array_equal(shown(without, edges), np.zeros(frames))
