from __future__ import annotations

import math

import pytest
import torch

from ddvideo.errors import ShapeError, UsageError
from ddvideo.losses import (
    agreement_loss,
    binary_loss,
    coherence_loss,
    energy_loss,
    envelope_loss,
    exclusion_loss,
    reconstruction_loss,
    smoothness_loss,
)

LOSSES = {
    "reconstruction": lambda a, b: reconstruction_loss(a, b, knee=0.1, weight=b[:, :1]),
    "exclusion": exclusion_loss,
    "coherence": lambda a, b: coherence_loss(a, b, b[:, :1]),
    "soft coherence": lambda a, b: coherence_loss(a, b, b[:, :1], softness=0.02),
    "binary": lambda a, b: binary_loss(a),
    "energy": lambda a, b: energy_loss(a),
    "smoothness": smoothness_loss,
    "agreement": lambda a, b: agreement_loss(a[:, :1], b[:, :1], confidence=b[:, 1:2]),
    "envelope": lambda a, b: envelope_loss(a, b, confidence=0.5 + b[:, :1]),
}
EVERY = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def full(value, shape=(2, 3, 16, 16)):
    return torch.full(shape, float(value))


def noise(seed, shape=(2, 3, 16, 16)):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_flat_and_extreme_layers(loss, value, dtype):
    for other in (full(0), full(1), full(0.5), noise(0).round()):
        layer = full(value).to(dtype).requires_grad_()
        got = loss(layer, other.to(dtype))
        got.backward()
        assert got.shape == ()
        assert got.dtype == dtype
        assert got >= 0
        assert torch.isfinite(layer.grad).all()
        assert layer.grad.abs().max() < 1e3


@EVERY
def test_a_noisy_layer_is_pulled_everywhere(loss):
    layer = noise(1).requires_grad_()
    loss(layer, 0.1 + 0.8 * noise(2)).backward()
    assert (layer.grad[:, 0] != 0).float().mean() > 0.9


@EVERY
def test_shapes_that_do_not_fit_are_refused(loss):
    for wrong in (noise(0, (2, 3, 16)), noise(0, (0, 3, 16, 16))):
        with pytest.raises(ShapeError):
            loss(wrong, wrong)
    if loss not in (LOSSES["binary"], LOSSES["energy"]):
        with pytest.raises(ShapeError, match=r"\(2, \d, 1, 16\).*\(2, \d, 16, 16\)"):
            loss(noise(0), noise(0)[:, :, :1])


def test_reconstruction_by_hand():
    predicted = torch.tensor([0.1, 0.0, 0.9]).reshape(1, 1, 1, 3)
    frame = torch.tensor([0.1, 0.3, 0.3]).reshape(1, 1, 1, 3)
    assert reconstruction_loss(predicted, frame).item() == pytest.approx(0.3)
    weight = torch.tensor([0.0, 1.0, 3.0]).reshape(1, 1, 1, 3)
    assert reconstruction_loss(predicted, frame, weight=weight).item() == pytest.approx((0.3 + 3 * 0.6) / 4)
    kneed = (0.3 / (1 + 0.3 / 0.3) + 0.6 / (1 + 0.6 / 0.3)) / 3
    assert reconstruction_loss(predicted, frame, knee=0.3).item() == pytest.approx(kneed)
    assert reconstruction_loss(frame, frame).item() == 0
    assert reconstruction_loss(predicted, frame, weight=0 * weight).item() == 0


