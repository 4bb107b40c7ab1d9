"""The plain data that flows between the floors. Holds no behaviour beyond checks; imports neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

from ddvideo.config import Chroma, Interlaced, OutputFormat, Preset, Settings
from ddvideo.errors import UsageError

__all__ = [
    "Chunk",
    "ChunkJob",
    "ChunkRecord",
    "Common",
    "FieldOrder",
    "InputInfo",
    "InputKind",
    "InputPath",
    "Job",
    "PriorJob",
    "PriorRecord",
    "Progress",
    "ProgressEvent",
    "Shot",
    "Stage",
    "first_path",
]

FieldOrder = Literal["progressive", "tff", "bff"]
InputKind = Literal["video", "image", "frames"]
Stage = Literal["probe", "plan", "prior", "chunk", "merge", "done"]
InputPath: TypeAlias = Path | tuple[Path, ...]
"""Where one input lies: a video, an image or a folder of frames; or several images that together are one input."""


@dataclass(frozen=True, kw_only=True)
class InputInfo:
    """What the reader sees in an input.

    ``width`` and ``height`` are those of the coded frames, before ``rotation_degrees`` (counter-clockwise) is applied
    by a player. ``fps`` is the average rate; ``is_vfr`` tells that frame durations differ.
    """

    path: Path
    """Of several images that are one input, the first."""
    kind: InputKind
    width: int
    height: int
    frames: int
    fps: Fraction
    duration_seconds: float
    codec: str
    pix_fmt: str
    bit_depth: int = 8
    audio: tuple[str, ...] = ()
    rotation_degrees: int = 0
    sample_aspect_ratio: Fraction = Fraction(1)
    colour_space: str = "unspecified"
    colour_range: str = "unspecified"
    colour_primaries: str = "unspecified"
    colour_transfer: str = "unspecified"
    is_vfr: bool = False
    start_seconds: Fraction = Fraction(0)
    """When the first frame is shown; frame timestamps count from the same zero."""
    time_base: Fraction | None = None
    """Unit of the container's timestamps in seconds; None where there is no container (images, frame folders)."""
    display_matrix: tuple[int, ...] = ()
    """The nine integers that tell a player how to turn and mirror the frames; empty where there are none."""
    warnings: tuple[str, ...] = ()
    paths: tuple[Path, ...] = ()
    """Of several images that are one input, all of them in their order; empty for every other input."""
    has_tracks: bool = False
    """Whether the pictures lie in a container that may hold sound, subtitles and tags besides them."""
    has_alpha: bool = False
    """Whether the input carries transparency; frames are composited over black, ``Frame.alpha`` holds it."""
    chroma_location: str = "unspecified"
    """Where subsampled chroma lies (``left``, ``center``, ``topleft``, ...), by FFmpeg's name."""
    field_order: FieldOrder = "progressive"
    """Which field of an interlaced frame is shown first."""
    is_deinterlaced: bool = False
    """Whether interlaced frames are deinterlaced on reading."""
    origin_seconds: Fraction = Fraction(0)
    """Time of the container that counts as zero: it is subtracted from all its timestamps."""
    clock_parts: tuple[tuple[Fraction, Fraction, Fraction], ...] = ()
    """Where the container's clock starts anew (joined recordings): for each part its first and last time on the clock,
    and the seconds that are added to its times before ``origin_seconds`` is subtracted. Empty for all other inputs."""
    mastering_display: str = ""
    """Mastering display of PQ footage (SMPTE ST 2086), in x264's notation; empty where there is none."""
    content_light: str = ""
    """MaxCLL and MaxFALL in cd/m2 (CTA-861.3), in x264's notation; empty where there are none."""
    icc_profile: bytes = b""
    """ICC profile of a still's RGB samples; empty where there is none."""
    exif: bytes = b""
    """EXIF block of a still, with its orientation set to upright; empty where there is none."""

    @property
    def is_interlaced(self) -> bool:
        """Whether frames as they are read consist of two fields."""
        return self.field_order != "progressive" and not self.is_deinterlaced

    @property
    def source(self) -> InputPath:
        """What the input is opened by."""
        return self.paths or self.path


