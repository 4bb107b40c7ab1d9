"""Layers that are independent of each other do not have their edges in the same places."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ddvideo.errors import ShapeError, UsageError
from ddvideo.losses.checks import check_same

__all__ = ["exclusion_loss"]


def exclusion_loss(a: Tensor, b: Tensor, *, levels: int = 3, eps: float = 1e-8) -> Tensor:
    r"""Penalise edges that two layers share.

    Over pyramid levels, and over x and y, the mean of ``||psi||`` (root mean square) with
    ``psi = tanh(l |da|) tanh(|db| / l)`` and ``l = sqrt(mean|db| / mean|da|)``, which makes a faint layer count like a
    strong one.

    Args:
        a: layer ``(B, C, h, w)`` in [0, 1].
        b: layer of the same shape and device.
        levels: pyramid levels; h and w at least ``2 ** levels`` pixels.
        eps: floor under the root and the quotient, which keeps the gradient finite on flat layers.

    Returns:
        Scalar in [0, 1), unitless; 0 where a layer is flat.

    Raises:
        ShapeError: the shapes differ or are too small.
        UsageError: there are no levels.
    Source: Zhang et al., CVPR 2018 (exclusion loss); Gandelsman et al., CVPR 2019, eq. 4. Deviations: ``eps``; root
    mean square, so that the size of the frame does not matter; ``l`` is held constant in the gradient.
    """
    if levels < 1:
        raise UsageError(f"exclusion needs at least one level, not {levels}")
    check_same("a", a, "b", b)
    if min(a.shape[2:]) < 2**levels:
        raise ShapeError(f"layers are {tuple(a.shape)}; {levels} levels need h and w of at least {2**levels}")
    terms = []
    for level in range(levels):
        if level:
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        for axis in (2, 3):
            terms.append(_shared(a.diff(dim=axis).abs(), b.diff(dim=axis).abs(), eps))
    return torch.stack(terms).mean()


def _shared(edges_a: Tensor, edges_b: Tensor, eps: float) -> Tensor:
    balance = ((edges_b.detach().mean() + eps) / (edges_a.detach().mean() + eps)).sqrt()
    psi = torch.tanh(balance * edges_a) * torch.tanh(edges_b / balance)
    # Less the root of eps, so that nothing shared is exactly zero.
    shared: Tensor = ((psi * psi).mean() + eps).sqrt() - eps**0.5
    return shared
