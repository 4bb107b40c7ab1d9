"""A window from its observations to its conclusion: seeds, fit, maps at working size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ddvideo.arrays import AnyArray
from ddvideo.config import Settings
from ddvideo.fit.clock import Clock
from ddvideo.fit.solver import fit
from ddvideo.tasks.contract import Conclusion, Memory, Task, Window

__all__ = ["WindowFit", "fit_window"]

_TOLD_EVERY_STEPS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowFit:
    """What a window came to."""

    conclusion: Conclusion
    drawn: Mapping[str, AnyArray]
    """Fitted layers, ``(T, h, w, C)`` uint8, of the task's size for them; empty without a fit."""
    weights: Mapping[str, Tensor]
    steps: int
    loss: float
    warnings: tuple[str, ...]


def fit_window(
    task: Task,
    window: Window,
    settings: Settings,
    options: Mapping[str, Any],
    *,
    seed: int,
    clock: Clock,
    tell: Callable[[int, int, str, float | None], None],
    memory: Memory | None = None,
    start: Mapping[str, Tensor] | None = None,
    effort: float = 1.0,
) -> WindowFit:
    """Seed, fit and conclude.

    Args:
        task: what is to be told apart.
        window: the frames.
        settings: device and what the task reads of them.
        options: the task's, checked.
        seed: of the fit's random numbers.
        clock: counts the seconds.
        tell: told of every few steps: done, planned, message, loss.
        memory: the shot's decisions; None where they are made here.
        start: weights to start from.
        effort: factor on the steps, besides that of the options.

    Raises:
        DecompositionError: the fit failed.
    """
    with clock.count("seeds"):
        seeds = task.seed(window, memory, settings)
    if seeds.is_enough or not options["coupled"]:
        conclusion = task.conclude(window, seeds, None, memory)
        return WindowFit(conclusion=conclusion, drawn={}, weights={}, steps=0, loss=0.0, warnings=conclusion.warnings)

    def tell_step(done: int, total: int, loss: float) -> None:
        if done % _TOLD_EVERY_STEPS == 0 or done == total:
            tell(done, total, "fitting", loss)

    with clock.count("fit"):
        fitted = fit(
            task,
            window,
            seeds,
            device=settings.device,
            seed=seed,
            effort=options["effort"] * effort,
            start=start,
            tell=tell_step,
        )
        conclusion = task.conclude(window, fitted.seeds, fitted.model.render, memory)
        drawn = [
            {name: (values * 255).round().astype(np.uint8) for name, values in frame.items()}
            for frame in fitted.model.render(task.drawn, task.drawn_px)
        ]
    return WindowFit(
        conclusion=conclusion,
        drawn={name: np.stack([frame[name] for frame in drawn]) for name in task.drawn},
        weights={name: values.detach().cpu() for name, values in fitted.model.state_dict().items()},
        steps=fitted.steps,
        loss=fitted.loss,
        warnings=(*conclusion.warnings, *fitted.warnings),
    )
