from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from ddvideo.errors import ShapeError
from ddvideo.fit.model import pixel_centres
from ddvideo.fit.shot_prior import camera_motion
from ddvideo.nn import GridGenerator, LayerMotion, RegionGenerator

LENGTH = 5
COUNTS = (3, 4, 2)
TIMES = torch.tensor([0.0, 0.25, 1.0])
LABELS = torch.tensor(
    [
        [[0, 0, 1, 1], [0, 2, 2, 1], [2, 2, 2, 1]],
        [[3, 3, 3, 3], [0, 1, 2, 2], [0, 1, 2, 2]],
        [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]],
    ],
    dtype=torch.int32,
)
UNIT_BOUNDS = torch.tensor([-1.0, -1, 1, 1])


def codes(seed=0):
    torch.manual_seed(seed)
    return [3 + 2 * torch.randn(count, LENGTH) for count in COUNTS]


def region_generator(seed=0, channels=2):
    torch.manual_seed(seed)
    return RegionGenerator(LENGTH, channels, hidden=16)


def bound(vectors=None, seed=0, rescale=True):
    generator = region_generator(seed)
    generator.bind(TIMES, codes() if vectors is None else vectors, LABELS, rescale=rescale)
    return generator


def test_every_point_has_the_value_of_its_superpixel():
    generator = bound()
    time = TIMES[[2, 0]]
    values, starts = generator.regions(time)
    assert starts.tolist() == [0, 2, 5]
    drawn = generator(time, pixel_centres(3, 4).expand(2, -1, -1, -1))
    assert drawn.shape == (2, 2, 3, 4)
    for row, frame in enumerate((2, 0)):
        expected = values[starts[row] + LABELS[frame].long()].permute(2, 0, 1)
        assert torch.equal(drawn[row], expected)
    assert values.unique(dim=0).shape[0] == 5  # the values tell the superpixels apart


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 1, 0]])
def test_regions_come_in_the_order_that_is_asked_for(order):
    generator = bound()
    values, starts = generator.regions(TIMES[order])
    assert starts.tolist() == [0, *np.cumsum([COUNTS[frame] for frame in order])]
    for row, frame in enumerate(order):
        alone, _ = generator.regions(TIMES[frame : frame + 1])
        torch.testing.assert_close(values[starts[row] : starts[row + 1]], alone)


def test_points_are_read_at_the_nearest_pixel_also_beyond_the_frame():
    generator = bound()
    points = torch.tensor([[-0.99, -0.99], [-0.51, 0.3], [-0.49, 0.3], [0.99, 0.99], [-7, -7], [7, 0]])
    label = [3, 0, 1, 2, 3, 2]
    values, _ = generator.regions(TIMES[1:2])
    drawn = generator(TIMES[1:2], points.reshape(1, 1, -1, 2))[0, :, 0].T
    torch.testing.assert_close(drawn, values[label])


def test_what_looks_alike_gets_one_value_wherever_and_whenever_it_lies():
    """The frames differ in time alone: the untrained network tells looks further apart than times."""
    vectors = codes()
    vectors[1][3], vectors[2][0] = vectors[0][1], vectors[0][1]
    generator = bound(vectors)
    values, starts = generator.regions(TIMES)
    alike = values[torch.stack([starts[0] + 1, starts[1] + 3, starts[2]])]
    assert (alike - alike.mean(0)).norm() < 0.5 * (values - values.mean(0)).norm() * (3 / 9) ** 0.5
    twice = torch.cat([vectors[0][1:2], vectors[0][1:2]])
    generator.bind(TIMES, [vectors[0], vectors[1], twice], LABELS, rescale=False)
    values, starts = generator.regions(TIMES[2:])
    assert torch.equal(values[0], values[1])


def test_the_scale_is_measured_or_kept():
    vectors = codes()
    for vector in vectors:
        vector[:, 2] = 0.5  # an entry that never changes has no spread, and is not divided by it
    generator = bound(vectors)
    joined = torch.cat(vectors)
    torch.testing.assert_close(generator.mean, joined.mean(0))
    spread = joined.std(0, correction=0)
    spread[2] = 1
    torch.testing.assert_close(generator.spread, spread)
    before = generator.regions(TIMES)[0]
    stretched = [10 * vector - 4 for vector in vectors]
    generator.bind(TIMES, stretched, LABELS, rescale=True)
    torch.testing.assert_close(generator.regions(TIMES)[0], before, atol=1e-4, rtol=1e-4)
    generator.bind(TIMES, vectors, LABELS, rescale=False)
    torch.testing.assert_close(generator.mean, 10 * joined.mean(0) - 4)
    assert (generator.regions(TIMES)[0] - before).abs().max() > 0.01


