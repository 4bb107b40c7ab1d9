from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from ddvideo import losses
from ddvideo.compositing import alpha_over
from ddvideo.config import Settings
from ddvideo.errors import DecompositionError, UsageError
from ddvideo.fit import model, solver
from ddvideo.fit.batch import Batch
from ddvideo.fit.shot_prior import camera_motion
from ddvideo.fit.solver import fit
from ddvideo.fit.terms import TERMS, phase_loss
from ddvideo.metrics import psnr_db
from ddvideo.tasks.contract import Layer, Phase, Seeds, Term, Window
from ddvideo.tasks.options import check_options
from ddvideo.types import Shot

T, H, W = 3, 36, 64
PICTURE = Layer(name="picture", channels=3, canvas_px=64, options={"cells_px": (16, 8, 4, 2)})
MATTE = Layer(name="matte", channels=1, canvas_px=64, options={"cells_px": (16, 8)}, may_vanish=False)


def term(name, weight, *layers, target=None, **options):
    return Term(name=name, weight=weight, layers=layers, target=target, options=options)


LOOKS = term("reconstruction", 1.0)
FOLLOWS = term("agreement", 1.0, "matte", target="hint")


def phase(steps=60, layers=("picture",), terms=(LOOKS,), **options):
    options = {"pairs": 2, "points": 384, "size_px": 64, "rate": 1e-2, "grid_rate": 4e-2} | options
    return Phase(name="p", steps=steps, layers=layers, terms=terms, **options)


def task(*phases, layers=(PICTURE,)):
    """The solver reads only these fields of a task."""
    chosen = phases or (phase(),)
    return SimpleNamespace(layers=layers, phases=chosen, forward=lambda drawn: drawn["picture"], derive=None)


@pytest.fixture(scope="module")
def window(scene):
    """One frame of natural texture, three times over."""
    frame = cv2.resize(np.rint(255 * scene("mover").frame(3)).astype(np.uint8), (W, H), interpolation=cv2.INTER_AREA)
    path = np.eye(3, dtype=np.float32)[None].repeat(T, 0)
    return Window(
        shot=Shot(5, 5 + T),
        indices=tuple(range(5, 5 + T)),
        frames=[frame] * T,
        observations=[{}] * T,
        camera=camera_motion(path, np.arange(T)),
        full_size=(H, W),
    )


def hint(value=None):
    x = np.linspace(0, 1, W, dtype=np.float32)
    return Seeds(
        targets={"hint": np.broadcast_to(x > 0.6 if value is None else value, (T, H, W)).astype(np.float32)}, state=None
    )


def fitted(window, what=None, seeds=None, seed=0, **options):
    told = []
    options = {"effort": 1.0, "tell": lambda *step: told.append(step)} | options
    return fit(what or task(), window, seeds or Seeds(state=None), device="cpu", seed=seed, **options), told


def rendered(result, name="picture", size_px=64):
    return np.stack([frame[name] for frame in result.model.render((name,), size_px)])


def test_a_fit_lowers_the_loss_and_draws_the_frames(window):
    result, told = fitted(window, task(phase(150)))
    assert [done for done, _, _ in told] == list(range(1, result.steps + 1))
    assert {planned for _, planned, _ in told} == {150}
    assert result.loss == told[-1][2] < 0.3 * told[0][2]
    assert result.warnings == ()
    assert rendered(result).shape == (T, H, W, 3)
    assert min(psnr_db(frame, window.frames[0] / np.float32(255)) for frame in rendered(result)) > 25


def test_effort_multiplies_the_steps_of_every_phase(window):
    what = task(phase(8), phase(3))
    for effort, planned in ((1.0, 11), (2.0, 22), (0.3, 3), (0.01, 2)):
        result, told = fitted(window, what, effort=effort)
        assert (result.steps, len(told), *told[-1][:2]) == (planned,) * 4
    result, told = fitted(window, task(phase(200, rate=0.0, grid_rate=0.0), phase(3)))
    assert 80 <= result.steps - 3 < 200  # what cannot learn has settled early; what was left out counts as done
    assert told[-1][:2] == (203, 203)


def test_equal_seeds_give_equal_layers_bit_by_bit(window):
    drawn = []
    for state, seed in ((0, 4), (1, 4), (0, 5)):
        before = torch.manual_seed(state).get_state()
        drawn.append(rendered(fitted(window, task(phase(12)), seed=seed)[0]))
        assert torch.equal(torch.get_rng_state(), before)  # whoever calls keeps their own random numbers
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 1e-3


