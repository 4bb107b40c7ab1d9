from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.dewatermark.stills.find import find_boxed_mark, find_shared_mark
from ddvideo.tasks.dewatermark.stills.fit import fit_stills

H, W = 60, 72


def scene(seed, base):
    """Soft shading and a few flat patches: edges of its own, unlike those of another seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:H, :W].astype(np.float32)
    picture = np.float32(base) + 0.12 * np.sin(x / 23 + seed)[..., None] + 0.1 * np.cos(y / 19 - seed)[..., None]
    for _ in range(8):
        left, top = rng.integers(0, W - 12), rng.integers(0, H - 12)
        picture[top : top + rng.integers(6, 20), left : left + rng.integers(6, 20)] += rng.uniform(-0.2, 0.2, 3)
    picture += rng.normal(0, 0.006, picture.shape)
    return np.rint(np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7), 0, 1) * 255).astype(np.uint8)


def disc(strength):
    """A disc with smooth edges, of one alpha."""
    large = np.zeros((4 * H, 4 * W), np.uint8)
    cv2.circle(large, (4 * 36, 4 * 30), 4 * 13, 255, cv2.FILLED)
    return cv2.resize(large, (W, H), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 * strength


def marked(clean, alpha, colour):
    picture = (1 - alpha[..., None]) * clean + alpha[..., None] * np.float32(colour) * 255
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def psnr(estimate, clean, where):
    return -10 * np.log10(np.square(estimate - clean.astype(np.float32) / 255)[where].mean())


SCENES = [scene(1, (0.25, 0.3, 0.35)), scene(2, (0.6, 0.45, 0.3)), scene(3, (0.4, 0.55, 0.5))]
WHITE, RED = (1, 1, 1), (0.9, 0.15, 0.1)


@pytest.mark.parametrize("colour", [WHITE, RED])
def test_a_mark_that_three_images_share_is_found_and_taken_off(colour):
    alpha = disc(0.55)
    images = [marked(clean, alpha, colour) for clean in SCENES]
    (piece, hull), *others = find_shared_mark(images)
    assert not others
    assert hull[alpha > 0].all()
    assert piece[(alpha > 0.2) & (alpha < 0.3)].mean() > 0.9
    mark, clean = fit_stills(images, piece, hull)
    inside = alpha > 0.02
    assert np.abs(mark.alpha - alpha)[inside].mean() < 0.02
    np.testing.assert_allclose(mark.colour[alpha > 0.5].mean(0), colour, atol=0.05)
    assert min(psnr(one, true, inside) for one, true in zip(clean, SCENES, strict=True)) > 34
    for one, image in zip(clean, images, strict=True):
        assert not mark.alpha[~hull].any()
        np.testing.assert_array_equal(one[mark.alpha == 0], image[mark.alpha == 0].astype(np.float32) / np.float32(255))


def test_images_without_a_mark_share_none():
    assert find_shared_mark(SCENES) == []


def test_a_mark_in_a_box_is_taken_off_one_image_and_the_rest_of_the_box_is_kept():
    alpha = disc(0.5)
    image = marked(SCENES[0], alpha, WHITE)
    box = np.zeros((H, W), np.bool_)
    box[11:50, 17:56] = True
    mark, (clean,) = fit_stills([image], *find_boxed_mark(image, box))
    assert psnr(clean, SCENES[0], alpha > 0.02) > 32
    assert psnr(clean, SCENES[0], box & (alpha == 0)) > 45
    np.testing.assert_array_equal(clean[~box], image[~box].astype(np.float32) / np.float32(255))
    assert not mark.alpha[~box].any()


def test_a_box_around_no_mark_changes_nothing():
    box = np.zeros((H, W), np.bool_)
    box[11:50, 17:56] = True
    # A flat patch in a scene is a mark for all that one image tells, and so may be a soft one; a texture is none.
    noise = np.random.default_rng(4).normal(0, 1, (H, W, 3)).astype(np.float32)
    texture = np.rint(np.clip(120 + 160 * cv2.GaussianBlur(noise, (0, 0), 2), 0, 255)).astype(np.uint8)
    mark, (clean,) = fit_stills([texture], *find_boxed_mark(texture, box))
    assert not mark.alpha.any()
    np.testing.assert_array_equal(clean, texture.astype(np.float32) / np.float32(255))


def test_narrow_white_lines_in_a_box_are_found_by_being_narrow():
    drawn = np.zeros((H, W), np.uint8)
    cv2.putText(drawn, "M 7", (14, 38), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 153, 1, cv2.LINE_AA)
    alpha = drawn.astype(np.float32) / 255
    image = marked(SCENES[0], alpha, WHITE)
    box = np.zeros((H, W), np.bool_)
    box[16:46, 6:66] = True
    piece, hull = find_boxed_mark(image, box)
    assert piece[alpha > 0.4].mean() > 0.9
    assert not find_boxed_mark(SCENES[0], box)[0].any()
    _, (clean,) = fit_stills([image], piece, hull)
    assert psnr(clean, SCENES[0], alpha > 0.02) > 26


def test_what_does_not_show_through_is_filled_from_around():
    alpha = disc(1.0)
    images = [marked(clean, alpha, RED) for clean in SCENES]
    _, clean = fit_stills(images, *find_shared_mark(images)[0])
    assert min(psnr(one, true, alpha > 0.02) for one, true in zip(clean, SCENES, strict=True)) > 18.7
