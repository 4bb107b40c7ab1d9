from __future__ import annotations

import numpy as np
import pytest

from ddvideo.media import open_source
from ddvideo.tasks.dewatermark.video.constant_edges import constant_edges, find_marks, gradient
from tests.tasks.dewatermark.mark_scenes import H, T, W, eight_bits, emblem, marked, plate, red_and_blue, scenery, white


def edges_of(frames):
    frames = eight_bits(frames)
    return constant_edges(frames, range(len(frames)))


def covers(hull, alpha, far_px=6):
    """The hull holds the mark, and nothing that is far from it."""
    (top, left), (bottom, right) = (reach(np.argwhere(alpha > 0), 0) for reach in (np.min, np.max))
    beyond = hull.copy()
    beyond[max(top - far_px, 0) : bottom + far_px + 1, max(left - far_px, 0) : right + far_px + 1] = False
    return hull[alpha > 0.1].all() and not beyond.any()


@pytest.fixture(scope="module")
def clean():
    return scenery()


def test_central_differences_of_a_ramp():
    y, x = np.mgrid[:6, :8].astype(np.float32)
    ramp = np.stack([x, 2 * y, x - y], -1)
    found = gradient(ramp)
    assert found.shape == (6, 8, 6)
    np.testing.assert_array_equal(found[2, 3], [1, 0, 1, 0, 2, -1])
    np.testing.assert_array_equal(found[:, [0, -1], :3], 0)
    np.testing.assert_array_equal(found[[0, -1], :, 3:], 0)


@pytest.mark.parametrize("pan", [(4, 2), (-6, 0), (0, 4), (5, -3)])
@pytest.mark.parametrize(
    ("alpha", "colour"),
    [(emblem(), white()), (emblem(0.3), white()), (emblem(), red_and_blue()), (plate(), red_and_blue(x=50))],
    ids=["white", "faint", "colours", "opaque"],
)
def test_a_mark_over_a_scene_that_moves_is_found(pan, alpha, colour):
    edges = edges_of(marked(scenery(pan), alpha, colour))
    assert not edges.stands_still
    ((piece, hull),) = find_marks(edges)
    assert covers(hull, alpha)
    assert piece[alpha > 0.1].all()


def test_the_piece_holds_what_a_mark_s_edges_enclose(clean):
    ((piece, _),) = find_marks(edges_of(marked(clean, plate(), white())))
    assert piece[plate() > 0].all()


