from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.errors import ShapeError
from ddvideo.motion.camera import border_prior, flow_residual, parametric_flow, residual_saliency
from ddvideo.motion.flow import backward_warp, consistency, dense_flow, to_grey
from ddvideo.motion.homography import (
    CameraTracker,
    canvas_bounds,
    homography_flow,
    pair_homography,
    pixel_steps,
    rebased,
    warp_points,
)

H, W = 120, 200


@pytest.fixture(scope="module")
def ground(scene):
    """Natural texture, ``(180, 320)`` uint8: what a camera moves over."""
    return to_grey(np.rint(scene("mover").layers(0)["background"] * 255).astype(np.uint8))


def view(ground, x, y):
    """What a camera sees whose upper left corner is at ``(x, y)``, pixels, also between pixels."""
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
    return cv2.warpAffine(ground, matrix, (W, H), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)


def camera_path(frames):
    tracker = CameraTracker()
    for frame in frames:
        tracker.add(frame)
    return tracker.path()


def affine_flow(parameters):
    """Pixels; linear in x and y, which run from -1 to 1 over the frame."""
    x, y = np.meshgrid(np.linspace(-1, 1, W), np.linspace(-1, 1, H))
    return (np.stack([np.ones_like(x), x, y], -1) @ np.asarray(parameters)).astype(np.float32)


CAMERA = affine_flow([[3.0, -1.0], [1.5, 0.4], [-0.6, 1.2]])


@pytest.mark.parametrize("quality", ["ultrafast", "fast", "medium"])
def test_a_known_shift_is_recovered(ground, quality):
    flow = dense_flow(view(ground, 40, 30), view(ground, 35, 33), quality=quality)
    assert flow.shape == (H, W, 2)
    assert flow.dtype == np.float32
    error = np.hypot(flow[..., 0] - 5, flow[..., 1] + 3)[10:-10, 10:-10]
    assert np.median(error) < 0.15
    assert np.quantile(error, 0.95) < 0.6


def test_frames_of_two_sizes_have_no_flow():
    with pytest.raises(ShapeError, match=r"\(4, 5\) and \(4, 6\)"):
        dense_flow(np.zeros((4, 5), np.uint8), np.zeros((4, 6), np.uint8))


def test_grey_is_luma():
    frame = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
    np.testing.assert_allclose(to_grey(frame)[0], [76, 150, 29, 90], atol=1)


def test_warping_back_fetches_from_where_the_flow_points():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    flow = np.zeros((4, 5, 2), np.float32)
    flow[..., 0], flow[..., 1] = 1.5, -1
    expected = image[np.maximum(np.arange(4) - 1, 0)][:, np.minimum(np.arange(5) + 1, 4)].copy()
    expected[:, :3] += 0.5
    np.testing.assert_allclose(backward_warp(image, flow), expected, atol=1e-5)
    colours = np.stack([image, -image, 2 * image], -1)
    np.testing.assert_allclose(backward_warp(colours, flow)[..., 2], 2 * expected, atol=1e-5)


def test_cubics_blur_less_and_are_exact_at_whole_pixels():
    x = np.arange(60, dtype=np.float32)

    def wave(shift):
        return np.sin((x + shift) / 1.2)[None].repeat(20, 0).astype(np.float32)

    def error(shift, cubic):
        flow = np.zeros((20, 60, 2), np.float32)
        flow[..., 0] = shift
        return np.abs(backward_warp(wave(0), flow, cubic=cubic) - wave(shift))[:, 4:-4].max()

    assert error(2, cubic=True) < 1e-6
    assert error(0.5, cubic=True) < 0.4 * error(0.5, cubic=False)


PROJECTIVE = np.array([[1.02, 0.01, 3.0], [-0.02, 0.98, -1.5], [1e-4, -2e-4, 1.0]])


def test_a_homography_s_flow_is_where_it_moves_the_points():
    flow = homography_flow(PROJECTIVE, (H, W))
    assert flow.dtype == np.float32
    points = np.float32([[0, 0], [W - 1, 0], [31, 77], [W - 1, H - 1]])
    moved = warp_points(PROJECTIVE[None].astype(np.float32), points)[0]
    for (x, y), wanted in zip(points.astype(int), moved - points, strict=True):
        np.testing.assert_allclose(flow[y, x], wanted, atol=1e-3)
    still = homography_flow(np.eye(3), (3, 4))
    np.testing.assert_array_equal(still, np.zeros((3, 4, 2)))


