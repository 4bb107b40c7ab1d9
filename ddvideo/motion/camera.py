"""The camera's part of the optical flow: smooth parametric models fitted robustly, and what they leave unexplained."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from ddvideo.arrays import FloatArray

__all__ = ["FlowModel", "border_prior", "flow_residual", "parametric_flow", "residual_saliency"]

FlowModel = Literal["affine", "quadratic"]
_IRLS_ROUNDS, _SETTLED_PX = 10, 0.01


@lru_cache(maxsize=4)
def _basis(height: int, width: int, model: FlowModel) -> FloatArray:
    """Monomials of the model at every pixel, ``(H, W, K)``; shared, not to be written to."""
    x, y = _coordinates(height, width)
    columns = [np.ones_like(x), x, y]
    if model == "quadratic":
        columns += [x * x, x * y, y * y]
    return np.stack(columns, -1).astype(np.float32)


def _coordinates(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    return x, y


def border_prior(height: int, width: int) -> FloatArray:
    """How likely each pixel shows the background, to begin with: ``0.1 + max(|x|, |y|)^3``, x and y in [-1, 1].

    Returns: ``(H, W)`` float32.
    """
    x, y = _coordinates(height, width)
    return np.asarray(0.1 + np.maximum(abs(x), abs(y)) ** 3, np.float32)


def parametric_flow(
    flow: FloatArray, model: FlowModel, *, step_px: int = 6, weight: FloatArray | None = None
) -> FloatArray:
    """Fit a smooth model of the camera's motion to a flow and return it at every pixel.

    Iteratively re-weighted least squares with Geman-McClure weights whose scale follows the residual's weighted
    median; the first weights are the border prior, since what touches the frame's edge is mostly background.

    Args:
        flow: ``(H, W, 2)``, pixels.
        model: affine (6 parameters) or quadratic (12).
        step_px: only every so many pixels enter the fit.
        weight: ``(H, W)`` starting weights instead of the border prior.

    Returns:
        ``(H, W, 2)`` float32, pixels.
    """
    height, width = flow.shape[:2]
    prior = border_prior(height, width) if weight is None else weight
    monomials = _basis(height, width, model)
    step_px = max(min(step_px, height // 4, width // 4), 1)
    pick = (slice(step_px // 2, None, step_px), slice(step_px // 2, None, step_px))
    basis = monomials[pick].reshape(-1, monomials.shape[2])
    target = flow[pick].reshape(-1, 2)
    start = prior[pick].ravel()
    weights = start
    parameters = np.zeros((basis.shape[1], 2), np.float32)
    for _ in range(_IRLS_ROUNDS):
        weighted = basis * weights[:, None]
        gram = weighted.T @ basis + 1e-4 * np.eye(basis.shape[1], dtype=np.float32)
        before = parameters
        parameters = np.linalg.solve(gram, weighted.T @ target).astype(np.float32)
        if np.abs(parameters - before).max() < _SETTLED_PX:
            break
        error = np.sqrt(((target - basis @ parameters) ** 2).sum(-1))
        scale = max(2.0 * _weighted_median(error, start), 0.05)
        weights = start / (1 + (error / scale) ** 2) ** 2
    return np.asarray((monomials.reshape(height * width, -1) @ parameters).reshape(flow.shape), np.float32)


def _weighted_median(values: FloatArray, weights: FloatArray) -> float:
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(mass, 0.5 * mass[-1])])


def flow_residual(flow: FloatArray, *, step_px: int = 6) -> FloatArray:
    """Speed that the camera does not explain: the smaller residual of the affine and the quadratic model.

    Args:
        flow: ``(H, W, 2)``, pixels.
        step_px: only every so many pixels enter the fits.

    Returns:
        ``(H, W)`` float32, pixels, >= 0.
    """
    misses = [flow - parametric_flow(flow, model, step_px=step_px) for model in ("affine", "quadratic")]
    return np.asarray(np.minimum(*(np.hypot(miss[..., 0], miss[..., 1]) for miss in misses)), np.float32)


def residual_saliency(residual: FloatArray) -> FloatArray:
    """Turn a residual into a motion seed: linear, normalised per frame.

    ``clip((r - s) / max(q99(r), 3 s + 0.05), 0, 1)`` with ``s`` the median of ``r``.

    Args:
        residual: ``(H, W)``, pixels.

    Returns:
        ``(H, W)`` float32 in [0, 1].
    """
    scale = float(np.median(residual))
    top = max(float(np.quantile(residual, 0.99)), 3 * scale + 0.05)
    return np.asarray(np.clip((residual - scale) / top, 0, 1), np.float32)
