from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.morphology import disk

from ddvideo.errors import ShapeError
from ddvideo.metrics import boundary_f, boundary_map, jaccard, psnr_db, ssim, temporal_instability
from ddvideo.metrics.boundary import _disk


def box(height, width, top, left, bottom, right):
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


EMPTY, FULL = np.zeros((30, 40), bool), np.ones((30, 40), bool)


def slow_boundary(mask):
    """``seg2bmap``, spelt out: the lower right corner is never on the boundary."""
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            right = mask[y, x + 1] if x + 1 < width else mask[y, x]
            below = mask[y + 1, x] if y + 1 < height else mask[y, x]
            both = mask[y + 1, x + 1] if x + 1 < width and y + 1 < height else mask[y, x]
            edge[y, x] = mask[y, x] != right or mask[y, x] != below or mask[y, x] != both
    return edge


def slow_boundary_f(predicted, truth, tolerance=0.008):
    """Every boundary pixel against every other, by the distance between them."""
    radius = math.ceil(tolerance * math.sqrt(predicted.shape[0] ** 2 + predicted.shape[1] ** 2))
    found, wanted = np.argwhere(slow_boundary(predicted)), np.argwhere(slow_boundary(truth))
    if len(found) == 0 and len(wanted) == 0:
        return 1.0
    if len(found) == 0 or len(wanted) == 0:
        return 0.0
    near = ((found[:, None] - wanted[None]) ** 2).sum(-1) <= radius**2
    precision, recall = near.any(1).mean(), near.any(0).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def test_overlap_by_hand():
    # 10 x 10 against the same, two columns further: 80 pixels shared, 120 covered by either.
    assert jaccard(box(30, 40, 5, 5, 15, 15), box(30, 40, 5, 7, 15, 17)) == pytest.approx(80 / 120)
    assert jaccard(box(30, 40, 5, 5, 15, 15), box(30, 40, 15, 15, 20, 20)) == 0
    assert jaccard(EMPTY, EMPTY) == 1
    assert jaccard(EMPTY, FULL) == 0
    with pytest.raises(ShapeError, match=r"\(30, 40\) and \(40, 30\)"):
        jaccard(EMPTY, EMPTY.T)


def test_boundary_lies_half_a_pixel_towards_the_origin():
    edge = boundary_map(box(6, 6, 2, 2, 4, 4))
    assert np.argwhere(edge).tolist() == [
        [1, 1],
        [1, 2],
        [1, 3],
        [2, 1],
        [2, 3],
        [3, 1],
        [3, 2],
        [3, 3],
    ]


def blobs(seed):
    """A mask of smooth random shapes that touch every side of the frame."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(48, 67))
    for axis in (0, 1):
        noise = sum(np.roll(noise, shift, axis) for shift in range(-4, 5))
    return noise > np.quantile(noise, 0.6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tolerance", [0.008, 0.02, 0.04])
def test_boundary_measure_equals_the_spelt_out_one(seed, tolerance):
    predicted, truth = blobs(seed), blobs(seed + 100) if seed % 2 else np.roll(blobs(seed), (1, 2), (0, 1))
    assert np.array_equal(boundary_map(predicted), slow_boundary(predicted))
    expected = slow_boundary_f(predicted, truth, tolerance)
    assert 0 < expected < 1
    assert boundary_f(predicted, truth, tolerance) == pytest.approx(expected, abs=1e-12)


def test_boundary_measure_at_its_ends():
    mask = box(480, 854, 100, 200, 300, 500)
    assert boundary_f(mask, mask) == 1
    assert boundary_f(EMPTY, EMPTY) == boundary_f(EMPTY, FULL) == 1  # neither has a boundary
    small = box(30, 40, 10, 10, 20, 20)
    assert boundary_f(EMPTY, small) == boundary_f(small, EMPTY) == 0
    assert boundary_f(small, box(30, 40, 0, 30, 4, 36)) == 0
    with pytest.raises(ShapeError):
        boundary_f(EMPTY, EMPTY.T)
    with pytest.raises(ShapeError):
        boundary_f(EMPTY[None], EMPTY[None])


def test_boundary_tolerance_of_a_davis_frame_is_eight_pixels():
    # The diagonal of 854 x 480 is 979.7 pixels, 0.008 of it 7.84.
    mask = box(480, 854, 100, 200, 300, 500)
    assert boundary_f(np.roll(mask, 8, 1), mask) == 1
    # Both upright sides, 40 % of the outline, are lost but for their ends.
    assert 0.6 < boundary_f(np.roll(mask, 9, 1), mask) < 0.65


@pytest.mark.parametrize("radius", range(1, 14))
def test_disk_is_that_of_the_official_code(radius):
    assert np.array_equal(_disk(radius), disk(radius))


def test_instability_by_hand():
    before = np.zeros((2, 2), np.float32)
    after = np.array([[1.0, 0.5], [0.0, 0.25]], np.float32)
    ones = np.ones((2, 2), np.float32)
    assert temporal_instability(before, after, ones) == pytest.approx(1.75 / 4)
    assert temporal_instability(before, after, np.array([[0, 1], [0, 2]], np.float32)) == pytest.approx(1 / 3)
    assert temporal_instability(after, after, ones) == 0
    assert temporal_instability(before, after, 0 * ones) == 0
    with pytest.raises(ShapeError):
        temporal_instability(before, after, ones[:1])


def test_psnr_by_hand():
    truth = np.full((8, 9, 3), 0.5, np.float32)
    assert psnr_db(truth + 0.1, truth) == pytest.approx(20, abs=1e-4)
    assert psnr_db(truth + 0.01, truth) == pytest.approx(40, abs=1e-3)
    assert psnr_db(truth, truth) == math.inf
    with pytest.raises(ShapeError):
        psnr_db(truth, truth[..., :1])


def test_ssim_of_equal_flat_and_disturbed_pictures():
    rng = np.random.default_rng(0)
    picture = rng.random((40, 50, 3), dtype=np.float32)
    assert ssim(picture, picture) == pytest.approx(1)
    # Flat pictures have only the luminance term: (2 a b + c) / (a^2 + b^2 + c) with c = 0.01^2.
    flat = np.full((40, 50), 0.5, np.float32)
    assert ssim(flat, flat + 0.25) == pytest.approx((2 * 0.5 * 0.75 + 1e-4) / (0.5**2 + 0.75**2 + 1e-4), abs=1e-5)
    noise = [ssim(np.clip(picture + s * rng.normal(size=picture.shape), 0, 1), picture) for s in (0.05, 0.2, 0.8)]
    assert 1 > noise[0] > noise[1] > noise[2]
    with pytest.raises(ShapeError):
        ssim(picture[:10], picture[:10])