def unit_path(step, frames):
    """Matrices of frames that follow each other by a step in pixels, to the plane of the first, in [-1, 1]."""
    to_unit = np.array([[2 / W, 0, 1 / W - 1], [0, 2 / H, 1 / H - 1], [0, 0, 1]])
    path = [to_unit @ np.linalg.matrix_power(np.linalg.inv(step), t) @ np.linalg.inv(to_unit) for t in range(frames)]
    return np.stack(path).astype(np.float32)


def test_steps_between_frames_are_told_in_pixels():
    first, *steps = pixel_steps(unit_path(PROJECTIVE, 4), range(10, 14), (H, W))
    assert first is None
    for step in steps:
        np.testing.assert_allclose(homography_flow(step, (H, W)), homography_flow(PROJECTIVE, (H, W)), atol=0.02)


def test_steps_of_a_part_of_the_picture_are_in_its_own_pixels():
    top, left = 30, 50
    _, step = pixel_steps(unit_path(PROJECTIVE, 2), (0, 1), (H, W), (top, left))
    whole = homography_flow(PROJECTIVE, (H, W))[top : top + 40, left : left + 60]
    np.testing.assert_allclose(homography_flow(step, (40, 60)), whole, atol=0.02)


def test_there_is_no_step_where_frames_are_left_out():
    path = unit_path(PROJECTIVE, 8)[[0, 1, 4, 5, 7]]
    steps = pixel_steps(path, (20, 21, 24, 25, 27), (H, W))
    assert [step is None for step in steps] == [True, False, True, False, True]


def test_steps_follow_a_tracked_camera(ground):
    path = camera_path([view(ground, 30 + 4 * t, 20 + 2 * t) for t in range(4)])
    for step in pixel_steps(path, range(4), (H, W))[1:]:
        np.testing.assert_allclose(homography_flow(step, (H, W)).mean((0, 1)), (-4, -2), atol=0.1)


def test_consistency_is_low_where_something_gets_covered():
    """A square goes 12 pixels to the right over still ground and covers what lay there."""
    forward, backward = np.zeros((H, W, 2), np.float32), np.zeros((H, W, 2), np.float32)
    forward[40:80, 60:100, 0] = 12
    backward[40:80, 72:112, 0] = -12
    trusted = consistency(forward, backward)
    covered = np.zeros((H, W), bool)
    covered[40:80, 100:112] = True
    assert trusted[covered].max() < 0.01
    assert trusted[~covered].min() > 0.99


@pytest.mark.parametrize(("error_px", "expected"), [(0.0, 1.0), (1.0, np.exp(-1)), (2.0, np.exp(-4))])
def test_consistency_falls_with_the_error(error_px, expected):
    forward = np.full((5, 6, 2), 2.0, np.float32)
    backward = -forward
    backward[..., 1] += error_px
    np.testing.assert_allclose(consistency(forward, backward), expected, rtol=1e-4)
    np.testing.assert_allclose(consistency(forward, backward, tolerance_px=2), expected**0.25, rtol=1e-4)


@pytest.mark.parametrize("model", ["affine", "quadratic"])
@pytest.mark.parametrize("where", ["object", "scattered"])
def test_the_camera_is_found_despite_30_percent_outliers(model, where):
    rng = np.random.default_rng(0)
    outlier = np.zeros((H, W), bool)
    if where == "object":
        outlier[30:96, 50:160] = True
    else:
        outlier = rng.random((H, W)) < 0.3
    assert 0.28 < outlier.mean() < 0.32
    flow = CAMERA + rng.normal(0, 0.1, CAMERA.shape).astype(np.float32)
    flow[outlier] += np.float32([8, -5]) if where == "object" else rng.uniform(-15, 15, (outlier.sum(), 2))
    error = np.hypot(*np.moveaxis(parametric_flow(flow, model) - CAMERA, -1, 0))
    assert error.max() < (0.15 if model == "affine" else 0.4)


def test_the_quadratic_model_follows_what_the_affine_cannot():
    x, y = np.meshgrid(np.linspace(-1, 1, W), np.linspace(-1, 1, H))
    flow = CAMERA + np.stack([2 * x * x, 2 * x * y], -1).astype(np.float32)
    assert np.abs(parametric_flow(flow, "quadratic") - flow).max() < 0.1
    assert np.abs(parametric_flow(flow, "affine") - flow).max() > 0.5


