from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.detail.extend import extend_colours
from ddvideo.detail.guided import guided_coefficients, guided_upsample
from ddvideo.detail.plate import fill_from_frames, plate
from ddvideo.detail.side_by_side import side_by_side
from ddvideo.errors import ShapeError
from ddvideo.media.working import working_frame, working_size
from ddvideo.metrics import psnr_db

H, W = 90, 150


@given(width=st.integers(16, 5000), height=st.integers(16, 5000), longer_px=st.integers(64, 2000))
def test_working_size(width, height, longer_px):
    small = working_size(width, height, longer_px)
    scale = min(1, longer_px / max(width, height))
    assert max(small) == min(longer_px, max(width, height))
    for side, whole in zip(small, (width, height), strict=True):
        assert 16 <= side <= whole
        assert abs(side - whole * scale) <= 0.5 or side == 16


def test_working_frames_are_small_means_in_8_bits():
    rgb = np.random.default_rng(0).integers(0, 65536, (60, 80, 3)).astype(np.uint16)
    small = working_frame(rgb, 40)
    assert (small.shape, small.dtype) == ((30, 40, 3), np.uint8)
    means = rgb.reshape(30, 2, 40, 2, 3).mean((1, 3)) / 257
    assert np.abs(small - means).max() < 0.51
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(working_frame(levels, 432), levels)
    np.testing.assert_array_equal(working_frame(levels.astype(np.uint16) * 257, 432), levels)
    assert working_frame(np.full((16, 16, 3), 65535, np.uint16), 432).min() == 255


def literal_coefficients(values, guide, radius, eps):
    """The guided filter window by window: a 3 x 3 system each, then the mean of the windows that hold a pixel."""
    pad = ((radius, radius), (radius, radius))
    padded, padded_guide = np.pad(values, pad, "symmetric"), np.pad(guide, (*pad, (0, 0)), "symmetric")
    width = 2 * radius + 1
    model = np.zeros((*values.shape, 4))
    for y, x in np.ndindex(values.shape):
        colours = padded_guide[y : y + width, x : x + width].reshape(-1, 3).astype(np.float64)
        level = padded[y : y + width, x : x + width].ravel().astype(np.float64)
        centred = colours - colours.mean(0)
        covariance = centred.T @ centred / len(colours) + eps * np.eye(3)
        factors = np.linalg.solve(covariance, centred.T @ (level - level.mean()) / len(colours))
        model[y, x] = [*factors, level.mean() - factors @ colours.mean(0)]
    padded = np.pad(model, (*pad, (0, 0)), "symmetric")
    for y, x in np.ndindex(values.shape):
        model[y, x] = padded[y : y + width, x : x + width].mean((0, 1))
    return model


@pytest.mark.parametrize(("radius", "eps"), [(1, 1e-2), (2, 1e-3), (4, 0.1)])
def test_coefficients_equal_the_spelt_out_ones(radius, eps):
    rng = np.random.default_rng(radius)
    guide = rng.random((13, 17, 3)).astype(np.float32)
    guide[..., 2] = 0.7 * guide[..., 0] + 0.3 * guide[..., 2]  # channels that hang together
    values = (guide @ np.float32([0.5, -0.2, 0.4]) + 0.2 * rng.random((13, 17))).astype(np.float32)
    model = guided_coefficients(values, guide, radius_px=radius, eps=eps)
    assert model.dtype == np.float32
    np.testing.assert_allclose(model, literal_coefficients(values, guide, radius, eps), atol=2e-3)


def test_a_map_that_is_linear_in_the_guide_is_kept():
    guide = np.random.default_rng(0).random((20, 24, 3)).astype(np.float32)
    values = guide @ np.float32([0.2, 0.5, -0.1]) + np.float32(0.3)
    model = guided_coefficients(values, guide, radius_px=3, eps=1e-6)
    expected = np.broadcast_to(np.float32([0.2, 0.5, -0.1, 0.3]), model.shape)
    np.testing.assert_allclose(model, expected, atol=2e-3)