def test_what_does_not_belong_together_is_refused():
    vectors = codes()
    for times, given, labels in (
        (TIMES[:2], vectors, LABELS),
        (TIMES, vectors[:2], LABELS),
        (TIMES, vectors, LABELS[:2]),
        (TIMES[:0], [], LABELS[:0]),
    ):
        with pytest.raises(ShapeError, match="one clip"):
            region_generator().bind(times, given, labels, rescale=True)
    with pytest.raises(ShapeError, match="4 entries were given, 5"):
        region_generator().bind(TIMES, [vector[:, :4] for vector in vectors], LABELS, rescale=True)
    with pytest.raises(ShapeError, match="no codes"):
        region_generator().regions(TIMES)
    with pytest.raises(ShapeError, match="no codes"):
        region_generator()(TIMES, torch.zeros(3, 1, 1, 2))


def test_its_state_is_weights_and_scale_and_no_codes(tmp_path):
    written, read = bound(seed=0), bound(codes(5), seed=1)
    state = written.state_dict()
    assert {name for name in state if not name.startswith("decoder.")} == {"mean", "spread"}
    assert state.keys() - {"mean", "spread"} == dict(written.named_parameters()).keys()
    save_file(state, tmp_path / "prior.safetensors")
    read.load_state_dict(load_file(tmp_path / "prior.safetensors"), strict=True)
    read.bind(TIMES, codes(), LABELS, rescale=False)
    assert torch.equal(read.regions(TIMES)[0], written.regions(TIMES)[0])


def test_a_motion_of_nothing_changes_nothing():
    xy = torch.rand(3, 4, 5, 2) * 2 - 1
    for learned in (False, True):
        motion = LayerMotion(torch.eye(3).expand(6, 3, 3), UNIT_BOUNDS, learned=learned)
        torch.testing.assert_close(motion(torch.tensor([5, 0, 2]), xy), xy)


def test_a_homography_by_hand():
    matrices = torch.tensor([[[2.0, 0, 1], [0, 3, -1], [0, 0, 1]], [[1.0, 0, 0], [0, 1, 0], [1, 0, 1]]])
    xy = torch.tensor([[0.5, 1.0], [1, -1]]).reshape(1, 1, 2, 2).expand(2, -1, -1, -1)
    motion = LayerMotion(matrices, UNIT_BOUNDS)
    expected = torch.tensor([[[2.0, 2], [3, -4]], [[1 / 3, 2 / 3], [0.5, -0.5]]])
    torch.testing.assert_close(motion(torch.tensor([0, 1]), xy)[:, 0], expected)
    torch.testing.assert_close(motion(torch.tensor([1, 0]), xy)[:, 0], expected.flip(0))


def test_bounds_stretch_to_the_canvas():
    bounds = torch.tensor([-3.0, -1, 1, 4])
    motion = LayerMotion(torch.eye(3)[None], bounds)
    corners = torch.tensor([[-3.0, -1], [1, -1], [1, 4], [-3, 4], [-1, 1.5], [2, 1.5]]).reshape(1, 1, 6, 2)
    expected = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [0, 0], [1.5, 0]])
    torch.testing.assert_close(motion(torch.tensor([0]), corners)[0, 0], expected)


def test_only_a_learned_motion_has_weights():
    matrices = torch.eye(3).expand(4, 3, 3)
    assert list(LayerMotion(matrices, UNIT_BOUNDS).parameters()) == []
    assert LayerMotion(matrices, UNIT_BOUNDS).state_dict() == {}
    learned = LayerMotion(matrices, UNIT_BOUNDS, learned=True, aspect=2.0)
    assert {name: tuple(values.shape) for name, values in learned.state_dict().items()} == {"change": (4, 4)}
    with torch.no_grad():
        learned.change[1, 0], learned.change[1, 1] = 0.25, 0.1  # half widths to the right and down
        learned.change[2, 2] = 0.5  # turned: what is right goes down
        learned.change[3, 3] = 0.1  # enlarged
    at = torch.tensor([1.0, 0]).expand(4, 1, 1, 2)
    expected = torch.tensor([[1.0, 0], [1.25, 0.2], [1, 1], [1.1, 0]])
    torch.testing.assert_close(learned(torch.arange(4), at)[:, 0, 0], expected)


