"""Chunks joined in order into one stream of frames: at most two chunks open, a few frames in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.chunks import cross_fade_weights
from ddvideo.compositing import keep_opacity
from ddvideo.errors import InputError
from ddvideo.merge.aligned import AlignedChunk
from ddvideo.merge.recomposition import Recomposition
from ddvideo.merge.steadiness import Steadiness
from ddvideo.merge.symmetry import exchanges
from ddvideo.types import ChunkRecord

if TYPE_CHECKING:
    from ddvideo.media import Frame
    from ddvideo.tasks.contract import Task

__all__ = ["MergedFrame", "merge_chunks", "to_float"]


@dataclass(frozen=True, kw_only=True)
class MergedFrame:
    """One frame and its final layers, before encoding."""

    index: int
    pts_seconds: Fraction
    duration_seconds: Fraction
    rgb: AnyArray
    """The input frame as it was read: ``(H, W, 3)`` uint8 or uint16."""
    layers: dict[str, FloatArray]
    """``(H, W, C)`` float32 in [0, 1]; ``(1, 1, C)`` for a layer without extent."""


def merge_chunks(
    frames: Iterable[Frame],
    records: Sequence[ChunkRecord],
    task: Task,
    folder: Path,
    *,
    recomposition: Recomposition,
    warn: Callable[[str], None],
    steadiness: Steadiness | None = None,
    keeps_alpha: bool = False,
) -> Iterator[MergedFrame]:
    """Join the chunks of a run, frame by frame in order.

    Where two chunks overlap, the later one is aligned to the earlier (exchanged layers, levels) and both are faded into
    each other; faded and aligned frames are settled, so that the layers give the frame back as those of the fit do.

    Args:
        frames: the input's frames from the first chunk's start to the last one's stop, without gaps.
        records: every chunk's record, in order.
        task: layers, forward model and how a residual is settled.
        folder: where the chunk files lie.
        recomposition: told of every frame's error before encoding.
        warn: told of what the user should know.
        steadiness: told of every frame and its final layers, if it is to be measured.
        keeps_alpha: multiply the input's own transparency into a segmentation's alpha.

    Yields:
        Frames in order; a frame's arrays may be kept.

    Raises:
        DecompositionError: a chunk file is damaged.
        InputError: the frames end early.
    """
    choices = exchanges(task)
    chunks = [record.chunk for record in records]
    waiting = deque(zip(records, cross_fade_weights(chunks), strict=True))
    stream = iter(frames)
    active: deque[tuple[AlignedChunk, FloatArray]] = deque()
    with ExitStack() as stack:
        stack.callback(_close, active)
        for index in range(chunks[0].start, chunks[-1].stop):
            while active and active[0][0].chunk.stop <= index:
                active.popleft()[0].close()
            if waiting and waiting[0][0].chunk.start == index:
                record, weights = waiting.popleft()
                entering = AlignedChunk(folder, record)
                active.append((entering, weights))
                if len(active) > 1:
                    for message in entering.align_to(active[-2][0], choices, task.forward):
                        warn(message)
            frame = next(stream, None)
            if frame is None or frame.index != index:
                raise InputError(f"frame {index} of the input could not be read again; was the file changed?")
            layers = _faded(active, index)
            picture = to_float(frame.rgb)
            if len(active) > 1 or active[0][0].is_corrected(index):
                layers = dict(task.settle(picture, layers))
            if keeps_alpha and frame.alpha is not None:
                layers = keep_opacity(picture, layers, to_float(frame.alpha)[..., None])
            recomposition.add(picture, task.forward(layers))
            if steadiness is not None:
                steadiness.add(active[-1][0].chunk.shot, frame.rgb, layers)
            yield MergedFrame(
                index=index,
                pts_seconds=frame.pts_seconds,
                duration_seconds=frame.duration_seconds,
                rgb=frame.rgb,
                layers=layers,
            )


def _close(active: Iterable[tuple[AlignedChunk, FloatArray]]) -> None:
    for chunk, _ in active:
        chunk.close()


def _faded(active: Iterable[tuple[AlignedChunk, FloatArray]], index: int) -> dict[str, FloatArray]:
    total: dict[str, FloatArray] = {}
    for chunk, weights in active:
        weight = weights[index - chunk.chunk.start]
        for name, values in chunk.layers(index).items():
            if weight == 1:
                total[name] = values
            else:
                total[name] = total[name] + weight * values if name in total else weight * values
    return total


def to_float(rgb: AnyArray) -> FloatArray:
    """A frame of whole numbers as float32 in [0, 1]."""
    scaled: FloatArray = rgb.astype(np.float32) / np.float32(np.iinfo(rgb.dtype).max)
    return scaled
