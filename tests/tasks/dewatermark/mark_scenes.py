"""Small scenes that move by whole pixels, and marks to lay over them."""

from __future__ import annotations

import cv2
import numpy as np

H, W, T = 80, 128, 24
PAN = (4, 2)
"""Pixels that the camera goes to the right and down in a frame, unless told otherwise."""


def ground(height, width, seed=0):
    """Soft colours under finer ones."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 0.4, np.float32)
    for size, contrast in ((6, 0.15), (2.5, 0.12), (1.2, 0.06)):
        waves = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), size)
        picture += contrast * waves / waves.std()
    return np.clip(picture, 0, 1)


def scenery(pan=PAN, *, frames=T, height=H, width=W, seed=0):
    """What a camera sees that goes ``pan`` whole pixels a frame, ``(T, H, W, 3)`` in [0, 1]."""
    x, y = pan
    room_x, room_y = abs(x) * (frames - 1), abs(y) * (frames - 1)
    wide = ground(height + room_y, width + room_x, seed)
    left, top = (room_x if x < 0 else 0), (room_y if y < 0 else 0)
    return np.stack(
        [wide[top + y * t : top + y * t + height, left + x * t : left + x * t + width] for t in range(frames)]
    )


def steps(pan=PAN, *, frames=T):
    """The camera's step to each frame from the one before, in pixels."""
    x, y = pan
    return [None] + [np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]], np.float32)] * (frames - 1)


def emblem(strength=0.6, *, x=46, y=40, height=H, width=W):
    """A ring of 20 pixels and a stroke beside it, with soft edges: alpha ``(H, W)``."""
    fine = 4
    ink = np.zeros((height * fine, width * fine), np.float32)
    cv2.circle(ink, (fine * x, fine * y), 9 * fine, 1.0, 3 * fine, cv2.LINE_AA)
    cv2.line(ink, (fine * (x + 12), fine * (y - 6)), (fine * (x + 32), fine * (y + 6)), 1.0, 3 * fine, cv2.LINE_AA)
    return strength * cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)


def plate(*, x=40, y=30, height=H, width=W):
    """An opaque plate of 28 by 18 pixels: alpha ``(H, W)``."""
    alpha = np.zeros((height, width), np.float32)
    alpha[y : y + 18, x : x + 28] = 1
    return alpha


def white(height=H, width=W):
    return np.ones((height, width, 3), np.float32)


def red_and_blue(height=H, width=W, *, x=56):
    """Red to the left of ``x``, blue to the right."""
    colour = np.full((height, width, 3), np.float32([0.9, 0.15, 0.1]))
    colour[:, x:] = 0.1, 0.25, 0.9
    return colour


def marked(clean, alpha, colour):
    """The frames with a mark laid over them; ``alpha`` is ``(H, W)``, or ``(T, H, W)`` if it changes."""
    alpha = alpha[..., None]
    return (1 - alpha) * clean + alpha * colour


def eight_bits(frames):
    """A list of ``(H, W, 3)`` uint8."""
    return list(np.rint(255 * np.clip(frames, 0, 1)).astype(np.uint8))


def unit(frames):
    return np.stack(frames).astype(np.float32) / np.float32(255)
