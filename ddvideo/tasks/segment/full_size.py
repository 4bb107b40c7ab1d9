"""Alpha, foreground and background at the input's own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np

from ddvideo.arrays import ByteArray, FloatArray
from ddvideo.compositing import settle_alpha_over
from ddvideo.detail.extend import extend_colours
from ddvideo.detail.guided import guided_upsample
from ddvideo.detail.matte import solid_matte
from ddvideo.detail.plate import plate
from ddvideo.detail.side_by_side import side_by_side
from ddvideo.tasks.contract import Footage

__all__ = ["FAINT_EDGE", "finish"]

FAINT_EDGE = 1e-4
"""Regularisation of the guided filter, as a variance of colours: the smaller, the weaker an edge that alpha follows. It
is small here, since the alpha to be sharpened is nearly right."""
_HIDING = 12
"""An alpha over so many 255ths hides the background."""


def finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """Alpha along the frame's edges, foreground colours beyond them, background from the frames that saw it."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    longer = max(footage.frames[0].shape[:2])
    near, wide = (np.ones((2 * (longer // part) + 3,) * 2, np.uint8) for part in (200, 60))
    behind = footage.drawn.get("background")

    def matte(t: int) -> ByteArray:
        soft, full = footage.maps["alpha"][t].astype(np.float32), footage.frames[t].astype(np.float32) * scale
        edge_aware = guided_upsample(soft, footage.small[t], full, eps=FAINT_EDGE)
        return np.asarray((solid_matte(edge_aware) * 255).round(), np.uint8)

    def settled(t: int) -> Mapping[str, FloatArray]:
        frame = footage.frames[t].astype(np.float32) * scale
        alpha = alphas[t].astype(np.float32) / np.float32(255)
        hidden = cv2.dilate(alphas[t], near) > _HIDING
        drawn = None if behind is None else behind[t]
        layers: dict[str, FloatArray] = {
            "foreground": extend_colours(frame, alpha),
            "background": plate(t, frame, hidden, footage.frames, visible, footage.camera, drawn),
            "alpha": alpha[..., None],
        }
        return settle_alpha_over(frame, layers)

    alphas = list(side_by_side(matte, footage.frames, threads=footage.threads))
    # What lies close to the foreground is not asked for the background: there, a missed part of it may still show.
    visible = [np.asarray(255 * (cv2.dilate(alpha, wide) <= _HIDING), np.uint8) for alpha in alphas]
    yield from side_by_side(settled, footage.frames, threads=footage.threads)
