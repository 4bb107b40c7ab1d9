from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from ddvideo.errors import ShapeError, UsageError
from ddvideo.nn.constant import ConstantGenerator
from ddvideo.nn.grid import GridGenerator
from ddvideo.nn.hourglass import HourglassGenerator
from ddvideo.nn.pyramid import PyramidGenerator
from ddvideo.nn.time_code import TIME_CODES, time_code

SIZE_PX = (53, 31)  # width, height; odd, as working sizes are

GENERATORS = {
    "grid": lambda size_px=SIZE_PX: GridGenerator(size_px, 3, cells_px=(24, 12, 6, 3)),
    "hourglass": lambda size_px=SIZE_PX: HourglassGenerator(size_px, 3),
    "constant": lambda size_px=SIZE_PX: ConstantGenerator(3),
}
EVERY = pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
SPATIAL = pytest.mark.parametrize("make", [GENERATORS["grid"], GENERATORS["hourglass"]], ids=["grid", "hourglass"])


@pytest.fixture(scope="module")
def picture(scene):
    """A frame of natural statistics, ``(1, 3, 31, 53)``."""
    frame = torch.from_numpy(scene("mover").frame(3)).permute(2, 0, 1)[None]
    return functional.interpolate(frame, SIZE_PX[::-1], mode="area")


def every_point(batch=1, size_px=SIZE_PX):
    x, y = (torch.linspace(-1, 1, count) for count in size_px)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None].expand(batch, -1, -1, -1)


def seeded(make, seed=0, **options):
    torch.manual_seed(seed)
    return make(**options)


def fit(generator, frames, times, steps, rate):
    """Adam on the squared error; returns the PSNR in dB."""
    xy = every_point(len(frames))
    optimiser = torch.optim.Adam(generator.parameters(), rate)
    for _ in range(steps):
        loss = functional.mse_loss(torch.sigmoid(generator(times, xy)), frames)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        return -10 * math.log10(functional.mse_loss(torch.sigmoid(generator(times, xy)), frames).item())


@pytest.mark.parametrize(("name", "rate", "wanted_db"), [("grid", 1e-2, 26), ("hourglass", 3e-3, 21)])
def test_a_picture_is_fitted_in_150_steps(name, rate, wanted_db, picture):
    assert fit(seeded(GENERATORS[name]), picture, torch.zeros(1), 150, rate) > wanted_db


def test_a_constant_becomes_the_mean(picture):
    generator = ConstantGenerator(3)
    fit(generator, picture, torch.zeros(1), 200, 0.05)
    torch.testing.assert_close(torch.sigmoid(generator.value).detach(), picture.mean((0, 2, 3)), atol=0.01, rtol=0)


@SPATIAL
def test_time_lets_a_layer_change(make, picture):
    """A picture that brightens: at least 1.5 dB more than the best still picture gives."""
    frames = torch.cat([0.3 * picture, picture])
    still = functional.mse_loss(frames.mean(0, keepdim=True).expand_as(frames), frames).item()
    assert fit(seeded(make), frames, torch.tensor([0.0, 1.0]), 80, 5e-3) > 1.5 - 10 * math.log10(still)


@EVERY
def test_the_interface(make):
    generator = seeded(make)
    for height, width in ((1, 1), (1, 40), (31, 53), (5, 4)):
        out = generator(torch.tensor([0.0, 0.3, 1.0]), torch.rand(3, height, width, 2) * 2 - 1)
        assert out.shape == (3, 3, height, width)
        assert torch.isfinite(out).all()


@EVERY
def test_the_same_seed_is_the_same_bit_by_bit(make, picture):
    results = []
    for _ in range(2):
        generator = seeded(make)
        fit(generator, picture, torch.zeros(1), 3, 1e-2)
        results.append(generator(torch.tensor([0.2]), every_point()))
    assert torch.equal(*results)


@SPATIAL
def test_another_seed_is_another_prior(make):
    one, other = (seeded(make, seed)(torch.tensor([0.2]), every_point()) for seed in (0, 1))
    assert (one - other).abs().max() > 1e-3


@EVERY
def test_its_state_is_all_it_is(make, tmp_path):
    """What a chunk reads from its shot's prior gives the very same layer, whatever seed it was made with."""
    written, read = seeded(make, 0), seeded(make, 1)
    with torch.no_grad():
        for parameter in written.parameters():
            parameter.add_(0.1)
    save_file(written.state_dict(), tmp_path / "prior.safetensors")
    read.load_state_dict(load_file(tmp_path / "prior.safetensors"), strict=True)
    times, xy = torch.tensor([0.1, 0.9]), every_point(2)
    assert torch.equal(written(times, xy), read(times, xy))


@EVERY
def test_frames_of_a_batch_do_not_change_each_other(make):
    generator = seeded(make)
    xy = torch.rand(4, 6, 7, 2) * 2 - 1
    for times in (torch.tensor([0.5, 0.0, 0.5, 1.0]), torch.full((4,), 0.25)):
        together = generator(times, xy)
        for index in range(4):
            alone = generator(times[index : index + 1], xy[index : index + 1])
            torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-4)


@EVERY
def test_every_weight_is_used(make):
    generator = seeded(make)
    out = generator(torch.tensor([0.1, 0.9]), every_point(2))
    (out * torch.rand_like(out)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in generator.parameters())


