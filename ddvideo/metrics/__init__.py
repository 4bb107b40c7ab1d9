"""How good a result is, measured on arrays: regions, boundaries, steadiness over time, fidelity."""

from __future__ import annotations

from ddvideo.metrics.boundary import boundary_f, boundary_map
from ddvideo.metrics.flicker import temporal_instability
from ddvideo.metrics.quality import psnr_db, ssim
from ddvideo.metrics.region import jaccard

__all__ = ["boundary_f", "boundary_map", "jaccard", "psnr_db", "ssim", "temporal_instability"]
