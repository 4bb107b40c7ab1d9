"""Untrained generators (the priors) behind one interface, and the motions that register them.

A generator is called with times ``(B,)`` and points ``(B, h, w, 2)`` and draws ``(B, C, h, w)``, unbounded.
"""

from __future__ import annotations

from ddvideo.nn.constant import ConstantGenerator
from ddvideo.nn.grid import GridGenerator
from ddvideo.nn.hourglass import HourglassGenerator
from ddvideo.nn.motion import LayerMotion
from ddvideo.nn.pyramid import PyramidGenerator
from ddvideo.nn.region import RegionGenerator

__all__ = [
    "ConstantGenerator",
    "GridGenerator",
    "HourglassGenerator",
    "LayerMotion",
    "PyramidGenerator",
    "RegionGenerator",
]
