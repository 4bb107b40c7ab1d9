"""The transmission map along the frame's edges, and the radiance behind the haze, at the input's own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.compositing import settle_haze
from ddvideo.detail.guided import guided_upsample
from ddvideo.tasks.contract import Footage
from ddvideo.tasks.dehaze.dark_channel import noise_level

__all__ = ["FLOOR", "finish"]

FLOOR, _HIGHEST_FLOOR = 0.1, 0.4
"""A smaller transmission is not believed: dividing by it would show noise instead of radiance."""
_NOISE_GAIN = 25.0
"""The floor in noise levels: it leaves noise of a twenty-fifth of full range at most."""
_EDGE_RADIUS_PX = 16


def finish(footage: Footage) -> Iterator[Mapping[str, FloatArray]]:
    """The map along the frame's edges, no smaller than the picture allows, and the radiance behind the haze."""
    scale = np.float32(1 / np.iinfo(footage.frames[0].dtype).max)
    middle = footage.frames[len(footage.frames) // 2].astype(np.float32) * scale
    floor = float(np.clip(_NOISE_GAIN * noise_level(middle), FLOOR, _HIGHEST_FLOOR))
    for t, full in enumerate(footage.frames):
        frame = full.astype(np.float32) * scale
        small = footage.maps["transmission_map"][t].astype(np.float32)
        airlight = footage.maps["airlight"][t].astype(np.float32)
        through = guided_upsample(small, footage.small[t], frame, radius_px=_EDGE_RADIUS_PX)
        through = np.clip(np.maximum(through, _allowed(frame, airlight)), floor, 1)[..., None]
        yield settle_haze(frame, {"radiance": frame, "transmission_map": through, "airlight": airlight})


def _allowed(frame: FloatArray, airlight: FloatArray) -> FloatArray:
    """The least transmission at which no channel of the radiance is below 0: ``(H, W)``.

    Source: the boundary constraint of Meng et al., ICCV 2013, eq. 6. Deviation: its other half, that none is above 1,
    would call everything that is lighter than the airlight clear; such a thing is clipped instead.
    """
    return np.asarray(1 - (frame / np.maximum(airlight, np.float32(1e-3))).min(2), np.float32)
