"""Forward models: from the layers of a task to the picture they make, and how what is left over goes back into them.

The forward models work alike on arrays ``(H, W, C)`` and on tensors ``(B, C, H, W)``; layers with one channel or
without extent are broadcast. Settling is for arrays: a fit leaves a residual, and the layers handed out must recompose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "additive",
    "alpha_over",
    "haze",
    "keep_opacity",
    "mark_over",
    "settle_additive",
    "settle_alpha_over",
    "settle_haze",
    "settle_mark",
]

T = TypeVar("T", FloatArray, "Tensor")

_REST = 1e-4
"""A rest below this is left where it is: a twentieth of what 8 bits can show."""
_LEAST_TRANSMISSION = 0.05
"""Where haze lets less through, dividing by it would show noise instead of radiance."""
_LEAST_CLEAR = 0.02
"""Where a mark lets less through, the picture does not tell what lies under it."""


def alpha_over(layers: Mapping[str, T]) -> T:
    """``m F + (1 - m) B``: a foreground over a background.

    Args:
        layers: ``foreground``, ``background`` and ``alpha`` (one channel), in [0, 1].
    Source: Porter and Duff, SIGGRAPH 1984 (over); Gandelsman et al., CVPR 2019 (segmentation).
    """
    alpha = layers["alpha"]
    return alpha * layers["foreground"] + (1 - alpha) * layers["background"]


def additive(layers: Mapping[str, T]) -> T:
    """``T + R``: what comes through a pane and what it reflects.

    Args:
        layers: ``transmission`` and ``reflection``, in [0, 1]. The sum is not clipped.
    Source: Zhang et al., CVPR 2018.
    """
    return layers["transmission"] + layers["reflection"]


def haze(layers: Mapping[str, T]) -> T:
    """``t J + (1 - t) A``: radiance seen through haze.

    Args:
        layers: ``radiance``, ``transmission_map`` (one channel) and ``airlight`` (``(1, 1, 3)``, or
            ``(B, 3, 1, 1)`` as a tensor), in [0, 1].
    Source: Koschmieder's law as in Gandelsman et al., CVPR 2019 (dehazing); He et al., CVPR 2009, eq. 1.
    """
    through = layers["transmission_map"]
    return through * layers["radiance"] + (1 - through) * layers["airlight"]


def mark_over(layers: Mapping[str, T]) -> T:
    """``(1 - a) C + a W``: a mark laid over a clean picture.

    Args:
        layers: ``clean``, ``mark`` and ``alpha`` (one channel), in [0, 1].
    Source: Dekel et al., CVPR 2017, eq. 1; Gandelsman et al., CVPR 2019 (watermarks).
    """
    alpha = layers["alpha"]
    return (1 - alpha) * layers["clean"] + alpha * layers["mark"]


def settle_alpha_over(picture: FloatArray, layers: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Change foreground and background as little as possible so that they make the picture; alpha is kept.

    The residual ``r`` is shared by minimum norm, ``F += r m / n`` and ``B += r (1 - m) / n``, ``n = m^2 + (1 - m)^2``.
    Where clipping to [0, 1] stops one of the two, the other takes the rest. That is enough: if F ends at 1, then B
    needs ``(I - m) / (1 - m) <= 1``, and both end at 1 (or at 0) only where the picture is 1 (or 0).

    Args:
        picture: ``(H, W, C)`` float32 in [0, 1].
        layers: ``foreground`` and ``background`` ``(H, W, C)``, ``alpha`` ``(H, W, 1)``, float32; alpha in [0, 1].

    Returns:
        All layers, float32 in [0, 1]; the forward model differs from the picture by 1e-4 at most.

    Raises:
        ShapeError: a layer does not fit the picture.
    """
    _check(picture, layers, full=("foreground", "background"), maps=("alpha",))
    mask = np.asarray(layers["alpha"], np.float32)
    norm = 1 / (mask * mask + (1 - mask) ** 2)
    # Repeated over the channels once: numpy is slow where the last axis has three entries and is broadcast.
    alpha = np.repeat(mask, picture.shape[2], 2)
    foreground = np.clip(layers["foreground"], 0, 1, dtype=np.float32)
    background = np.clip(layers["background"], 0, 1, dtype=np.float32)
    share = _rest(picture, foreground, background, alpha)
    share *= np.repeat(norm, picture.shape[2], 2)
    step = alpha * share
    foreground += step
    np.clip(foreground, 0, 1, out=foreground)
    share -= step
    background += share
    np.clip(background, 0, 1, out=background)
    rest = _rest(picture, foreground, background, alpha)
    stuck = np.flatnonzero(np.abs(rest).ravel() > _REST)
    if stuck.size:
        want, here = picture.ravel()[stuck], alpha.ravel()[stuck]
        front, back = foreground.ravel()[stuck], background.ravel()[stuck]
        # Only one has room in the direction of the rest; for the other, clipping turns this into nothing.
        front = np.clip(front + rest.ravel()[stuck] / np.maximum(here, 1e-6), 0, 1)
        rest_behind = _rest(want, front, back, here)
        back = np.clip(back + rest_behind / np.maximum(1 - here, 1e-6), 0, 1)
        foreground.ravel()[stuck] = front
        background.ravel()[stuck] = back
    return {**layers, "foreground": foreground, "background": background, "alpha": mask}


