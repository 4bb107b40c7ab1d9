"""The fit: a task's phases, one after the other, on the frames of one window."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ddvideo.errors import DecompositionError
from ddvideo.fit.batch import Sampler
from ddvideo.fit.model import Model
from ddvideo.fit.pair_sampler import PairSampler
from ddvideo.fit.stopping import Settling
from ddvideo.fit.terms import phase_loss
from ddvideo.nn import GridGenerator, LayerMotion, PyramidGenerator
from ddvideo.tasks.contract import Phase, Seeds, Task, Window

__all__ = ["Fitted", "fit"]

Tell = Callable[[int, int, float], None]
"""Told of every step: done, planned, loss."""

_SECOND_SEED = 7919
_LEAST_SHARE = 1e-4
"""A map whose mean lies so near to 0 or 1 has vanished."""
_PROBED_FRAMES, _PROBED_POINTS = 4, 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """Generators that have settled."""

    model: Model
    seeds: Seeds
    steps: int
    loss: float
    warnings: tuple[str, ...]


def fit(
    task: Task,
    window: Window,
    seeds: Seeds,
    *,
    device: str,
    seed: int,
    effort: float,
    start: Mapping[str, Tensor] | None = None,
    tell: Tell,
) -> Fitted:
    """Fit a task's generators to a window.

    A fit that diverges (NaN) or in which a layer that may not vanish does so is started once more from another seed; a
    second divergence is an error, a second collapse a warning.

    Args:
        task: layers, terms, phases.
        window: the frames.
        seeds: targets, motions, codes.
        device: where to compute.
        seed: of all random numbers; equal seeds on equal machines give equal weights bit by bit.
        effort: factor on the steps of every phase.
        start: weights to start from, by name; those that are not there, or of another shape, start at random.
        tell: told of every step.

    Raises:
        DecompositionError: the loss is not a number, twice.
    """
    trouble = ""
    for attempt in range(2):
        fitted = _attempt(task, window, seeds, device, seed + attempt * _SECOND_SEED, effort, start, tell)
        trouble = _trouble(task, fitted)
        if not trouble:
            return fitted
        _log.info("the fit of frames %d to %d %s", window.indices[0], window.indices[-1], trouble)
        start = None
    if not math.isfinite(fitted.loss):
        raise DecompositionError(f"the fit of frames {window.indices[0]} to {window.indices[-1]} {trouble}, twice")
    where = f"frames {window.indices[0]} to {window.indices[-1]}"
    return Fitted(
        model=fitted.model,
        seeds=fitted.seeds,
        steps=fitted.steps,
        loss=fitted.loss,
        warnings=(f"{where}: the fit {trouble}, also from another seed: look at the result before you use it",),
    )


def _attempt(
    task: Task,
    window: Window,
    seeds: Seeds,
    device: str,
    seed: int,
    effort: float,
    start: Mapping[str, Tensor] | None,
    tell: Tell,
) -> Fitted:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the generators' weights; drawn on the CPU, so that all devices start alike
        model = Model(task, window, seeds, device)
    if start is not None:
        _load(model, start)
    model.bind(seeds, rescale=start is None)
    generator = torch.Generator().manual_seed(seed)
    steps, loss = 0, 0.0
    planned = sum(_steps(phase, effort) for phase in task.phases)
    begun = 0
    for phase in task.phases:
        sampler = _sampler(window, seeds, phase, device, generator)
        count, begin = _steps(phase, effort), begun

        def tell_step(done: int, loss: float, begin: int = begin) -> None:
            tell(begin + done, planned, loss)

        done, loss = _run_phase(task, phase, model, sampler, count, generator, tell_step)
        steps, begun = steps + done, begun + count
        if not math.isfinite(loss):
            break
        if phase.reseed is not None:
            seeds = phase.reseed(window, seeds, model.render)
            if seeds.is_enough:
                break
            model.bind(seeds, rescale=start is None)
    if not all(bool(values.isfinite().all()) for values in model.parameters()):
        loss = math.nan  # the last step's gradient was not a number, though its loss was
    return Fitted(model=model, seeds=seeds, steps=steps, loss=loss, warnings=())


def _sampler(
    window: Window, seeds: Seeds, phase: Phase, device: str, generator: torch.Generator
) -> Sampler | PairSampler:
    if seeds.pairs:
        return PairSampler(window, seeds.pairs, phase, device, generator)
    return Sampler(window, seeds, phase, device, generator)


def _steps(phase: Phase, effort: float) -> int:
    return max(round(phase.steps * effort), 1)


def _run_phase(
    task: Task,
    phase: Phase,
    model: Model,
    sampler: Sampler | PairSampler,
    steps: int,
    generator: torch.Generator,
    tell: Callable[[int, float], None],
) -> tuple[int, float]:
    """Returns the steps taken and the smoothed loss, which is not finite where the phase diverged."""
    optimiser = torch.optim.Adam(_parameters(phase, model))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=0.0)
    settling = Settling()
    position, xy = _probe(model, generator)
    for step in range(steps):
        batch = sampler.draw()
        loss = phase_loss(phase, batch, model.draw(phase.layers, batch.position, batch.xy), task)
        value = float(loss.detach())
        if not math.isfinite(value):
            return step, value
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        settling.step(value)
        tell(step + 1, settling.loss)
        if settling.wants_sample(step):
            with torch.no_grad():
                drawn = model.draw(phase.layers, position, xy)
            settling.sample(torch.cat([values.flatten() for values in drawn.values()]))
            if settling.is_settled():
                return step + 1, settling.loss
    return steps, settling.loss


def _parameters(phase: Phase, model: Model) -> list[dict[str, object]]:
    """The weights of a phase's layers: feature grids are read sparsely and take larger steps, motions smaller ones."""
    groups: list[dict[str, object]] = []
    for name in phase.layers:
        generator, motion = model.generators[name], model.motions[name]
        grids = list(generator.grids) if isinstance(generator, GridGenerator | PyramidGenerator) else []
        others = set(generator.parameters()) - set(grids)
        groups.append({"params": [p for p in generator.parameters() if p in others], "lr": phase.rate})
        trained = [grids[octave] for octave in phase.octaves or range(len(grids))]
        if trained:
            groups.append({"params": trained, "lr": phase.grid_rate})
        if isinstance(motion, LayerMotion) and motion.learned:
            groups.append({"params": list(motion.parameters()), "lr": 0.2 * phase.rate})
    return groups