@EVERY
def test_points_that_do_not_fit_are_refused(make):
    generator = make()
    for time, xy in (
        (torch.zeros(2), torch.zeros(3, 4, 5, 2)),
        (torch.zeros(3), torch.zeros(3, 4, 5, 3)),
        (torch.zeros(3), torch.zeros(3, 5, 2)),
    ):
        with pytest.raises(ShapeError, match="xy"):
            generator(time, xy)


@pytest.mark.parametrize("size_px", [(1, 1), (2, 3), (7, 5), (8, 8), (33, 17)])
@pytest.mark.parametrize("skip", [0, 4])
def test_hourglass_of_any_size(size_px, skip):
    generator = HourglassGenerator(size_px, 2, widths=(8, 16, 16), skip=skip)
    canvas = generator.draw(torch.tensor([0.5]))
    assert canvas.shape == (1, 2, size_px[1], size_px[0])
    assert torch.isfinite(canvas).all()
    torch.testing.assert_close(generator(torch.tensor([0.5]), every_point(1, size_px)), canvas, atol=1e-5, rtol=1e-4)


def test_hourglass_reads_x_then_y_and_repeats_its_border():
    generator = seeded(GENERATORS["hourglass"])
    canvas = generator.draw(torch.tensor([0.0]))
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-3, 1]]).reshape(1, 1, 4, 2)
    read = generator(torch.tensor([0.0]), corners)[0, :, 0]
    expected = torch.stack([canvas[0, :, y, x] for y, x in ((0, 0), (0, -1), (-1, -1), (-1, 0))], 1)
    torch.testing.assert_close(read, expected, atol=1e-5, rtol=1e-4)


def test_hourglass_draws_once_for_each_distinct_time(monkeypatch):
    generator = seeded(GENERATORS["hourglass"])
    drawn = []
    draw = generator.draw
    monkeypatch.setattr(generator, "draw", lambda times: drawn.extend(times.tolist()) or draw(times))
    generator(torch.tensor([0.5, 0.25, 0.5, 0.5]), torch.zeros(4, 1, 1, 2))
    generator(torch.tensor([0.75, 0.75]), torch.zeros(2, 1, 1, 2))
    assert sorted(drawn) == [0.25, 0.5, 0.75]


def test_hourglass_takes_channels_last():
    plain, last = seeded(GENERATORS["hourglass"]), seeded(GENERATORS["hourglass"])
    last.to(memory_format=torch.channels_last)
    times, xy = torch.tensor([0.1, 0.9]), every_point(2)
    torch.testing.assert_close(last(times, xy), plain(times, xy), atol=1e-5, rtol=1e-4)


def test_hourglass_keeps_its_code_out_of_the_optimiser():
    generator: nn.Module = seeded(GENERATORS["hourglass"])
    assert "code" in generator.state_dict()
    assert "code" not in dict(generator.named_parameters())
    with pytest.raises(UsageError, match="level"):
        HourglassGenerator(SIZE_PX, 3, widths=())


def test_a_pyramid_is_nothing_at_first_and_the_sum_of_its_grids():
    pyramid = PyramidGenerator((48, 24), 2, cells_px=(24, 12))
    assert [tuple(grid.shape) for grid in pyramid.grids] == [(1, 2, 2, 3), (1, 2, 3, 5)]
    times, xy = torch.tensor([0.2, 0.9]), torch.tensor([[-1.0, -1], [1, 1], [0, 0], [3, -2]]).reshape(1, 1, 4, 2)
    assert not pyramid(times, xy.expand(2, -1, -1, -1)).any()
    with torch.no_grad():
        pyramid.grids[0][0, 0, 0, 0] = 1
        pyramid.grids[1][0, 1, 1, 2] = -3
        pyramid.grids[1][0, 0, 0, 4] = 0.5
    drawn = pyramid(times, xy.expand(2, -1, -1, -1))
    assert drawn.shape == (2, 2, 1, 4)
    torch.testing.assert_close(drawn[1], drawn[0])  # it does not change in time
    torch.testing.assert_close(drawn[0, :, 0], torch.tensor([[1.0, 0, 0, 0.5], [0, 0, -3, 0]]))


def test_a_pyramid_learns_a_picture(picture):
    """Linear, hence fast."""
    torch.manual_seed(0)
    pyramid = PyramidGenerator(SIZE_PX, 3, cells_px=(24, 12, 6, 3, 1.5))
    optimiser = torch.optim.Adam(pyramid.parameters(), 0.05)
    for _ in range(60):
        loss = functional.mse_loss(pyramid(torch.zeros(1), every_point()), picture)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert -10 * math.log10(loss.item()) > 28


def test_time_codes_are_told_apart():
    codes = time_code(torch.linspace(0, 1, 50))
    assert codes.shape == (50, TIME_CODES)
    torch.testing.assert_close(codes[[0, -1]], torch.tensor([[1.0, 0, 1], [-1.0, 0, 1]]), atol=1e-6, rtol=0)
    gaps = torch.cdist(codes, codes) + torch.eye(50)
    assert gaps.min() > 0.05
    with pytest.raises(ShapeError, match="time"):
        time_code(torch.zeros(2, 1))
