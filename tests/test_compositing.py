from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ddvideo.compositing import (
    additive,
    alpha_over,
    haze,
    mark_over,
    settle_additive,
    settle_alpha_over,
    settle_haze,
    settle_mark,
)
from ddvideo.errors import ShapeError

H, W = 7, 9
HALF_STEP = 0.5 / 255
LAYERS = {
    alpha_over: {"foreground": 3, "background": 3, "alpha": 1},
    additive: {"transmission": 3, "reflection": 3},
    haze: {"radiance": 3, "transmission_map": 1, "airlight": 0},
    mark_over: {"clean": 3, "mark": 3, "alpha": 1},
}
SETTLE = {
    alpha_over: settle_alpha_over,
    additive: settle_additive,
    haze: settle_haze,
    mark_over: settle_mark,
}
FORWARDS = pytest.mark.parametrize("forward", LAYERS, ids=lambda function: function.__name__)


def draw(rng, forward, low=0.0, high=1.0):
    """Random layers; ``low`` and ``high`` outside of [0, 1] put some entries exactly on 0 and on 1."""
    shapes = {name: (H, W, channels) if channels else (1, 1, 3) for name, channels in LAYERS[forward].items()}
    return {name: np.clip(rng.uniform(low, high, shape), 0, 1).astype(np.float32) for name, shape in shapes.items()}


def to_tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None]


@pytest.mark.parametrize(
    ("forward", "layers", "expected"),
    [
        (alpha_over, {"foreground": 0.8, "background": 0.4, "alpha": 0.25}, 0.5),
        (additive, {"transmission": 0.5, "reflection": 0.2}, 0.7),
        (haze, {"radiance": 0.4, "transmission_map": 0.75, "airlight": 0.8}, 0.5),
        (mark_over, {"clean": 0.4, "mark": 0.8, "alpha": 0.25}, 0.5),
    ],
)
def test_forward_models_by_hand(forward, layers, expected):
    arrays = {name: np.full((1, 1, 1), value, np.float32) for name, value in layers.items()}
    assert forward(arrays).item() == pytest.approx(expected, abs=1e-6)


@FORWARDS
def test_forward_models_are_the_same_on_arrays_and_tensors(forward):
    layers = draw(np.random.default_rng(0), forward)
    picture = forward(layers)
    assert picture.shape == (H, W, 3)
    assert picture.dtype == np.float32
    tensors = {name: to_tensor(layer) for name, layer in layers.items()}
    np.testing.assert_allclose(forward(tensors)[0].permute(1, 2, 0).numpy(), picture, atol=1e-6)


@FORWARDS
def test_gradients_reach_every_layer(forward):
    layers = {
        name: to_tensor(layer).requires_grad_() for name, layer in draw(np.random.default_rng(0), forward).items()
    }
    forward(layers).sum().backward()
    assert all(layer.grad.abs().sum() > 0 for layer in layers.values())


@pytest.mark.parametrize("forward", [alpha_over, additive], ids=lambda function: function.__name__)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(0, 1))
@settings(max_examples=60)
def test_settled_layers_recompose_whatever_picture_they_are_given(forward, seed, spread):
    rng = np.random.default_rng(seed)
    layers = draw(rng, forward, -spread, 1 + spread)
    picture = np.clip(rng.uniform(-spread, 1 + spread, (H, W, 3)), 0, 1).astype(np.float32)
    before = {name: layer.copy() for name, layer in layers.items()}
    settled = SETTLE[forward](picture, layers)
    assert settled.keys() == layers.keys()
    for name, layer in settled.items():
        assert layer.dtype == np.float32
        assert layer.shape == layers[name].shape
        assert layer.min() >= 0
        assert layer.max() <= 1
        np.testing.assert_array_equal(layers[name], before[name])  # the layers that came in are untouched
    assert np.abs(forward(settled) - picture).max() <= HALF_STEP
    if "alpha" in layers:
        np.testing.assert_array_equal(settled["alpha"], layers["alpha"])