def _rest(picture: FloatArray, foreground: FloatArray, background: FloatArray, alpha: FloatArray) -> FloatArray:
    """``I - m F - (1 - m) B``, with one temporary."""
    rest = foreground - background
    rest *= alpha
    rest += background
    np.subtract(picture, rest, out=rest)
    return rest


def keep_opacity(picture: FloatArray, layers: Mapping[str, FloatArray], opacity: FloatArray) -> dict[str, FloatArray]:
    """Multiply the input's own transparency into a segmentation: ``m' = o m``.

    The picture is the input over black, so that its foreground is ``o`` times the straight colour: ``F' = F / o``. The
    background takes what the forward model leaves it, ``(1 - m) B = (1 - m') B'``, and both are settled.

    Args:
        picture: the input over black, ``(H, W, C)`` float32 in [0, 1].
        layers: ``foreground``, ``background`` and ``alpha`` that make it.
        opacity: the input's alpha ``(H, W, 1)``, float32 in [0, 1].

    Returns:
        All layers, float32 in [0, 1], which make the picture to 1e-4.

    Raises:
        ShapeError: a layer, or the opacity, does not fit the picture.
    """
    _check(picture, layers, full=("foreground", "background"), maps=("alpha",))
    _check(picture, {"opacity": opacity}, full=(), maps=("opacity",))
    alpha = layers["alpha"] * opacity
    straight = np.divide(layers["foreground"], opacity, out=np.zeros_like(picture), where=opacity > 0)
    rest = 1 - alpha
    behind = np.divide((1 - layers["alpha"]) * layers["background"], rest, out=np.zeros_like(picture), where=rest > 0)
    changed = {"foreground": straight, "background": behind, "alpha": alpha}
    return settle_alpha_over(picture, {**layers, **changed})


def settle_additive(picture: FloatArray, layers: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Share what the sum of two layers lacks equally; where one meets 0 or 1, the other takes the rest.

    Args:
        picture: ``(H, W, C)`` float32 in [0, 1].
        layers: ``transmission`` and ``reflection``, ``(H, W, C)`` float32.

    Returns:
        All layers, float32 in [0, 1]; their sum is the picture up to rounding.

    Raises:
        ShapeError: a layer does not fit the picture.
    """
    _check(picture, layers, full=("transmission", "reflection"))
    half = np.float32(0.5) * (picture + layers["transmission"] - layers["reflection"])
    transmission = np.clip(half, 0, 1, out=half)
    reflection = np.clip(picture - transmission, 0, 1)
    transmission = np.clip(picture - reflection, 0, 1)
    return {**layers, "transmission": _float32(transmission), "reflection": _float32(reflection)}


def settle_haze(picture: FloatArray, layers: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Compute the radiance from the picture: ``J = (I - (1 - t) A) / max(t, 0.05)``, clipped.

    Transmission map and airlight are kept. Where the clip acts a residual stays, which only another map or airlight
    could explain.

    Args:
        picture: ``(H, W, 3)`` float32 in [0, 1].
        layers: ``radiance`` ``(H, W, 3)``, ``transmission_map`` ``(H, W, 1)``, ``airlight`` ``(1, 1, 3)``, float32.

    Returns:
        All layers, float32, radiance in [0, 1].

    Raises:
        ShapeError: a layer does not fit the picture.
    Source: He et al., CVPR 2009, eq. 16, with t below the bound also in the airlight's part.
    """
    _check(picture, layers, full=("radiance",), maps=("transmission_map",))
    through = layers["transmission_map"]
    radiance = picture - (1 - through) * layers["airlight"]
    radiance /= np.maximum(through, np.float32(_LEAST_TRANSMISSION))
    return {**layers, "radiance": _float32(np.clip(radiance, 0, 1))}


def settle_mark(picture: FloatArray, layers: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Compute the clean picture where the mark lets it through: ``C = (I - a W) / (1 - a)``, clipped; the rest is kept.

    Args:
        picture: ``(H, W, C)`` float32 in [0, 1].
        layers: ``clean`` ``(H, W, C)``, ``mark`` ``(H, W, C)`` or ``(1, 1, C)``, ``alpha`` ``(H, W, 1)``, float32.

    Returns:
        All layers, float32; where ``1 - a`` is under 0.02, the clean picture is as it was.

    Raises:
        ShapeError: a layer does not fit the picture.
    Source: Dekel et al., CVPR 2017, eq. 2.
    """
    _check(picture, layers, full=("clean",), maps=("alpha",))
    alpha = layers["alpha"]
    clear = 1 - alpha
    clean = picture - alpha * layers["mark"]
    clean /= np.maximum(clear, np.float32(_LEAST_CLEAR))
    clean = np.where(clear >= _LEAST_CLEAR, np.clip(clean, 0, 1), layers["clean"])
    return {**layers, "clean": _float32(clean)}


def _float32(values: FloatArray) -> FloatArray:
    return np.asarray(values, np.float32)


def _check(
    picture: FloatArray, layers: Mapping[str, FloatArray], *, full: tuple[str, ...], maps: tuple[str, ...] = ()
) -> None:
    """Refuse layers that would be broadcast, or broadcast the picture, without anyone having wanted it."""
    if picture.ndim != 3:
        raise ShapeError(f"a picture is (H, W, C), not {picture.shape}")
    wanted = {name: picture.shape for name in full} | {name: (*picture.shape[:2], 1) for name in maps}
    for name, shape in wanted.items():
        if layers[name].shape != shape:
            raise ShapeError(f"{name} is {layers[name].shape}; a picture {picture.shape} needs {shape}")
