"""Loss terms, one a file: tensors in, a scalar out; a task names them with weights."""

from __future__ import annotations

from ddvideo.losses.agreement import agreement_loss
from ddvideo.losses.binary import binary_loss
from ddvideo.losses.coherence import coherence_loss
from ddvideo.losses.energy import energy_loss
from ddvideo.losses.envelope import envelope_loss
from ddvideo.losses.exclusion import exclusion_loss
from ddvideo.losses.reconstruction import reconstruction_loss
from ddvideo.losses.smoothness import smoothness_loss

__all__ = [
    "agreement_loss",
    "binary_loss",
    "coherence_loss",
    "energy_loss",
    "envelope_loss",
    "exclusion_loss",
    "reconstruction_loss",
    "smoothness_loss",
]