def test_fitted_weights_are_a_better_start(window):
    whole = fitted(window, task(phase(120)))[0]
    start = whole.model.state_dict()
    cold, warm = (fitted(window, task(phase(8)), seed=9, start=given)[0].loss for given in (None, start))
    assert warm < 0.5 * cold
    other = {name: values if "decoder" in name else values[..., :-1] for name, values in start.items()}
    partly = fitted(window, task(phase(1, rate=0, grid_rate=0)), seed=9, start=other)[0].model.state_dict()
    fresh = fitted(window, task(phase(1, rate=0, grid_rate=0)), seed=9)[0].model.state_dict()
    for name, values in partly.items():  # what fits is taken, what has another shape is drawn anew
        assert torch.equal(values, start[name] if "decoder" in name else fresh[name])


def count_attempts(monkeypatch):
    """The seeds of all attempts from here on."""
    seeds, attempt = [], solver._attempt
    monkeypatch.setattr(solver, "_attempt", lambda *given: seeds.append(given[4]) or attempt(*given))
    return seeds


def test_a_fit_that_diverges_is_tried_twice(window, monkeypatch):
    seeds = count_attempts(monkeypatch)
    what = task(phase(5, ("matte",), (FOLLOWS,)), layers=(MATTE,))
    with pytest.raises(DecompositionError, match="frames 5 to 7 diverged, twice"):
        fitted(window, what, hint(np.nan), seed=3)
    assert len(seeds) == len(set(seeds)) == 2
    assert seeds[0] == 3


def test_a_fit_that_diverges_once_starts_over_without_the_old_weights(window, monkeypatch):
    what = task(phase(60, ("matte",), (FOLLOWS,)), layers=(MATTE,))
    seeds = count_attempts(monkeypatch)
    good = fitted(window, what, hint())[0].model.state_dict()
    start = {name: torch.full_like(values, torch.nan) for name, values in good.items()}
    result, _ = fitted(window, what, hint(), start=start)
    assert len(seeds) == 3
    assert result.warnings == ()
    assert np.isfinite(result.loss)
    assert np.abs(rendered(result, "matte")[..., 0] - hint().targets["hint"]).mean() < 0.1


@pytest.mark.parametrize(("value", "word"), [(0.0, "empty"), (1.0, "full")])
def test_a_layer_that_vanishes_is_tried_twice_and_named(window, monkeypatch, value, word):
    seeds = count_attempts(monkeypatch)
    follows = replace(FOLLOWS, options={"q": 0.5})
    what = task(phase(150, ("matte",), (follows,), rate=0.1, grid_rate=0.1), layers=(MATTE,))
    (warning,) = fitted(window, what, hint(value))[0].warnings
    assert len(seeds) == 2
    assert warning.startswith(f"frames 5 to 7: the fit left matte {word}")
    may = task(*what.phases, layers=(replace(MATTE, may_vanish=True),))
    assert fitted(window, may, hint(value))[0].warnings == ()
    assert len(seeds) == 3


@pytest.mark.parametrize("half", [False, True])
def test_an_hourglass_is_fitted_too(window, monkeypatch, half):
    """Also in bfloat16, which every CPU can do, if slowly: what it draws is not float32's, but near it."""
    layer = Layer(name="picture", channels=3, generator="hourglass", canvas_px=64, options={"widths": (16, 32)})
    types, draw = set(), model.HourglassGenerator.draw
    monkeypatch.setattr(model, "supports_bf16", lambda device: half)
    monkeypatch.setattr(model.HourglassGenerator, "draw", lambda *a: types.add((out := draw(*a)).dtype) or out)
    result, told = fitted(window, task(phase(40), layers=(layer,)))
    assert types == {torch.bfloat16 if half else torch.float32}
    assert result.loss < 0.75 * told[0][2]
    assert rendered(result).dtype == np.float32
    assert psnr_db(rendered(result)[0], window.frames[0] / np.float32(255)) > 17


