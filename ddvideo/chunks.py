"""Overlapping chunks of a shot, and the weights that cross-fade them.

A shot's chunks have nearly equal lengths, never more than ``chunk_frames``; neighbours share the overlap, and no frame
lies in more than two chunks, so that a merge holds two chunks at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ddvideo.arrays import FloatArray
from ddvideo.errors import UsageError
from ddvideo.types import Chunk, Shot

__all__ = ["MIN_CHUNK_FRAMES", "chunk_size_for", "cross_fade_weights", "plan_chunks"]

MAX_CHUNK_BYTES = 512 * 2**20
MIN_CHUNK_FRAMES = 8


def chunk_size_for(width: int, height: int, *, chunk_frames: int, overlap_frames: int) -> tuple[int, int]:
    """Shrink chunk and overlap, in frames, until a chunk's RGB frames of 8 bits fit into 512 MiB.

    Never below 8 frames (or ``chunk_frames`` where that is less); the overlap shrinks in proportion.
    """
    fitting = max(MAX_CHUNK_BYTES // (width * height * 3), MIN_CHUNK_FRAMES)
    size = min(chunk_frames, fitting)
    overlap = min(overlap_frames, max(overlap_frames * size // chunk_frames, min(overlap_frames, 1)))
    return size, overlap


def plan_chunks(shots: Sequence[Shot], *, chunk_frames: int, overlap_frames: int) -> list[Chunk]:
    """Cut every shot into the fewest chunks that hold at most ``chunk_frames`` frames, of nearly equal lengths.

    Args:
        shots: in the order of the input, not overlapping.
        chunk_frames: at most so many frames a chunk, overlaps included; at least 2.
        overlap_frames: frames that two neighbours share, at most half of ``chunk_frames``; less only where a shot is so
            short that three chunks would meet on one frame.

    Returns:
        Chunks numbered from 0 through the whole input; those of one shot cover each of its frames once or twice.

    Raises:
        UsageError: the sizes do not fit together.
    """
    if chunk_frames < 2 or not 0 <= overlap_frames <= chunk_frames // 2:
        raise UsageError(f"a chunk of {chunk_frames} frames cannot overlap its neighbours by {overlap_frames}")
    chunks: list[Chunk] = []
    for number, shot in enumerate(shots):
        count = max(-(-(shot.frames - overlap_frames) // (chunk_frames - overlap_frames)), 1)
        overlap = min(overlap_frames, shot.frames // (count + 1)) if count > 1 else 0
        own = shot.frames - overlap
        cuts = [shot.start + own * i // count for i in range(count + 1)]
        for start, stop in itertools.pairwise(cuts):
            chunks.append(Chunk(index=len(chunks), shot=number, start=start, stop=stop + overlap))
    return chunks


def cross_fade_weights(chunks: Sequence[Chunk]) -> list[FloatArray]:
    """Each chunk's weight on each of its frames: 1, and a linear ramp over what it shares with a neighbour.

    Args:
        chunks: in order, as ``plan_chunks`` gives them.

    Returns:
        One float32 array of length ``chunk.frames`` a chunk, all weights over 0. On every frame the weights of the
        chunks that hold it sum to exactly one.

    Raises:
        UsageError: the chunks are not in order, or three of a shot meet on one frame.
    """
    weights = [np.ones(chunk.frames, np.float32) for chunk in chunks]
    for i, (first, second) in enumerate(itertools.pairwise(chunks)):
        if first.shot != second.shot:
            continue
        shared = first.stop - second.start
        meets_third = i + 2 < len(chunks) and chunks[i + 2].shot == first.shot and chunks[i + 2].start < first.stop
        if shared < 0 or second.start <= first.start or second.stop <= first.stop or meets_third:
            raise UsageError(f"chunks {first.index} and {second.index} do not follow each other")
        if shared:
            # Multiples of 2**-20: float32 holds both weights, and their sum, without rounding.
            rising = np.rint(np.arange(1, shared + 1) / (shared + 1) * 2**20) / 2**20
            weights[i + 1][:shared] = rising
            weights[i][first.frames - shared :] = 1.0 - rising
    return weights