def test_a_flat_guide_smooths():
    values = np.random.default_rng(0).random((20, 24)).astype(np.float32)
    model = guided_coefficients(values, np.full((20, 24, 3), 0.4, np.float32), radius_px=2, eps=1e-3)
    np.testing.assert_allclose(model[..., :3], 0, atol=1e-3)
    twice = cv2.blur(cv2.blur(values, (5, 5), borderType=cv2.BORDER_REFLECT), (5, 5), borderType=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(model[..., 3], twice, atol=1e-3)


def test_a_guide_of_another_size_is_refused():
    for guide in (np.zeros((4, 6, 3)), np.zeros((4, 5)), np.zeros((4, 5, 1))):
        with pytest.raises(ShapeError, match=r"\(4, 5\)"):
            guided_coefficients(np.zeros((4, 5), np.float32), guide.astype(np.float32), radius_px=1, eps=1e-3)


def disc(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return np.hypot((x + 0.5) / width - 0.47, ((y + 0.5) / height - 0.52) * height / width) < 0.2


def test_a_blurred_map_gets_the_edge_of_the_guide():
    rng = np.random.default_rng(0)
    inside = disc(4 * H, 4 * W)
    colours = np.where(inside[..., None], np.float32([0.7, 0.3, 0.2]), np.float32([0.25, 0.4, 0.6]))
    full = np.clip(colours + rng.normal(0, 0.02, colours.shape), 0, 1).astype(np.float32)
    small = np.rint(255 * cv2.resize(full, (W, H), interpolation=cv2.INTER_AREA)).astype(np.uint8)
    blurred = cv2.GaussianBlur(np.roll(disc(H, W), 3, 1).astype(np.float32), (0, 0), 4)  # and three pixels off
    sharp = guided_upsample(blurred, small, full)
    assert sharp.shape == (4 * H, 4 * W)
    assert sharp.dtype == np.float32
    plain = cv2.resize(blurred, (4 * W, 4 * H), interpolation=cv2.INTER_LINEAR)
    wrong, wrong_before = (((values > 0.5) != inside).mean() for values in (sharp, plain))
    assert wrong_before > 0.02
    assert wrong < 0.002
    near = np.ones((9, 9), np.uint8)  # of the full frame: two working pixels to either side
    within = inside & (cv2.erode(inside.astype(np.uint8), near) == 0)
    beyond = ~inside & (cv2.dilate(inside.astype(np.uint8), near) == 1)
    jump, jump_before = (values[within].mean() - values[beyond].mean() for values in (sharp, plain))
    assert jump_before < 0.12
    assert jump > 0.4


def test_a_map_of_the_frames_own_size_is_not_enlarged():
    guide = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    values = (guide[..., 1] / 255).astype(np.float32)
    np.testing.assert_allclose(guided_upsample(values, guide, guide / np.float32(255), eps=1e-6), values, atol=5e-3)


def two_colours():
    """Red in a square on the left, blue in one on the right, green noise between: solid are only the squares."""
    rng = np.random.default_rng(0)
    frame = rng.random((H, W, 3)).astype(np.float32) * np.float32([0.1, 1, 0.1])
    alpha = np.zeros((H, W), np.float32)
    frame[30:60, 20:50], alpha[30:60, 20:50] = (0.9, 0.1, 0.1), 1
    frame[30:60, 100:130], alpha[30:60, 100:130] = (0.1, 0.1, 0.9), 0.95
    alpha[25:30, 20:130] = 0.5
    return frame, alpha


def test_colours_reach_beyond_what_is_solid():
    frame, alpha = two_colours()
    out = extend_colours(frame, alpha, reach=0.05)
    assert out.dtype == np.float32
    solid = alpha >= 0.9
    np.testing.assert_array_equal(out[solid], frame[solid])
    np.testing.assert_allclose(out[35:55, 52:54], np.broadcast_to([0.9, 0.1, 0.1], (20, 2, 3)), atol=0.05)
    np.testing.assert_allclose(out[35:55, 96:98], np.broadcast_to([0.1, 0.1, 0.9], (20, 2, 3)), atol=0.05)
    assert out[26, 25:45, 0].min() > 0.8  # also where it shows by half: the frame's green is not the layer's
    np.testing.assert_allclose(out[:, 74:76], 0, atol=0.02)
    np.testing.assert_allclose(out[85:, :], 0, atol=0.05)


def test_colours_reach_as_far_as_they_are_told():
    frame, alpha = two_colours()
    reached = [(extend_colours(frame, alpha, reach=reach).sum(2) > 0.1).sum() for reach in (0.03, 0.06, 0.12)]
    out = extend_colours(frame, alpha, reach=0.2)
    assert out[45, 55, 0] > 3 * out[45, 55, 2]  # however far they reach, the near one decides
    assert reached[0] < 0.8 * reached[1] < 0.64 * reached[2]


@pytest.mark.parametrize("size", [(H, W), (5, 3), (1, 1)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_layer_that_is_all_or_nothing(level, size):
    frame = np.full((*size, 3), (0.8, 0.5, 0.2), np.float32)
    out = extend_colours(frame, np.full(size, level, np.float32))
    assert out.shape == frame.shape
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out, frame if level else 0, atol=1e-3)  # nowhere solid: what shows lends its colour


FRAMES = 12


@pytest.fixture(scope="module")
def pan(scene):
    """Frames of a pan of 2.5 and 1 pixels a frame, the plane they lie on, and a hole of 40 x 30 that goes 6 each."""
    ground = np.rint(65535 * scene("mover").layers(0)["background"]).astype(np.uint16)
    clean, camera, hole = [], [], []
    for t in range(FRAMES):
        x, y = 60 + 2.5 * t, 50 + t
        matrix = np.float32([[1, 0, x], [0, 1, y]])
        clean.append(cv2.warpAffine(ground, matrix, (W, H), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP))
        camera.append([[1, 0, 2 * (x - 60) / W], [0, 1, 2 * (y - 50) / H], [0, 0, 1]])
        mask = np.zeros((H, W), bool)
        mask[30:60, 20 + 6 * t : 60 + 6 * t] = True
        hole.append(mask)
    return clean, np.float32(camera), hole


def spoilt(frames, hole, dtype):
    """The frames as uint8 or uint16 with the holes painted over, and where they show the background."""
    frames = [frame if dtype == np.uint16 else (frame // 257).astype(np.uint8) for frame in frames]
    frames = [
        np.where(mask[..., None], dtype(np.iinfo(dtype).max), frame) for frame, mask in zip(frames, hole, strict=True)
    ]
    return frames, [np.where(mask, 0, 255).astype(np.uint8) for mask in hole]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("index", [0, 6, 11])
def test_what_is_hidden_is_taken_from_other_frames(pan, index, dtype):
    clean, camera, hole = pan
    frames, visible = spoilt(clean, hole, dtype)
    colour, seen = fill_from_frames(index, frames, visible, camera, hole[index])
    found = hole[index] & (seen > 0.5)
    assert found.sum() > 0.8 * hole[index].sum()
    truth = clean[index].astype(np.float32) / 65535
    assert psnr_db(colour[found][None], truth[found][None]) > 30
    assert np.abs(colour - truth)[found].max() < 0.15  # the holes' own colour does not show through at their rims
    np.testing.assert_array_equal(seen[:4], 0)  # far from what was asked for nothing is looked up
    assert colour.min() >= 0
    assert colour.max() <= 1


def test_pixels_are_looked_up_at_their_centres(pan):
    """A frame that stands on its head shows the very same pixels."""
    frames = [pan[0][0]] * 3 + [pan[0][0][::-1, ::-1].copy()]
    camera = np.float32([np.eye(3)] * 3 + [np.diag([-1, -1, 1])])
    wanted = np.zeros((H, W), bool)
    wanted[30:60, 5:40] = True
    colour, seen = fill_from_frames(0, frames, [np.full((H, W), 255, np.uint8)] * 4, camera, wanted)
    np.testing.assert_allclose(seen[wanted], 1, atol=1e-3)
    np.testing.assert_allclose(colour[wanted], frames[0][wanted] / np.float32(65535), atol=0.01)


def test_what_no_frame_shows_stays_unseen(pan):
    clean, camera, _ = pan
    wanted = np.zeros((H, W), bool)
    wanted[40:50, 60:75] = True
    for shows in (0, 128):  # a pixel that half belongs to what hides it does not count either
        nowhere = [np.full((H, W), shows, np.uint8)] * FRAMES
        colour, seen = fill_from_frames(6, clean, nowhere, camera, wanted)
        np.testing.assert_array_equal(seen, 0)
        np.testing.assert_array_equal(colour, 0)
    # Ground pixels that lie left of the middle of frame 6 are hidden in every frame; they are not made up.
    shown = [np.broadcast_to(np.arange(W) + 2.5 * (t - 6) > 68, (H, W)) for t in range(FRAMES)]
    _, seen = fill_from_frames(6, clean, [255 * mask.astype(np.uint8) for mask in shown], camera, wanted)
    np.testing.assert_array_equal(seen[40:50, 60:66], 0)
    assert seen[40:50, 71:75].min() > 0


def test_nothing_wanted_is_nothing_looked_up(pan):
    clean, camera, hole = pan
    frames, visible = spoilt(clean, hole, np.uint8)
    colour, seen = fill_from_frames(3, frames, visible, camera, np.zeros((H, W), bool))
    assert colour.shape == (H, W, 3)
    np.testing.assert_array_equal(colour, 0)
    np.testing.assert_array_equal(seen, 0)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_frames_side_by_side_come_in_order_and_no_more_than_are_wanted_are_begun(threads):
    begun = []

    def work(index):
        begun.append(index)
        time.sleep(0.002 * ((7 - index) % 3))
        return 10 * index

    found = side_by_side(work, [np.zeros((4, 6, 3), np.uint8)] * 7, threads=threads)
    assert next(found) == 0
    assert len(begun) <= threads + 1
    assert list(found) == [10, 20, 30, 40, 50, 60]


def test_large_frames_are_worked_on_alone_and_an_error_comes_through():
    together, most = [0], [0]

    def work(index):
        together[0] += 1
        most[0] = max(most[0], together[0])
        time.sleep(0.002)
        together[0] -= 1
        if index == 2:
            raise ValueError("of the third")

    large = [np.broadcast_to(np.uint8(0), (3000, 4000, 3))] * 4
    with pytest.raises(ValueError, match="of the third"):
        list(side_by_side(work, large, threads=8))
    assert most == [1]


def test_a_plate_is_the_frame_but_for_the_hole_which_takes_on_the_light_around_it():
    """The generator has drawn the ground too dark: in the hole, what it missed around it is made good."""
    ground = np.full((120, 300, 3), 0.6, np.float32)
    frame = ground.copy()
    frame[50:70, 140:170] = (1, 0, 0)
    hidden = np.zeros(frame.shape[:2], np.bool_)
    hidden[46:74, 136:174] = True
    frames = [np.asarray(np.rint(255 * frame), np.uint8)]
    visible = [np.asarray(255 * ~hidden, np.uint8)]
    drawn = np.full((60, 150, 3), 102, np.uint8)
    found = plate(0, frame, hidden, frames, visible, np.eye(3, dtype=np.float32)[None], drawn)
    np.testing.assert_array_equal(found[~hidden], frame[~hidden])
    np.testing.assert_allclose(found[hidden], 0.6, atol=0.02)
    assert frame[60, 150, 1] == 0, "what it was given is left as it is"