def test_a_learned_change_comes_before_the_given_motion():
    matrix = torch.tensor([[[2.0, 0, 1], [0, 1, 0], [0, 0, 1]]])
    learned = LayerMotion(matrix, UNIT_BOUNDS, learned=True)
    with torch.no_grad():
        learned.change[0, 0] = 0.5
    torch.testing.assert_close(learned(torch.tensor([0]), torch.zeros(1, 1, 1, 2))[0, 0, 0], torch.tensor([2.0, 0]))


@pytest.mark.parametrize(
    ("matrices", "bounds"),
    [(torch.eye(3), UNIT_BOUNDS), (torch.zeros(2, 2, 3), UNIT_BOUNDS), (torch.zeros(2, 3, 3), UNIT_BOUNDS[:3])],
)
def test_matrices_of_another_shape_are_refused(matrices, bounds):
    with pytest.raises(ShapeError, match="expected"):
        LayerMotion(matrices, bounds)


def test_a_learned_motion_finds_a_known_shift(scene):
    """A grid that has learned a picture by heart sees it again, shifted by a tenth of the frame and to the left."""
    full = torch.from_numpy(scene("mover").layers(0)["background"]).permute(2, 0, 1)[None]
    full = functional.interpolate(full, (36, 64), mode="area")
    full = functional.avg_pool2d(functional.pad(full, (2, 2, 2, 2), mode="replicate"), 5, 1)
    xy = 0.7 * pixel_centres(24, 40)[None]
    shift = torch.tensor([-0.1, 0.07])

    def look(points):
        return functional.grid_sample(full, points, align_corners=False, padding_mode="border")

    torch.manual_seed(0)
    canvas = GridGenerator((64, 36), 3, cells_px=(16, 8, 4))
    optimiser = torch.optim.Adam(canvas.parameters(), 1e-2)
    everywhere = pixel_centres(36, 64)[None]
    for _ in range(250):
        loss = functional.mse_loss(torch.sigmoid(canvas(torch.zeros(1), everywhere)), look(everywhere))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    motion = LayerMotion(torch.eye(3).expand(2, 3, 3), UNIT_BOUNDS, learned=True)
    optimiser = torch.optim.Adam(motion.parameters(), 5e-3)
    seen, row = look(xy + shift), torch.tensor([1])
    losses = []
    for _ in range(150):
        drawn = torch.sigmoid(canvas(torch.zeros(1), motion(row, xy)))
        loss = functional.mse_loss(drawn, seen)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    with torch.no_grad():
        found = (motion(row, xy) - xy)[0, 4:-4, 4:-4]
    assert losses[-1] < 0.25 * losses[0]
    torch.testing.assert_close(found.mean((0, 1)), shift, atol=0.02, rtol=0)
    assert (found - shift).norm(dim=-1).median() < 0.04
    assert not motion.change[0].any()  # the frame that was not looked at stays where it was


def straight_path(per_frame, count=41):
    path = np.eye(3, dtype=np.float32)[None].repeat(count, 0)
    path[:, 0, 2] = per_frame * (np.arange(count) - count // 2)
    return path


def test_windows_of_a_shot_share_a_canvas_unless_it_were_too_large():
    near = straight_path(0.1)
    motions = [camera_motion(near, rows) for rows in (np.arange(8), np.arange(30, 41), np.array([0, 20, 40]))]
    for motion, rows in zip(motions, (slice(0, 8), slice(30, 41), slice(0, 41, 20)), strict=True):
        np.testing.assert_allclose(motion.bounds, [-3, -1, 3, 1], atol=1e-5)
        np.testing.assert_array_equal(motion.matrices, near[rows])
    far = camera_motion(straight_path(1.0), np.arange(30, 38))
    np.testing.assert_allclose(far.matrices[:, 0, 2], np.arange(-4, 4), atol=1e-5)
    np.testing.assert_allclose(far.matrices[4], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(far.bounds, [-5, -1, 4, 1], atol=1e-5)
    spread = camera_motion(straight_path(1.0), np.array([0, 20, 40]))
    np.testing.assert_allclose(spread.bounds, [-12, -1, 12, 1], atol=1e-5)
    broken = straight_path(0.1)
    broken[3] = np.nan
    assert np.isfinite(camera_motion(broken, np.arange(8)).bounds).all()
    assert np.isfinite(camera_motion(broken, np.arange(8, 16)).bounds).all()