def test_reconstruction_means_over_channels_before_the_knee():
    predicted = torch.tensor([0.6, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert reconstruction_loss(predicted, 0 * predicted, knee=0.2).item() == pytest.approx(0.1)


def test_a_knee_lets_outliers_go():
    frame = full(0)
    pulls = []
    for error in (0.01, 0.9):
        predicted = full(error).requires_grad_()
        reconstruction_loss(predicted, frame, knee=0.05).backward()
        pulls.append(predicted.grad.abs().mean().item())
    assert pulls[1] < 0.01 * pulls[0]
    with pytest.raises(UsageError, match="knee"):
        reconstruction_loss(frame, frame, knee=0.0)


def test_exclusion_by_hand():
    a = torch.zeros(1, 1, 2, 2)
    a[..., 1] = 0.5  # one edge along x, none along y
    psi = math.tanh(0.5) ** 2
    assert exclusion_loss(a, a, levels=1).item() == pytest.approx(0.5 * psi, rel=5e-3)
    # An edge of 0.9 against one of 0.1 counts like 0.3 against 0.3: each is balanced by the other.
    assert exclusion_loss(1.8 * a, 0.2 * a, levels=1).item() == pytest.approx(0.5 * math.tanh(0.3) ** 2, rel=5e-3)
    # On the second level an edge between halves of a 4 x 4 layer is what it was; on the first, every third step is one.
    wide = a.repeat_interleave(2, 2).repeat_interleave(2, 3)
    levels = (psi / math.sqrt(3) * 0.5, psi * 0.5)
    balanced = exclusion_loss(wide, wide, levels=2).item()
    assert balanced == pytest.approx(sum(levels) / 2, rel=5e-3)


def test_exclusion_tells_shared_edges_from_others():
    left, top = full(0), full(0)
    left[..., :8] = 1
    top[:, :, :8] = 1
    assert exclusion_loss(left, left) > 10 * exclusion_loss(left, top)
    assert exclusion_loss(left, full(0.3)).item() == pytest.approx(0, abs=1e-6)
    assert exclusion_loss(left, top).item() == pytest.approx(exclusion_loss(top, left).item())


def test_exclusion_sees_a_faint_copy():
    strong, other = noise(1), noise(2)
    faint = 0.5 + 0.05 * strong
    assert exclusion_loss(strong, faint) > 1.3 * exclusion_loss(strong, 0.5 + 0.05 * other)


def test_exclusion_refuses_layers_without_room_for_its_levels():
    assert exclusion_loss(noise(1, (1, 3, 8, 9)), noise(2, (1, 3, 8, 9)), levels=3) > 0
    with pytest.raises(ShapeError, match=r"\(1, 3, 8, 7\).*at least 8"):
        exclusion_loss(noise(1, (1, 3, 8, 7)), noise(2, (1, 3, 8, 7)), levels=3)
    with pytest.raises(UsageError, match="level"):
        exclusion_loss(noise(1), noise(2), levels=0)


def test_coherence_by_hand():
    here, there = full(0.2, (1, 2, 1, 4)), full(0.2, (1, 2, 1, 4))
    there[0, 0, 0, 0] = 0.6
    there[0, 0, 0, 3] = 1.0
    assert coherence_loss(here, there).item() == pytest.approx((0.2 + 0.4) / 4)
    confidence = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 4)
    assert coherence_loss(here, there, confidence).item() == pytest.approx(0.1)
    assert coherence_loss(here, there, 0 * confidence).item() == 0


def test_soft_coherence_counts_small_gaps_by_their_squares_and_large_ones_as_they_are():
    here, there = full(0.5), full(0.5)
    for gap, expected in ((0.002, 0.002**2 / 0.04), (0.4, 0.4 - 0.02)):
        got = coherence_loss(here + gap, there, softness=0.02)
        torch.testing.assert_close(got, torch.tensor(expected), rtol=0.02, atol=0)


def test_energy_is_the_mean_square():
    layer = torch.tensor([[-0.2, 0.4], [0.0, 0.1]]).reshape(1, 1, 2, 2)
    torch.testing.assert_close(energy_loss(layer), torch.tensor((0.04 + 0.16 + 0.01) / 4))


def test_binary_is_least_where_alpha_has_decided():
    decided = noise(1).round()
    assert binary_loss(decided).item() == pytest.approx(0, abs=1e-5)
    values = [binary_loss(0.5 + sway * (decided - 0.5)).item() for sway in (0.0, 0.3, 0.6, 0.9, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1 / 0.05 - 1 / 0.55, rel=1e-4)
    assert binary_loss(full(0.75, (1, 1, 1, 5)), eps=0.25).item() == pytest.approx(2 - 1 / 0.75)


def test_binary_pushes_away_from_one_half():
    alpha = torch.tensor([0.4, 0.6]).reshape(1, 1, 1, 2).requires_grad_()
    binary_loss(alpha).backward()
    assert alpha.grad.flatten()[0] > 0 > alpha.grad.flatten()[1]


def test_smoothness_by_hand():
    layer = torch.tensor([[0.0, 0.2], [0.4, 0.8]]).reshape(1, 1, 2, 2)
    assert smoothness_loss(layer).item() == pytest.approx((0.2 + 0.4) / 2 + (0.4 + 0.6) / 2)
    guide = torch.tensor([[0.0, 0.3], [0.0, 0.3]]).reshape(1, 1, 2, 2)
    damped = 0.3 * math.exp(-2 * 0.3) + 0.5
    assert smoothness_loss(layer, guide, sharpness=2.0).item() == pytest.approx(damped)


@pytest.mark.parametrize(("shape", "expected"), [((1, 1, 1, 3), 0.5), ((1, 1, 3, 1), 0.5), ((1, 1, 1, 1), 0.0)])
def test_smoothness_of_one_row_one_column_one_pixel(shape, expected):
    layer = torch.arange(3.0)[: math.prod(shape)].reshape(shape).mul(0.5).requires_grad_()
    assert smoothness_loss(layer, layer.detach(), sharpness=0.0).item() == pytest.approx(expected)


def test_smoothness_takes_a_guide_of_other_channels_but_not_of_another_size():
    assert smoothness_loss(noise(1)[:, :1], noise(2)) < smoothness_loss(noise(1)[:, :1])
    with pytest.raises(ShapeError, match="guide"):
        smoothness_loss(noise(1)[:, :1], noise(2)[:1])


@pytest.mark.parametrize(
    ("alpha", "hint", "q", "expected"),
    [
        (0.25, 1.0, 0.5, 1.0),
        (0.75, 0.0, 0.5, 1.0),
        (0.25, 1.0, 1.0, 0.75),
        (0.36, 0.5, 0.5, 0.5 * (0.4 + 0.2) / 0.5),
        (1.0, 1.0, 0.5, 0.0),
        (0.0, 0.0, 0.5, 0.0),
    ],
)
def test_agreement_by_hand(alpha, hint, q, expected):
    got = agreement_loss(full(alpha, (1, 1, 1, 3)), full(hint, (1, 1, 1, 3)), q=q).item()
    assert got == pytest.approx(expected, abs=1e-3)


def test_agreement_pulls_a_decided_alpha_back():
    for alpha, hint, sign in ((0.0, 1.0, -1), (1.0, 0.0, 1)):
        layer = full(alpha, (1, 1, 1, 1)).requires_grad_()
        agreement_loss(layer, full(hint, (1, 1, 1, 1))).backward()
        assert 1 < sign * layer.grad.item() < 1e3


def test_agreement_is_pulled_less_by_wrong_hints_than_cross_entropy_is():
    """The best constant for hints of which a fifth are wrong: nearer to what the most say."""
    hints = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]).reshape(1, 1, 1, 5)
    grid = torch.linspace(0, 1, 101)
    best = {
        q: grid[min(range(101), key=lambda k: agreement_loss(full(grid[k], (1, 1, 1, 5)), hints, q=q))].item()
        for q in (0.01, 0.5, 1.0)
    }
    assert best[0.01] == pytest.approx(0.8, abs=0.02)
    assert best[0.5] == pytest.approx(0.94, abs=0.02)
    assert best[1.0] == 1.0


