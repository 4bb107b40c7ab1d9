"""What of a fitted mark is kept for its outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.dewatermark.video.outline import outlined

SIZE = (60, 90)


def disc(x, y, radius=10):
    return cv2.circle(np.zeros(SIZE, np.float32), (x, y), radius, 0.5, cv2.FILLED)


def rim(alpha):
    return cv2.morphologyEx((alpha > 0).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0


def test_a_part_that_ends_where_no_edge_was_seen_goes_and_one_with_edges_stays():
    there, none = disc(20, 30), disc(60, 30)
    found = outlined(there + none, rim(there))
    np.testing.assert_array_equal(found, there)


@pytest.mark.parametrize(("share", "is_kept"), [(0.3, False), (0.7, True)])
def test_a_gap_in_the_outline_is_none_of_the_mark_s_end(share, is_kept):
    alpha = disc(45, 30)
    edges = rim(alpha)
    y, x = np.indices(SIZE)
    edges &= np.arctan2(y - 30, x - 45) < np.pi * (2 * share - 1)
    assert outlined(alpha, edges).any() == is_kept


def test_a_mark_cut_off_by_the_picture_s_border_ends_there():
    alpha = np.zeros(SIZE, np.float32)
    alpha[:6, :] = 0.5
    edges = np.zeros(SIZE, bool)
    edges[6, :45] = True
    np.testing.assert_array_equal(outlined(alpha, edges), alpha)


def test_soft_ends_beside_a_mark_stay():
    alpha = cv2.GaussianBlur(disc(45, 30), (0, 0), 1)
    found = outlined(alpha, rim(disc(45, 30)))
    assert (found > 0).sum() > (alpha > 0.04).sum()


def test_nothing_stays_nothing():
    assert not outlined(np.zeros(SIZE, np.float32), np.ones(SIZE, bool)).any()
