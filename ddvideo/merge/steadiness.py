"""How much a layer flickers: its change from frame to frame along the motion, as the merged frames stream by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray

__all__ = ["SIZE_PX", "Steadiness"]

SIZE_PX = 216
"""Longer side of the frames that are looked at: flicker is told by areas, and the flow of small frames costs little."""


@dataclass(frozen=True, eq=False)
class _Seen:
    shot: int
    grey: ByteArray
    values: FloatArray


class Steadiness:
    """Temporal instability of one layer (``ddvideo/metrics/flicker.py``), its mean over neighbours within shots.

    Only the last frame is held, reduced to ``SIZE_PX``; the flow is measured on what the input shows.

    Args:
        layer: its name; nothing is measured where None.
    """

    def __init__(self, layer: str | None) -> None:
        self.layer = layer
        self.pairs = 0
        self._sum = 0.0
        self._last: _Seen | None = None

    def add(self, shot: int, rgb: AnyArray, layers: Mapping[str, FloatArray]) -> None:
        """Count one frame; frames come in order.

        Args:
            shot: number of its shot; the change across a cut does not count.
            rgb: the input's frame, ``(H, W, 3)`` uint8 or uint16.
            layers: ``(H, W, C)`` float32 each.
        """
        if self.layer is None:
            return
        from ddvideo.motion.flow import to_grey

        now = _Seen(shot, to_grey(_bytes(_reduced(rgb))), np.atleast_3d(_reduced(layers[self.layer])))
        if self._last is not None and self._last.shot == shot:
            self._sum += _change(self._last, now)
            self.pairs += 1
        self._last = now

    @property
    def flicker(self) -> float | None:
        """Mean change between neighbours in units of the layer, 0 is steady; None where there were no two frames."""
        return self._sum / self.pairs if self.pairs else None


def _change(before: _Seen, after: _Seen) -> float:
    from ddvideo.metrics import temporal_instability
    from ddvideo.motion.flow import backward_warp, consistency, dense_flow

    flow = dense_flow(before.grey, after.grey, quality="fast")
    confidence = consistency(flow, dense_flow(after.grey, before.grey, quality="fast"))
    warped = np.atleast_3d(backward_warp(after.values, flow))
    channels = range(before.values.shape[2])
    changes = [temporal_instability(before.values[..., c], warped[..., c], confidence) for c in channels]
    return float(np.mean(changes))


def _reduced(picture: AnyArray) -> AnyArray:
    """A picture ``(H, W, C)`` whose longer side is ``SIZE_PX`` at most."""
    import cv2

    # Of large pictures, some pixels are enough for the mean of a place; all of them cost too much.
    every = max(max(picture.shape[:2]) // (4 * SIZE_PX), 1)
    picture = picture[::every, ::every]
    height, width = picture.shape[:2]
    scale = SIZE_PX / max(height, width)
    if scale >= 1:
        return picture
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _bytes(rgb: AnyArray) -> ByteArray:
    return np.asarray(rgb if rgb.dtype == np.uint8 else rgb >> 8, np.uint8)
