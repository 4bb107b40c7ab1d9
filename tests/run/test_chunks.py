from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.chunks import chunk_size_for, cross_fade_weights, plan_chunks
from ddvideo.errors import UsageError
from ddvideo.types import Chunk, Shot


def shots_of(lengths):
    stops = np.cumsum(lengths)
    return [Shot(int(stop - length), int(stop)) for length, stop in zip(lengths, stops, strict=True)]


@st.composite
def plans(draw):
    size = draw(st.integers(2, 70))
    overlap = draw(st.integers(0, size // 2))
    shots = shots_of(draw(st.lists(st.integers(1, 300), min_size=1, max_size=4)))
    return shots, size, overlap, plan_chunks(shots, chunk_frames=size, overlap_frames=overlap)


@given(plans())
def test_cross_fade_weights_sum_to_one_on_every_frame(plan):
    shots, _, _, chunks = plan
    total = np.zeros(shots[-1].stop)
    for chunk, weights in zip(chunks, cross_fade_weights(chunks), strict=True):
        assert weights.shape == (chunk.frames,)
        assert (weights > 0).all()
        total[chunk.start : chunk.stop] += weights
    assert (total == 1.0).all()


@given(plans())
def test_chunks_are_bounded_balanced_and_stay_in_their_shot(plan):
    shots, size, overlap, chunks = plan
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    for number, shot in enumerate(shots):
        own = [chunk for chunk in chunks if chunk.shot == number]
        assert own[0].start == shot.start
        assert own[-1].stop == shot.stop
        assert max(chunk.frames for chunk in own) <= size
        assert max(chunk.frames for chunk in own) - min(chunk.frames for chunk in own) <= 1
        if len(own) > 1:
            assert shot.frames > size, "a shot that fits into one chunk is one chunk"
            assert own[0].frames * 2 >= size - overlap, "no tiny chunks"
        for first, second in itertools.pairwise(own):
            assert 0 <= first.stop - second.start <= overlap
        for first, third in zip(own, own[2:], strict=False):
            assert first.stop <= third.start, "three chunks on one frame"


@pytest.mark.parametrize(("frames", "count"), [(1, 1), (64, 1), (65, 2), (116, 2), (117, 3), (240, 5)])
def test_known_plans(frames, count):
    chunks = plan_chunks([Shot(0, frames)], chunk_frames=64, overlap_frames=12)
    assert len(chunks) == count
    assert sum(chunk.frames for chunk in chunks) == frames + 12 * (count - 1)


def test_the_overlap_is_the_one_asked_for():
    chunks = plan_chunks([Shot(10, 300)], chunk_frames=64, overlap_frames=12)
    assert {first.stop - second.start for first, second in itertools.pairwise(chunks)} == {12}


def test_nothing_fades_over_a_cut():
    chunks = plan_chunks([Shot(0, 10), Shot(10, 20)], chunk_frames=64, overlap_frames=12)
    assert all((weights == 1).all() for weights in cross_fade_weights(chunks))


def test_chunks_out_of_order_are_refused():
    with pytest.raises(UsageError, match="do not follow"):
        cross_fade_weights([Chunk(0, 0, 0, 10), Chunk(1, 0, 12, 20)])
    with pytest.raises(UsageError, match="do not follow"):
        cross_fade_weights([Chunk(0, 0, 0, 10), Chunk(1, 0, 4, 14), Chunk(2, 0, 8, 18)])


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(854, 480, (64, 12)), (1920, 1080, (64, 12)), (3840, 2160, (21, 3)), (16384, 8192, (8, 1)), (4096, 4096, (10, 1))],
)
def test_large_frames_shrink_the_chunk(width, height, expected):
    size, overlap = chunk_size_for(width, height, chunk_frames=64, overlap_frames=12)
    assert (size, overlap) == expected
    assert size == 8 or size * width * height * 3 <= 512 * 2**20


def test_a_small_chunk_is_not_made_larger():
    assert chunk_size_for(16384, 8192, chunk_frames=4, overlap_frames=0) == (4, 0)
