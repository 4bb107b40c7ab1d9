from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.dewatermark.stills.flat_piece import APART, best_flat
from ddvideo.tasks.dewatermark.stills.graph_cut import cut_mask
from ddvideo.tasks.dewatermark.stills.peeling import peeled
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs
from ddvideo.tasks.dewatermark.stills.ransac import Blend, blends_of_gain, likely_blends, refined

H, W = 64, 72
RED, BLUE = np.float32([0.9, 0.15, 0.1]), np.float32([0.1, 0.25, 0.9])
HULL = np.zeros((H, W), np.bool_)
HULL[4:60, 6:66] = True


def scene(seed=1):
    """Slow changes of colour, and some that are quick."""
    noise = np.random.default_rng(seed).normal(0, 1, (H, W, 3)).astype(np.float32)
    slow, quick = (cv2.GaussianBlur(noise, (0, 0), size) for size in (9, 1.5))
    return np.clip(0.45 + 2.5 * slow + 0.05 * quick, 0, 1).astype(np.float32)


def shape(*corners):
    large = np.zeros((8 * H, 8 * W), np.uint8)
    cv2.fillPoly(large, [8 * np.int32(corners)], 255)
    return cv2.resize(large, (W, H), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def rounded(picture):
    return np.rint(picture * 255).astype(np.float32) / np.float32(255)


def over(picture, part, colour, strength):
    alpha = strength * part[..., None]
    return rounded((1 - alpha) * picture + alpha * colour)


def psnr(estimate, truth, where):
    return -10 * np.log10(np.square(estimate - truth)[where].mean())


SQUARE, TRIANGLE = shape((14, 14), (40, 10), (36, 40), (12, 38)), shape((30, 30), (58, 26), (44, 54))


def test_the_pixels_that_a_known_blend_covers_are_cut_out_at_once():
    picture = over(scene(), SQUARE, RED, 0.5)
    mask = cut_mask(picture, HULL, 0.5, 0.5 * RED)
    assert (mask == (SQUARE > 0.5))[(SQUARE < 0.1) | (SQUARE > 0.9)].all()
    assert not cut_mask(picture, ~HULL, 0.5, 0.5 * RED).any()
    assert not cut_mask(scene(), HULL, 0.5, 0.5 * RED).any()


def test_pixels_that_no_scene_explains_are_not_cut_mask():
    dark = np.zeros((H, W, 3), np.float32)
    assert not cut_mask(dark, HULL, 0.5, np.full(3, 0.5)).any()


def test_two_edges_tell_strength_and_colour():
    picture = over(scene(), SQUARE, RED, 0.5)
    blends = [blend for blend in likely_blends(picture, PixelPairs(HULL, APART)) if blend.plain is None]
    assert min(abs(blend.gain - 0.5) + np.abs(blend.colour - RED).max() for blend in blends) < 0.06


def test_a_known_strength_tells_the_colour():
    picture = over(scene(), SQUARE, BLUE, 0.6)
    blends = list(blends_of_gain(picture, PixelPairs(HULL, APART), 0.4))
    assert all(blend.gain == 0.4 for blend in blends)
    assert min(np.abs(blend.colour - BLUE).max() for blend in blends) < 0.04


@pytest.mark.parametrize("plain", [None, 1.0])
def test_a_blend_is_refined_by_the_edges_that_agree(plain):
    random = np.random.default_rng(0)
    outer = random.uniform(0, 1, (200, 3))
    inner = 0.4 * outer + 0.6
    inner[::5] = random.uniform(0, 1, (40, 3))
    found = refined(inner, outer, Blend(gain=0.41, offset=np.full(3, 0.59), plain=plain))
    assert abs(found.gain - 0.4) < 0.003
    np.testing.assert_allclose(found.offset, 0.6, atol=0.003)


def test_the_best_of_blends_is_the_one_its_outline_speaks_for():
    picture = over(scene(), SQUARE, RED, 0.5)
    right, wrong = Blend(gain=0.52, offset=0.48 * RED), Blend(gain=0.5, offset=0.5 * BLUE)
    pairs = PixelPairs(HULL, APART)
    best = best_flat(picture, pairs, [wrong, right])
    assert abs(best.blend.gain - 0.5) < 0.05
    np.testing.assert_allclose(best.blend.colour, RED, atol=0.06)
    assert (best.mask == (SQUARE > 0.5))[(SQUARE < 0.1) | (SQUARE > 0.9)].all()
    assert best.quality > 0.9
    none = best_flat(scene(), pairs, [right, wrong])
    assert none is None or none.quality < 0.7


def test_a_rough_blend_is_refined_by_its_own_outline():
    picture = over(scene(), SQUARE, RED, 0.5)
    best = best_flat(picture, PixelPairs(HULL, APART), [Blend(gain=0.56, offset=0.44 * RED + 0.01)])
    assert abs(best.blend.gain - 0.5) < 0.05
    np.testing.assert_allclose(best.blend.colour, RED, atol=0.04)
    assert best.quality > 0.95


def test_a_part_that_goes_on_beyond_the_region_is_none_of_the_mark():
    wide = shape((0, 20), (71, 20), (71, 44), (0, 44))
    best = best_flat(over(scene(), wide, RED, 0.5), PixelPairs(HULL, APART), [Blend(gain=0.5, offset=0.5 * RED)])
    assert best is None or not best.mask.any()


def test_pieces_of_two_colours_are_taken_off_one_after_the_other():
    clean = scene()
    picture = over(over(clean, SQUARE, RED, 0.6), TRIANGLE * (1 - SQUARE), BLUE, 0.6)
    alpha, colour = peeled(picture, HULL)
    for part, own in ((SQUARE > 0.99) & (TRIANGLE == 0), RED), ((TRIANGLE > 0.99) & (SQUARE == 0), BLUE):
        np.testing.assert_allclose(np.median(alpha[part]), 0.6, atol=0.08)
        np.testing.assert_allclose(np.median(colour[part], 0), own, atol=0.1)
        behind = (picture - alpha[..., None] * colour) / np.maximum(1 - alpha, 0.02)[..., None]
        assert psnr(behind, clean, part & (alpha < 1)) > 27
    assert not alpha[~HULL].any()
    assert (alpha[(SQUARE + TRIANGLE) == 0] > 0).mean() < 0.08


def test_no_piece_is_seen_where_there_is_none():
    noise = np.random.default_rng(4).normal(0, 1, (H, W, 3)).astype(np.float32)
    assert peeled(rounded(np.clip(0.5 + 0.6 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 1)), HULL) is None
    assert peeled(np.full((H, W, 3), 0.4, np.float32), HULL) is None
