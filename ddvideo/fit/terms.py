"""The terms that a phase may name: each reads a batch and its drawn layers and returns one number to make small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ddvideo.errors import UsageError
from ddvideo.fit.batch import Batch
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
from ddvideo.tasks.contract import Phase, Task, Term

__all__ = ["TERMS", "phase_loss"]

Drawn = Mapping[str, Tensor]


def _reconstruction(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """The layers make the frame: all of them by the forward model, or one named layer by itself (robustly, where others
    hide it). A target says how much of the frame is the layer's.
    """
    predicted = drawn[term.layers[0]] if term.layers else task.forward(drawn)
    weight = batch.targets[term.target] if term.target else None
    return reconstruction_loss(predicted, batch.frame, weight=weight, **term.options)


def _coherence(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A layer drawn where the flow leads in the next frame meets itself."""
    pairs = len(batch.confidence)
    return sum_of(
        coherence_loss(drawn[name][:pairs], drawn[name][pairs:], batch.confidence, **term.options)
        for name in term.layers
    )


def _exclusion(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """Two layers share no edges."""
    return exclusion_loss(drawn[term.layers[0]], drawn[term.layers[1]], **term.options)


def _binary(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A map is near 0 or 1."""
    return sum_of(binary_loss(drawn[name], **term.options) for name in term.layers)


def _smoothness(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A layer changes little, but may where the frame does."""
    return sum_of(smoothness_loss(drawn[name], batch.frame, **term.options) for name in term.layers)


def _agreement(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A map follows a target that may be wrong in places."""
    confidence = batch.targets[term.trust] if term.trust else None
    return agreement_loss(drawn[term.layers[0]], _target(term, batch), confidence=confidence, **term.options)


def _envelope(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A map lies along the upper envelope of lower bounds."""
    return envelope_loss(drawn[term.layers[0]], _target(term, batch), **term.options)


def _energy(term: Term, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """A layer has nothing that nothing asks for."""
    return sum_of(energy_loss(drawn[name], **term.options) for name in term.layers)


def _target(term: Term, batch: Batch) -> Tensor:
    if term.target is None:
        raise UsageError(f"a term {term.name} needs a target")
    return batch.targets[term.target]


TERMS: Mapping[str, Callable[[Term, Batch, Drawn, Task], Tensor]] = {
    "reconstruction": _reconstruction,
    "coherence": _coherence,
    "exclusion": _exclusion,
    "binary": _binary,
    "smoothness": _smoothness,
    "agreement": _agreement,
    "envelope": _envelope,
    "energy": _energy,
}


def phase_loss(phase: Phase, batch: Batch, drawn: Drawn, task: Task) -> Tensor:
    """The weighted sum of a phase's terms on one batch.

    Raises:
        UsageError: the phase names a term that is not there.
    """
    unknown = [term.name for term in phase.terms if term.name not in TERMS]
    if unknown:
        raise UsageError(f"phase {phase.name} names the term {unknown[0]!r}; there are {', '.join(TERMS)}")
    if task.derive is not None:
        drawn = {**drawn, **task.derive(batch.frame, drawn)}
    return sum_of(term.weight * TERMS[term.name](term, batch, drawn, task) for term in phase.terms)


def sum_of(values: Any) -> Tensor:
    """The sum of some tensors (``sum`` alone would start from the whole number 0)."""
    total: Tensor | None = None
    for value in values:
        total = value if total is None else total + value
    if total is None:
        raise UsageError("a term that looks at single layers names none, or a phase has no terms")
    return total