def _probe(model: Model, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Fixed points of a few frames at which the layers are watched."""
    device = model.times.device
    frames = torch.randint(len(model.times), (_PROBED_FRAMES,), generator=generator)
    points = torch.rand(_PROBED_FRAMES, 1, _PROBED_POINTS, 2, generator=generator) * 2 - 1
    return frames.to(device), points.to(device)


def _trouble(task: Task, fitted: Fitted) -> str:
    """What went wrong, as the end of a sentence about the fit; empty where nothing did."""
    if not math.isfinite(fitted.loss):
        return "diverged"
    names = [layer.name for layer in task.layers if layer.spatial and not layer.may_vanish]
    sums = dict.fromkeys(names, 0.0)
    for frame in fitted.model.render(names, 64) if names else ():
        for name, values in frame.items():
            sums[name] += float(values.mean()) / len(fitted.model.times)
    for name, mean in sums.items():
        if not _LEAST_SHARE < mean < 1 - _LEAST_SHARE:
            return f"left {name} {'empty' if mean < 0.5 else 'full'}"
    return ""


def _load(model: Model, start: Mapping[str, Tensor]) -> None:
    """Take over weights of the same name and shape, but no motions: their corrections belong to single frames."""
    with torch.no_grad():
        for name, values in model.state_dict().items():
            if not name.startswith("motions.") and name in start and start[name].shape == values.shape:
                values.copy_(start[name])
