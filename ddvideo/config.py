"""Settings of one decomposition: checked once, then passed down unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from ddvideo.errors import UsageError

__all__ = [
    "CHROMAS",
    "FORMATS",
    "INTERLACED",
    "PRESETS",
    "Chroma",
    "Interlaced",
    "OutputFormat",
    "Preset",
    "Settings",
]

Preset = Literal["fast", "balanced", "quality"]
OutputFormat = Literal["auto", "mp4", "png"]
Chroma = Literal["auto", "420", "422", "444"]
Interlaced = Literal["deinterlace", "keep"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)
CHROMAS: tuple[Chroma, ...] = get_args(Chroma)
INTERLACED: tuple[Interlaced, ...] = get_args(Interlaced)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides what a fit computes; two equal settings on one input give the same layers.

    ``options`` holds the task's own numbers (steps, sizes, weights) as the recipe's preset gives them.
    """

    task: str
    preset: Preset = "balanced"
    device: str = "auto"
    seed: int = 0
    threads: int = 1
    working_px: int = 432
    """Longer side, in pixels, of the frames that are analysed and fitted."""
    chunk_frames: int = 64
    overlap_frames: int = 12
    key_frames: int = 64
    """At most so many frames of a shot are seen by its prior pass."""
    together: bool = False
    """The frames are images of one scene or with one mark, not a video: one shot, and neighbours do not follow each
    other in time."""
    interlaced: Interlaced = "deinterlace"
    """What becomes of interlaced frames when they are read."""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, low in (("threads", 1), ("working_px", 64), ("chunk_frames", 2), ("key_frames", 2)):
            if getattr(self, name) < low:
                raise UsageError(f"{name} must be at least {low}, not {getattr(self, name)}")
        if not 0 <= self.overlap_frames <= self.chunk_frames // 2:
            raise UsageError(
                f"overlap_frames must lie between 0 and half of chunk_frames ({self.chunk_frames // 2}), "
                f"not {self.overlap_frames}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: part of a run's identity."""
        return asdict(self)