def test_agreement_asks_only_where_there_is_confidence():
    alpha, hint = full(0.25, (1, 1, 1, 2)), torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    confidence = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 2)
    assert agreement_loss(alpha, hint, confidence=confidence).item() == pytest.approx(1.0, abs=1e-3)
    for q in (0.0, 1.1):
        with pytest.raises(UsageError, match="q must"):
            agreement_loss(alpha, hint, q=q)


def test_envelope_by_hand():
    drawn = torch.tensor([0.5, 0.5, 0.5, 0.2]).reshape(1, 1, 1, 4)
    bound = torch.tensor([0.7, 0.1, 0.5, 0.3]).reshape(1, 1, 1, 4)
    rests = [math.log(b / (1 - b)) - math.log(d / (1 - d)) for b, d in ((0.7, 0.5), (0.1, 0.5), (0.5, 0.5), (0.3, 0.2))]
    parts = [0.8 * rest if rest > 0 else -0.2 * rest for rest in rests]
    assert envelope_loss(drawn, bound, quantile=0.8).item() == pytest.approx(sum(parts) / 4, rel=1e-4)
    confidence = torch.tensor([1.0, 3.0, 7.0, 0.0]).reshape(1, 1, 1, 4)
    weighted = (parts[0] + 3 * parts[1]) / 11
    assert envelope_loss(drawn, bound, quantile=0.8, confidence=confidence).item() == pytest.approx(weighted, rel=1e-4)
    assert envelope_loss(drawn, bound, quantile=0.8, confidence=0 * confidence).item() == 0
    assert envelope_loss(bound, bound).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.75, 0.95])
