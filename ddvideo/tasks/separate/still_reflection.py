"""A reflection guessed from one picture: it is soft, its edges lie apart from the scene's, and its hues differ."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.fft import dctn, idctn

from ddvideo.arrays import FloatArray

__all__ = ["still_reflection"]

_SIDE_PX = 224
"""Longer side of the picture that is looked at; a reflection is out of focus, and loses nothing by being made small."""

_LEAST_STEP = 0.1
"""A difference between neighbouring pixels that is the scene's at first; each round halves its square."""
_ROUNDS = 8
_SMOOTHNESS = 10.0
_FAINTNESS = 2.0
"""Weights of a reflection's second differences and of its values."""
_BLUR_PX = 2.0

_NEAR_PX = 3.0
"""Edges no farther apart than about this are at one place."""
_SHARE = 0.8
"""Of what is soft, a reflection's part at most: the scene has soft shades too."""
_HUE_SPREAD = 0.024
_LEAST_HUE_SPREAD = 0.005
_HUE_POWER = 3.5
_TOGETHER_WEIGHT = 4.5
"""Where half of the share is taken away, and how soon it is nothing or all: fitted to half of a set of mixtures and of
clear pictures, they do as well on the other half."""
_NO_SCATTER = 1e-9
_DARKEST = 0.05
"""So small a share of a reflection is black."""


def still_reflection(picture: FloatArray) -> FloatArray:
    """The reflection in one picture of a scene behind glass; nearly black where nothing speaks for one.

    What no edge of the scene explains may be a reflection's, or soft shading of the scene. How much of it is taken away
    depends on how well it keeps apart from the scene's edges, and how much it changes the hue, which shading does not.

    Args:
        picture: ``(h, w, 3)`` RGB in [0, 1].

    Returns:
        ``(h, w, 3)`` float32, between 0 and the picture.
    """
    height, width = picture.shape[:2]
    scale = min(_SIDE_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small: FloatArray = np.asarray(picture, np.float32)
    if scale < 1:
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.float32)
    soft = _blurred(small - _sharp_part(small), _BLUR_PX)
    black = np.quantile(soft, _DARKEST, axis=(0, 1))
    reflection: FloatArray = np.asarray(_belief(small - soft, soft) * (soft - black), np.float32)
    if scale < 1:
        reflection = np.asarray(cv2.resize(reflection, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.asarray(np.clip(reflection, 0, picture), np.float32)


def _sharp_part(picture: FloatArray) -> FloatArray:
    """The picture with nothing but its steep differences, and close to it where a faint, smooth rest allows it.

    Source: Li and Brown, CVPR 2014 (relative smoothness, by half-quadratic splitting). Deviations: the rest is also
    faint and all is solved by cosines, as in Yang et al., CVPR 2019; the channels share their edges; the bounds are the
    caller's.
    """
    height, width = picture.shape[:2]
    down, across = (2 - 2 * np.cos(np.pi * np.arange(count) / count) for count in (height, width))
    laplacian = (down[:, None] + across)[..., None].astype(np.float32)
    fidelity = np.float32(_SMOOTHNESS) * laplacian**2 + np.float32(_FAINTNESS)
    fixed = fidelity * _cosines(picture)
    sharp = picture
    pull = 1 / _LEAST_STEP**2
    for _ in range(_ROUNDS):
        along_x, along_y = _differences(sharp)
        steep = (along_x**2 + along_y**2).mean(2, keepdims=True) > 1 / pull
        edges = _cosines(_divergence(along_x * steep, along_y * steep))
        whole = (fixed - np.float32(pull) * edges) / (fidelity + np.float32(pull) * laplacian)
        sharp = np.asarray(idctn(whole, axes=(0, 1), norm="ortho"), np.float32)
        pull *= 2
    return sharp


def _belief(scene: FloatArray, soft: FloatArray) -> float:
    """How much of what is soft is a reflection, in [0, 1).

    Two layers know nothing of each other: the edges of one are not where those of the other are, neither in all colours
    nor in the hue alone. The shading of a scene does not change its hue (Funt et al., ECCV 1992).
    """
    hues = soft - soft.mean(2, keepdims=True)
    together = _together(soft, scene) + _together(hues, scene - scene.mean(2, keepdims=True))
    spread = float(np.sqrt(np.square(hues - hues.mean((0, 1))).mean())) + _LEAST_HUE_SPREAD
    doubt = np.exp(_TOGETHER_WEIGHT * together) * (_HUE_SPREAD / spread) ** _HUE_POWER
    return float(_SHARE / (1 + doubt))


def _together(first: FloatArray, second: FloatArray) -> float:
    """Correlation of how steep two layers are, in [-1, 1]; 1 where either is flat, for then nothing sets them apart."""
    steepness = [_blurred(np.hypot(*_differences(layer)).mean(2), _NEAR_PX) for layer in (first, second)]
    one, other = (values - values.mean() for values in steepness)
    scatter = float(np.sqrt(np.square(one).mean() * np.square(other).mean()))
    return float((one * other).mean()) / scatter if scatter > _NO_SCATTER else 1.0


def _differences(picture: FloatArray) -> tuple[FloatArray, FloatArray]:
    """To the next pixel along x and along y; nothing beyond the last."""
    along_x, along_y = np.zeros_like(picture), np.zeros_like(picture)
    along_x[:, :-1] = np.diff(picture, axis=1)
    along_y[:-1] = np.diff(picture, axis=0)
    return along_x, along_y


def _divergence(along_x: FloatArray, along_y: FloatArray) -> FloatArray:
    """What :func:`_differences` is to differences, backwards: their divergence."""
    total = along_x + along_y
    total[:, 1:] -= along_x[:, :-1]
    total[1:] -= along_y[:-1]
    return total


def _cosines(picture: FloatArray) -> FloatArray:
    return np.asarray(dctn(picture, axes=(0, 1), norm="ortho"), np.float32)


def _blurred(picture: FloatArray, sigma_px: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT), np.float32)
