"""The merged stream written out: a file a layer, the preview and the report's thumbnails.

Everything is built inside the work folder and moved to its name when all of it is whole.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.config import Chroma
from ddvideo.merge import MergedFrame
from ddvideo.pipeline.as_written import AsWritten
from ddvideo.pipeline.plan import FileFormat, Plan
from ddvideo.report import PreviewComposer, Thumbnails
from ddvideo.store.atomic import output_errors, sync_folder
from ddvideo.types import InputInfo, Progress, ProgressEvent

if TYPE_CHECKING:
    from ddvideo.media import Sink
    from ddvideo.tasks.contract import Task

__all__ = ["Written", "file_name", "is_written_so", "write_outputs"]

MATTED = ("foreground", "alpha")
"""In png, the first of these layers carries the second as its fourth channel."""


@dataclass(frozen=True, kw_only=True)
class WrittenLayer:
    """A layer's file as it will be found."""

    name: str
    path: Path
    channels: int
    codec: str
    pix_fmt: str


@dataclass(kw_only=True)
class Written:
    """What was written, and what it took."""

    layers: list[WrittenLayer] = field(default_factory=list)
    constants: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Layers without extent, which have no file: per shot ``start``, ``stop`` and their value ``rgb``."""
    thumbnails: Thumbnails | None = None
    psnr_db: float = 0.0
    """Of the layers as they were written, decoded again and put together, on a few frames; in dB."""
    encode_seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


def write_outputs(
    frames: Iterable[MergedFrame],
    plan: Plan,
    task: Task,
    format: FileFormat,
    root: Path,
    work: Path,
    progress: Progress,
    *,
    chroma: Chroma = "auto",
) -> Written:
    """Encode the stream and put the results under their names in ``root``.

    Args:
        frames: the merged stream.
        plan: the input and which of its frames come.
        task: which layers there are, and which is the main one.
        format: ``"mp4"`` or ``"png"``.
        root: the result folder.
        work: its work folder, on the same file system.
        progress: told of every frame.
        chroma: of the layers in mp4.

    Raises:
        OutputError: the disk is full, or the like; nothing new shows in ``root`` then.
    """
    building, replaced = work / "out", work / "old"
    written = Written()
    with output_errors(building):
        for folder in (building, replaced):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
    names = [layer.name for layer in task.layers if layer.spatial]
    composer = PreviewComposer(plan.info, names)
    written.thumbnails = Thumbnails(plan.info, names, start=plan.start, stop=plan.stop)
    targets: list[Path] = []
    as_written = AsWritten(plan, task)
    with ExitStack() as stack:
        with _timed(written):
            sinks = _open_sinks(stack, plan, task, format, building, composer, chroma)
        for done, merged in enumerate(frames, start=1):
            with _timed(written):
                for name, sink in sinks.items():
                    picture = (
                        composer.compose(merged.rgb, merged.layers)
                        if name == "preview"
                        else _picture(name, merged.layers, format)
                    )
                    sink.write(picture, merged.pts_seconds, merged.duration_seconds)
                written.thumbnails.offer(merged.index, merged.rgb, merged.layers)
                as_written.offer(merged)
            _note_constants(written, merged, plan, task)
            progress(ProgressEvent(stage="merge", done=done, total=plan.frames))
        with _timed(written):
            stack.close()
    with _timed(written):
        files = {name: building / file_name(name, plan.info, format) for name in names}
        written.psnr_db = as_written.measure(files).psnr_db
    channels = {layer.name: layer.channels for layer in task.layers}
    for name, sink in sinks.items():
        target = root / file_name(name, plan.info, format)
        targets.append(target)
        written.warnings.extend(sink.warnings)
        if name != "preview":
            written.layers.append(
                WrittenLayer(name=name, path=target, channels=channels[name], codec=sink.codec, pix_fmt=sink.pix_fmt)
            )
    _move_into_place(targets, building, replaced)
    return written


def _note_constants(written: Written, merged: MergedFrame, plan: Plan, task: Task) -> None:
    """At the first frame of a shot, note what has one value for all of it."""
    for shot in plan.shots:
        if merged.index == shot.start:
            for layer in task.layers:
                if not layer.spatial:
                    rgb = [round(float(value), 4) for value in merged.layers[layer.name].ravel()]
                    written.constants.setdefault(layer.name, []).append(
                        {"start": shot.start, "stop": shot.stop, "rgb": rgb}
                    )


def _open_sinks(
    stack: ExitStack,
    plan: Plan,
    task: Task,
    format: FileFormat,
    building: Path,
    composer: PreviewComposer,
    chroma: Chroma,
) -> dict[str, Sink]:
    from ddvideo.media import open_sink

    info = plan.info
    sinks: dict[str, Sink] = {}
    for layer in task.layers:
        if layer.spatial:
            sinks[layer.name] = stack.enter_context(
                open_sink(
                    building / file_name(layer.name, info, format),
                    like=info,
                    kind="alpha" if layer.channels == 1 else "colour",
                    format=format,
                    source=info.path,
                    audio=layer.name == task.main,
                    chroma=chroma,
                )
            )
    sinks["preview"] = stack.enter_context(
        open_sink(
            building / file_name("preview", info, format),
            like=replace(composer.info, display_matrix=()),  # the preview's pictures are upright already
            kind="colour",
            format="png" if info.kind == "image" else "mp4",
            source=info.path,
            audio=True,
            quality="preview",
        )
    )
    return sinks


def file_name(name: str, info: InputInfo, format: str) -> str:
    """Name of a layer (or the preview) in the result folder: a file, or a folder of pictures."""
    if info.kind == "image":
        return f"{name}.png"
    if name == "preview" or format == "mp4":
        return f"{name}.mp4"
    return name


def is_written_so(report: Any, info: InputInfo, format: FileFormat, chroma: Chroma) -> bool:
    """Whether the layers that a report tells of have the chroma that is asked for now; pictures always have it."""
    from ddvideo.media.x264 import pix_fmt_for

    try:
        told = {layer["pix_fmt"] for layer in report["layers"]}
    except (KeyError, TypeError):
        return False
    return format != "mp4" or told <= {pix_fmt_for(info, alpha=alpha, chroma=chroma) for alpha in (False, True)}


def _picture(name: str, layers: dict[str, FloatArray], format: str) -> FloatArray:
    colour, matte = MATTED
    if name == colour and format == "png" and matte in layers:
        return np.concatenate([layers[colour], layers[matte]], axis=2)
    return layers[name]


def _move_into_place(targets: Sequence[Path], building: Path, replaced: Path) -> None:
    """Rename all results to their names; a folder that is in the way of a new one goes with the work folder."""
    for target in targets:
        new = building / target.name
        with output_errors(target):
            if new.is_dir() and target.is_dir() and not target.is_symlink():
                target.rename(replaced / target.name)
            os.replace(new, target)  # noqa: PTH105
    with output_errors(building):
        sync_folder(building.parent.parent)
        shutil.rmtree(replaced)
        building.rmdir()


@contextmanager
def _timed(written: Written) -> Iterator[None]:
    begun = time.perf_counter()
    try:
        yield
    finally:
        written.encode_seconds += time.perf_counter() - begun