def test_alpha_over_shares_by_the_least_change():
    layers = {name: np.full((1, 1, 3), 0.5, np.float32) for name in ("foreground", "background")}
    layers["alpha"] = np.full((1, 1, 1), 0.8, np.float32)
    settled = settle_alpha_over(np.full((1, 1, 3), 0.568, np.float32), layers)
    assert settled["foreground"][0, 0, 0] == pytest.approx(0.58, abs=1e-6)
    assert settled["background"][0, 0, 0] == pytest.approx(0.52, abs=1e-6)


@pytest.mark.parametrize(("alpha", "hidden"), [(1.0, "background"), (0.0, "foreground")])
def test_what_is_hidden_is_left_alone(alpha, hidden):
    layers = {**draw(np.random.default_rng(1), alpha_over), "alpha": np.full((H, W, 1), alpha, np.float32)}
    settled = settle_alpha_over(np.full((H, W, 3), 0.3, np.float32), layers)
    np.testing.assert_array_equal(settled[hidden], layers[hidden])


def test_layers_that_recompose_are_left_alone():
    layers = draw(np.random.default_rng(2), alpha_over)
    settled = settle_alpha_over(alpha_over(layers), layers)
    for name, layer in layers.items():
        np.testing.assert_allclose(settled[name], layer, atol=1e-6)


def test_additive_shares_equally():
    layers = {name: np.full((1, 1, 3), 0.3, np.float32) for name in ("transmission", "reflection")}
    settled = settle_additive(np.full((1, 1, 3), 0.7, np.float32), layers)
    assert settled["transmission"][0, 0, 0] == pytest.approx(0.35, abs=1e-6)
    assert settled["reflection"][0, 0, 0] == pytest.approx(0.35, abs=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_haze_and_mark_give_back_what_lies_under_them(seed):
    rng = np.random.default_rng(seed)
    for forward, wanted, cover, see_through in (
        (haze, "radiance", "transmission_map", lambda values: 0.1 + 0.9 * values),
        (mark_over, "clean", "alpha", lambda values: 0.9 * values),
    ):
        truth = draw(rng, forward)
        truth[cover] = see_through(truth[cover])
        wrong = {**truth, wanted: rng.random((H, W, 3), np.float32)}
        settled = SETTLE[forward](forward(truth), wrong)
        np.testing.assert_allclose(settled[wanted], truth[wanted], atol=1e-5)
        assert settled[wanted].dtype == np.float32


def test_haze_does_not_divide_by_a_map_of_nothing():
    layers = draw(np.random.default_rng(3), haze)
    layers["transmission_map"] = np.zeros((H, W, 1), np.float32)
    radiance = settle_haze(np.broadcast_to(layers["airlight"] + 0.01, (H, W, 3)).astype(np.float32), layers)["radiance"]
    np.testing.assert_allclose(radiance, 0.2, atol=1e-4)


def test_an_opaque_mark_keeps_the_clean_picture():
    layers = draw(np.random.default_rng(4), mark_over)
    layers["alpha"] = np.where(np.arange(W)[None, :, None] < 4, 1.0, 0.5).astype(np.float32).repeat(H, 0)
    settled = settle_mark(mark_over({**layers, "clean": np.float32(0.25)}), layers)
    np.testing.assert_array_equal(settled["clean"][:, :4], layers["clean"][:, :4])
    np.testing.assert_allclose(settled["clean"][:, 4:], 0.25, atol=1e-5)


@FORWARDS
def test_layers_of_another_size_are_refused_and_named(forward):
    layers = draw(np.random.default_rng(5), forward)
    name = next(iter(layers))
    with pytest.raises(ShapeError, match=rf"{name} is \(7, 8, 3\).*\(7, 9, 3\)"):
        SETTLE[forward](np.zeros((H, W, 3), np.float32), {**layers, name: layers[name][:, :8]})


def test_a_batch_is_no_picture():
    with pytest.raises(ShapeError, match="H, W, C"):
        settle_additive(np.zeros((1, H, W, 3), np.float32), {})