def test_weights_say_who_is_the_camera():
    flow = CAMERA.copy()
    flow[:, : W // 2] += np.float32([6, 0])
    weight = np.full((H, W), 0.01, np.float32)
    weight[:, W // 2 :] = 1
    assert np.abs(parametric_flow(flow, "affine", weight=weight) - CAMERA).max() < 0.2


def test_the_residual_is_the_speed_of_the_object():
    flow = CAMERA.copy()
    flow[40:80, 70:120] += np.float32([3, 4])
    residual = flow_residual(flow)
    np.testing.assert_allclose(residual[45:75, 75:115], 5, atol=0.3)
    assert residual[:30].max() < 0.3
    saliency = residual_saliency(residual)
    assert saliency[45:75, 75:115].min() > 0.9
    assert saliency[:30].max() < 0.1


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 1e4])
def test_saliency_is_bounded_and_needs_more_than_noise(scale):
    residual = (scale * np.random.default_rng(0).random((H, W))).astype(np.float32)
    saliency = residual_saliency(residual)
    assert saliency.dtype == np.float32
    assert saliency.min() >= 0
    assert saliency.max() <= 1
    assert saliency.mean() < 0.2


def test_the_border_is_more_likely_background():
    prior = border_prior(H, W)
    assert prior.shape == (H, W)
    assert prior[0].min() == pytest.approx(1.1)
    assert prior[:, -1].min() == pytest.approx(1.1)
    assert prior[H // 2, W // 2] == pytest.approx(0.1, abs=1e-3)


@pytest.mark.parametrize(("follows_object", "within_px"), [(False, 0.5), (True, 2.0)])
def test_the_path_of_a_panning_camera_is_recovered(ground, follows_object, within_px):
    """Nine frames of a pan; an object in the middle that the camera follows would hold it by up to 13 pixels."""
    offsets = np.array([[20 + 3.25 * t, 40 - 1.5 * t] for t in range(9)])
    frames = [view(ground, *offset) for offset in offsets]
    for frame in frames if follows_object else ():
        frame[40:80, 75:120] = ground[100:140, 75:120]
    path = camera_path(frames)
    assert path.shape == (9, 3, 3)
    np.testing.assert_allclose(path[4], np.eye(3), atol=1e-6)
    corners = np.float32([[-1, -1], [1, -1], [1, 1], [-1, 1], [0, 0]])
    moved_px = (warp_points(path, corners) - corners) * np.float32([W / 2, H / 2])
    expected = np.broadcast_to((offsets - offsets[4])[:, None], moved_px.shape)
    assert np.abs(moved_px - expected).max() < within_px
    assert canvas_bounds(path)[2] == pytest.approx(1 + 2 * 13 / W, abs=2 * within_px / W)
    assert canvas_bounds(path)[1] == pytest.approx(-1 - 2 * 6 / H, abs=2 * within_px / H)


def test_a_path_can_be_told_from_any_of_its_frames(ground):
    path = camera_path([view(ground, 20 + 3 * t, 30) for t in range(5)])
    again = rebased(path, 1)
    np.testing.assert_allclose(again[1], np.eye(3), atol=1e-6)
    assert again[4, 0, 2] == pytest.approx(3 * 3 * 2 / W, abs=0.5 / W)
    np.testing.assert_allclose(rebased(again, 2), path, atol=1e-5)


def test_a_pair_maps_from_the_first_to_the_second(ground):
    matrix = pair_homography(view(ground, 40, 30), view(ground, 35, 33))
    point = matrix @ np.float32([100, 60, 1])
    np.testing.assert_allclose(point[:2] / point[2], [105, 57], atol=0.1)


def test_nothing_to_track_is_no_motion():
    flat = np.full((H, W), 90, np.uint8)
    np.testing.assert_array_equal(pair_homography(flat, flat), np.eye(3))
    np.testing.assert_array_equal(camera_path([flat]), np.eye(3)[None])
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (H, W)).astype(np.uint8) for _ in range(2))
    bounds = canvas_bounds(camera_path([one, other]))
    assert np.abs(bounds).max() < 3  # unrelated frames do not blow the canvas up


def test_points_are_warped_by_hand():
    matrices = np.float32([[[2, 0, 1], [0, 3, -1], [0, 0, 1]], [[1, 0, 0], [0, 1, 0], [1, 0, 1]]])
    xy = np.float32([[0.5, 1], [1, -1]])
    expected = np.float32([[[2, 2], [3, -4]], [[1 / 3, 2 / 3], [0.5, -0.5]]])
    np.testing.assert_allclose(warp_points(matrices, xy), expected, rtol=1e-6)
    np.testing.assert_allclose(warp_points(matrices, np.stack([xy, xy[::-1]]))[1], expected[1, ::-1], rtol=1e-6)