def test_the_best_constant_is_the_quantile_of_the_bounds(quantile):
    bound = noise(3, (1, 1, 20, 20)) ** 2
    grid = torch.linspace(0, 1, 201)
    losses = [envelope_loss(level.expand(bound.shape), bound, quantile=quantile).item() for level in grid]
    best = grid[min(range(201), key=losses.__getitem__)].item()
    assert best == pytest.approx(torch.quantile(bound, quantile).item(), abs=0.006)


def test_an_envelope_does_not_mind_how_slack_a_bound_is():
    """A fifth of the bounds, those of light things, are far below the others: where to does not matter."""
    bound, grid = full(0.6, (1, 1, 1, 10)), torch.linspace(0, 1, 101)
    for slack in (0.5, 0.0):
        bound[..., :2] = slack
        losses = [envelope_loss(level.expand(bound.shape), bound, quantile=0.75).item() for level in grid]
        assert grid[min(range(101), key=losses.__getitem__)].item() == pytest.approx(0.6, abs=0.01)


def test_an_envelope_pulls_up_harder_than_down():
    drawn = full(0.5, (1, 1, 1, 2)).requires_grad_()
    envelope_loss(drawn, torch.tensor([0.9, 0.1]).reshape(1, 1, 1, 2), quantile=0.75).backward()
    # The slope of a logit at one half is 4.
    assert drawn.grad.flatten().tolist() == pytest.approx([-4 * 0.75 / 2, 4 * 0.25 / 2], rel=1e-4)


def test_an_envelope_lets_no_map_rest_where_a_sigmoid_has_no_slope():
    """Seen through the sigmoid that draws it, a map that has run to 1 is pulled back as hard as one at one half."""
    pulls = []
    for start in (0.0, 9.0):
        before = full(start, (1, 1, 1, 4)).requires_grad_()
        envelope_loss(torch.sigmoid(before), full(0.3, (1, 1, 1, 4))).backward()
        pulls.append(before.grad.sum().item())
    assert pulls[1] == pytest.approx(pulls[0], rel=0.02)


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.2, 1.5, math.nan])
def test_an_envelope_refuses_a_quantile_out_of_range(quantile):
    with pytest.raises(UsageError, match="quantile"):
        envelope_loss(noise(1), noise(2), quantile=quantile)


def test_an_envelope_refuses_a_confidence_of_another_shape():
    with pytest.raises(ShapeError, match=r"confidence is \(2, 3, 16, 16\)"):
        envelope_loss(noise(1), noise(2), confidence=noise(3))