def test_a_phase_tells_the_seeds_of_the_next(window):
    """A phase's end sees what was drawn, whole and at the size it asks for, and sets the next one's target."""
    seen = []

    def reseed(window, seeds, render):
        frames = list(render(("picture", "matte"), 32))
        seen.append({name: values.shape for name, values in frames[0].items()})
        seen.append(np.abs(frames[2]["picture"] - cv2.resize(window.frames[2], (32, 18)) / 255).mean())
        return replace(seeds, targets={"hint": 1 - seeds.targets["hint"]}, state="changed")

    first = phase(60, terms=(LOOKS, FOLLOWS), layers=("picture", "matte"), reseed=reseed)
    what = task(first, phase(90, ("matte",), (FOLLOWS,)), layers=(PICTURE, MATTE))
    result, _ = fitted(window, what, hint())
    assert seen[0] == {"picture": (18, 32, 3), "matte": (18, 32, 1)}
    assert seen[1] < 0.1
    assert result.seeds.state == "changed"
    assert np.abs(rendered(result, "matte")[..., 0] - (1 - hint().targets["hint"])).mean() < 0.1


OPTIONAL = SimpleNamespace(name="segment", options={"rounds": 3, "matte": "soft"})


def checked(**options):
    return check_options(OPTIONAL, Settings(task="segment", options=options))


def test_options_are_the_defaults_with_what_is_set():
    assert checked() == {"coupled": True, "effort": 1.0, "rounds": 3, "matte": "soft"}
    assert checked(effort=2, matte="hard") == {"coupled": True, "effort": 2, "rounds": 3, "matte": "hard"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"efort": 1.0}, "segment has no option 'efort'; did you mean 'effort'"),
        ({"zzz": 1}, r"'zzz' \(known: coupled, effort, rounds, matte\)"),
        ({"coupled": 1}, "coupled is a bool, not 1"),
        ({"rounds": 2.5}, "rounds is a int, not 2.5"),
        ({"rounds": True}, "rounds is a int, not True"),
        ({"effort": True}, "effort is a float, not True"),
        *(({"effort": value}, "effort must lie above 0") for value in (0.0, -1, 100.5, float("nan"), float("inf"))),
    ],
)
def test_options_that_are_wrong_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        checked(**options)


def test_a_phases_loss_is_the_weighted_sum_of_its_terms():
    torch.manual_seed(0)
    f, b, alpha = torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8), torch.rand(4, 1, 8, 8)
    frame, near, wanted = torch.rand(4, 3, 8, 8), torch.rand(2, 1, 8, 8), torch.rand(4, 1, 8, 8)
    drawn = {"foreground": f, "background": b, "alpha": alpha}
    batch = Batch(position=None, xy=None, frame=frame, confidence=near, targets={"hint": wanted})
    mixed = alpha_over(drawn)
    coherent = [losses.coherence_loss(layer[:2], layer[2:], near) for layer in (alpha, b)]
    cases = (
        (term("reconstruction", 0.5, knee=0.3), losses.reconstruction_loss(mixed, frame, knee=0.3)),
        (term("reconstruction", 1, "background", target="hint"), losses.reconstruction_loss(b, frame, weight=wanted)),
        (term("coherence", 2, "alpha", "background"), coherent[0] + coherent[1]),
        (term("exclusion", 1, "foreground", "background", levels=2), losses.exclusion_loss(f, b, levels=2)),
        (term("binary", 3, "alpha"), losses.binary_loss(alpha)),
        (term("smoothness", 1, "background"), losses.smoothness_loss(b, frame)),
        (term("agreement", 1, "alpha", target="hint", q=0.5), losses.agreement_loss(alpha, wanted, q=0.5)),
        (term("envelope", 2, "alpha", target="hint", quantile=0.8), losses.envelope_loss(alpha, wanted, quantile=0.8)),
        (term("energy", 3, "background", "alpha"), losses.energy_loss(b) + losses.energy_loss(alpha)),
        (term("coherence", 1, "rest"), losses.coherence_loss((frame - b)[:2], (frame - b)[2:], near)),
    )
    assert {named.name for named, _ in cases} == TERMS.keys()
    what = SimpleNamespace(forward=alpha_over, derive=lambda frame, layers: {"rest": frame - layers["background"]})
    for named, value in cases:
        assert value > 0
        torch.testing.assert_close(phase_loss(phase(terms=(named,)), batch, drawn, what), named.weight * value)
    every = phase_loss(phase(terms=tuple(named for named, _ in cases)), batch, drawn, what)
    torch.testing.assert_close(every, sum(named.weight * value for named, value in cases))
    with pytest.raises(UsageError, match="phase p names the term 'sharpness'; there are reconstruction"):
        phase_loss(phase(terms=(LOOKS, term("sharpness", 0.0))), batch, drawn, what)
    with pytest.raises(UsageError, match="needs a target"):
        phase_loss(phase(terms=(term("agreement", 1, "alpha"),)), batch, drawn, what)