@pytest.mark.parametrize("pan", [(4, 2), (-6, 0), (5, -3), (12, 0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_mark_is_found_where_there_is_none(pan, seed):
    edges = edges_of(scenery(pan, seed=seed))
    assert not edges.stands_still
    assert find_marks(edges) == []


@pytest.mark.parametrize(
    ("pan", "frames"),
    [
        ((3, 2), 8),
        ((3, 2), 12),
        pytest.param((2, 1), 24, marks=pytest.mark.xfail(strict=True, reason="parts of a slow pan look alike")),
    ],
)
def test_no_mark_is_found_in_a_short_clip_without_one(pan, frames):
    assert find_marks(edges_of(scenery(pan, frames=frames))) == []


def test_no_mark_is_found_in_a_sample_clip_without_one(clip_path):
    with open_source(clip_path("mover")) as source:
        frames = [frame.rgb for frame in source.frames(0, source.info.frames)]
    edges = constant_edges(frames, range(len(frames)))
    assert not edges.stands_still
    assert find_marks(edges) == []


def test_two_marks_far_apart_are_two_and_the_larger_comes_first():
    clean = scenery(width=200)
    small, large = emblem(width=200)[:, :], np.zeros((H, 200), np.float32)
    small[:, 60:] = 0  # the ring alone
    large[20:60, 130:180] = 0.6
    first, second = find_marks(edges_of(marked(clean, small + large, white(width=200))))
    assert covers(first[1], large, far_px=24)
    assert covers(second[1], small, far_px=24)
    assert not (first[1] & second[1]).any()


def test_parts_of_a_mark_near_each_other_are_one(clean):
    alpha = np.zeros((H, W), np.float32)
    alpha[30:50, 30:50] = alpha[30:50, 66:86] = 0.6
    ((_, hull),) = find_marks(edges_of(marked(clean, alpha, white())))
    assert covers(hull, alpha, far_px=24)


@pytest.fixture(scope="module")
def horizon():
    """Of a pan: above it all is lighter, and it stays where it is."""
    frames = scenery((6, 0)) * np.float32(0.6)
    frames[:, :30] += 0.35
    return edges_of(frames)


def test_a_line_along_the_motion_is_no_mark(horizon):
    assert horizon.score[28:32, 10:-10].max(0).min() > 10  # it is an edge that stays
    assert find_marks(horizon) == []


def test_a_long_line_that_lies_nearly_along_the_motion_is_no_mark():
    """It goes down by a pixel where the camera goes right by four: it slides along itself, and seems to stay."""
    y, x = np.mgrid[:H, :W].astype(np.float32)
    above = np.clip(30 + x / 4 - y, 0, 1)[..., None]  # with a soft edge
    frames = scenery((8, 0)) * np.float32(0.6) + np.float32(0.35) * above
    edges = edges_of(frames)
    assert np.median(edges.score[(above > 0.2)[..., 0] & (above < 0.8)[..., 0]]) > 10
    assert find_marks(edges) == []


def test_in_a_box_a_line_along_the_motion_counts(horizon):
    inside = np.zeros((H, W), bool)
    inside[20:40, 40:80] = True
    ((piece, hull),) = find_marks(horizon, inside=inside)
    assert piece[30, 45:75].all()
    assert not hull[:, :34].any()
    assert not hull[:, 86:].any()


def test_only_a_mark_in_the_box_is_looked_for():
    clean = scenery(width=200)
    left, right = plate(x=20, width=200), plate(x=140, width=200)
    edges = edges_of(marked(clean, left + right, red_and_blue(width=200)))
    assert len(find_marks(edges)) == 2
    inside = np.zeros((H, 200), bool)
    inside[20:60, 125:185] = True
    ((_, hull),) = find_marks(edges, inside=inside)
    assert covers(hull, right, far_px=24)
    assert not hull[:, :123].any()


def test_a_scene_that_stands_still_says_so(clean):
    noise = np.random.default_rng(1).normal(0, 0.01, clean.shape).astype(np.float32)
    edges = edges_of(marked(np.repeat(clean[:1], T, 0) + noise, emblem(), white()))
    assert edges.stands_still
    assert find_marks(edges) == []


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_a_few_frames_tell_nothing(frames):
    edges = edges_of(scenery(frames=frames))
    assert edges.stands_still
    assert not edges.score.any()
    assert find_marks(edges) == []


@pytest.mark.parametrize("shows", [np.s_[: T // 2], np.s_[T // 2 :], np.s_[T // 4 : -T // 4]], ids=str)
def test_a_mark_that_shows_in_half_of_the_frames_is_found(clean, shows):
    alpha = np.zeros((T, H, W), np.float32)
    alpha[shows] = emblem()
    ((_, hull),) = find_marks(edges_of(marked(clean, alpha, white())))
    assert covers(hull, emblem())


def test_frames_that_are_no_neighbours_tell_no_motion(clean):
    """The runs of neighbours in between do."""
    frames = eight_bits(marked(clean, emblem(), white()))
    assert constant_edges(frames, range(0, 10 * T, 10)).stands_still
    runs = [10 * (t // 4) + t for t in range(T)]
    edges = constant_edges(frames, runs)
    assert not edges.stands_still
    ((_, hull),) = find_marks(edges)
    assert covers(hull, emblem())


@pytest.mark.parametrize(("height", "width"), [(1, 40), (40, 1), (2, 2), (16, 16)])
def test_tiny_frames_have_no_mark(height, width):
    assert find_marks(edges_of(scenery((3, 3), height=height, width=width))) == []