@dataclass(frozen=True, order=True)
class Shot:
    """Frames ``start`` (included) to ``stop`` (excluded) between two cuts, counted from the input's first frame."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise UsageError(f"a shot needs 0 <= start < stop, not {self.start}:{self.stop}")

    @property
    def frames(self) -> int:
        """How many frames the shot has."""
        return self.stop - self.start


@dataclass(frozen=True, order=True)
class Chunk:
    """A run of frames of one shot that is fitted at once; neighbours in a shot share frames (the overlap)."""

    index: int
    shot: int
    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise UsageError(f"a chunk needs 0 <= start < stop, not {self.start}:{self.stop}")

    @property
    def frames(self) -> int:
        """How many frames the chunk has, overlaps included."""
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True)
class ChunkRecord:
    """What is known of one fitted chunk: the fields of ``report.json`` and the files its layers lie in.

    ``files`` maps a layer's name to the file name inside the work folder, ``sha256`` to that file's content hash.
    """

    chunk: Chunk
    steps: int
    seconds: float
    loss: float
    attempts: int
    files: Mapping[str, str]
    sha256: Mapping[str, str]
    timings_seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProgressEvent:
    """One step forward, for a progress bar: ``done`` of ``total`` units of a stage (frames or steps).

    ``jobs`` tells how many jobs (priors and chunks) this start has to do, ``jobs_done`` how many of them are done; the
    driver adds both to the events of jobs, 0 where it does not know.
    """

    stage: Stage
    message: str = ""
    shot: int | None = None
    chunk: int | None = None
    done: int = 0
    total: int = 0
    loss: float | None = None
    jobs: int = 0
    jobs_done: int = 0


Progress: TypeAlias = Callable[[ProgressEvent], None]


@dataclass(frozen=True, kw_only=True)
class PriorJob:
    """Fit what is global to one shot.

    Plain data only, so that any process of any machine that sees the paths can run it.
    """

    id: str
    source: InputPath
    shot: Shot
    shot_index: int
    settings: Settings
    folder: Path
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ChunkJob:
    """Fit one chunk from its shot's prior and write its layers into ``folder``."""

    id: str
    source: InputPath
    shot: Shot
    chunk: Chunk
    settings: Settings
    folder: Path
    after: tuple[str, ...] = ()


Job: TypeAlias = PriorJob | ChunkJob


@dataclass(frozen=True, kw_only=True)
class PriorRecord:
    """What is known of one shot's fitted prior."""

    shot_index: int
    file: str
    sha256: str
    steps: int
    seconds: float
    timings_seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def first_path(source: InputPath) -> Path:
    """The path that an input is called by: of several images that are one, the first."""
    return source[0] if isinstance(source, tuple) else source


class Common(TypedDict, total=False):
    """What every entry can be told by keyword: the options of the command; what is left out is as there."""

    preset: Preset
    """``fast``, ``balanced`` (unless told) or ``quality``: trade time for quality."""
    device: str
    """``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``."""
    seed: int
    """Start of the random numbers; equal seeds and thread counts give equal layers."""
    format: OutputFormat
    """How layers are written: ``auto``, ``mp4`` or ``png``."""
    chroma: Chroma
    """How finely mp4 layers hold colour: ``auto`` (as the input), ``420``, ``422`` or ``444``."""
    frames: tuple[int, int | None] | None
    """Part of the input: first frame and the first one not taken (None: to the end), counted from 0."""
    interlaced: Interlaced
    """What becomes of interlaced frames: ``deinterlace`` (unless told) or ``keep``."""
    fresh: bool
    """Forget an earlier unfinished run instead of going on with it."""
    keep_work: bool
    """Keep the chunk files."""
    workers: int | None
    """Jobs at once; more than one, or an address, asks for Ray, unless told otherwise by ``runner``."""
    address: str | None
    """Of a Ray cluster to join (``auto`` finds one on this machine)."""
