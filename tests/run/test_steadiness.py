from __future__ import annotations

import tracemalloc
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ddvideo.chunks import plan_chunks
from ddvideo.merge import Recomposition, Steadiness, merge_chunks
from ddvideo.merge.steadiness import SIZE_PX
from ddvideo.pipeline import decompose
from ddvideo.store import ChunkWriter
from ddvideo.tasks import TASKS
from ddvideo.types import Shot
from sample_clips.textures import noise
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, split

H, W = 90, 160
GROUND = np.clip(120 + 50 * noise(np.random.default_rng(3), 2 * H, 4 * W), 0, 255).astype(np.uint8)


def panned(index, px=2):
    """A frame of a ground that goes to the left by so many pixels a frame."""
    return np.repeat(GROUND[:H, px * index : px * index + W, None], 3, axis=2)


def wide(frame, dtype):
    """The same frame in as many bits."""
    return frame if dtype == np.uint8 else frame.astype(dtype) * np.uint16(256) + np.uint16(77)


def flicker(frames, alphas, shots=None):
    steadiness = Steadiness("alpha")
    for index, (rgb, alpha) in enumerate(zip(frames, alphas, strict=True)):
        steadiness.add(0 if shots is None else shots[index], rgb, {"alpha": np.asarray(alpha, np.float32)[..., None]})
    return steadiness


def flat(value):
    return np.full((H, W), value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_moves_along_with_the_picture_does_not_flicker(dtype):
    def matte(index):
        return 1.0 * (np.arange(W) + 2 * index > 100) * np.ones((H, 1))

    frames = [wide(panned(index), dtype) for index in range(6)]
    assert flicker(frames, [matte(index) for index in range(6)]).flicker < 0.003
    assert flicker(frames, [matte(0)] * 6).flicker > 0.008  # stays where it is while the picture goes on


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_is_the_mean_change_in_units_of_the_layer(dtype):
    frames = [wide(panned(0), dtype)] * 5
    seen = flicker(frames, [flat(value) for value in (0.4, 0.6, 0.4, 0.4, 0.5)])
    assert seen.pairs == 4
    assert seen.flicker == pytest.approx((0.2 + 0.2 + 0 + 0.1) / 4, abs=1e-6)


def test_large_frames_are_looked_at_small():
    frames = [np.repeat(np.repeat(panned(index), 5, axis=0), 5, axis=1) for index in range(2)]
    seen = flicker(frames, [np.full(frames[0].shape[:2], value) for value in (0.25, 0.75)])
    assert seen.flicker == pytest.approx(0.5, abs=1e-5)
    assert max(seen._last.grey.shape) == max(seen._last.values.shape) == SIZE_PX


def test_the_change_across_a_cut_does_not_count():
    seen = flicker([panned(0)] * 4, [flat(0.1), flat(0.1), flat(0.9), flat(0.9)], shots=[0, 0, 1, 1])
    assert (seen.pairs, seen.flicker) == (2, 0)


def test_without_neighbours_or_a_layer_there_is_no_flicker():
    assert flicker([panned(0)], [flat(0.5)]).flicker is None
    nothing = Steadiness(None)
    nothing.add(0, panned(0), {})
    assert nothing.flicker is None


def test_chunks_are_measured_as_they_are_merged(tmp_path):
    """The picture stands still and neighbouring chunks flicker against each other, which their fading evens out."""
    chunks = plan_chunks([Shot(0, 30)], chunk_frames=16, overlap_frames=4)
    frame = panned(0)
    records = []
    for chunk in chunks:
        with ChunkWriter(tmp_path, chunk) as writer:
            for index in range(chunk.start, chunk.stop):
                alpha = np.full((H, W, 1), 0.5 + 0.2 * (-1) ** (chunk.index + index), np.float32)
                writer.append({**split(frame), "alpha": alpha})
            records.append(writer.finish(steps=1, seconds=0.1, loss=0.1))
    stream = (
        SimpleNamespace(index=index, pts_seconds=Fraction(index), duration_seconds=Fraction(1), rgb=frame)
        for index in range(30)
    )
    seen = Steadiness("alpha")
    merged = merge_chunks(
        stream, records, SEGMENT, tmp_path, recomposition=Recomposition(), warn=print, steadiness=seen
    )
    alphas = [each.layers["alpha"] for each in merged]
    assert seen.pairs == 29
    assert seen.flicker == pytest.approx(np.mean([np.abs(b - a).mean() for a, b in pairwise(alphas)]), abs=1e-5)


def test_memory_does_not_grow_with_length():
    def held(count):
        tracemalloc.start()
        flicker((panned(index % 20) for index in range(count)), (flat(0.5) for _ in range(count)), shots=[0] * count)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    held(3)
    assert held(40) < 1.2 * held(8)


def test_the_report_has_it_for_tasks_that_name_a_layer(clip_path, tmp_path):
    told = {}
    for name, task in (("plain", SEGMENT), ("steady", replace(SEGMENT, steady="alpha"))):
        (result,) = decompose(
            [clip_path("mover")],
            task=task,
            out=tmp_path / name,
            settings=SETTINGS,
            frames=(0, 6),
            execute=fake_execute,
        )
        told[name] = result.report["quality"]
    assert set(told["steady"]) - set(told["plain"]) == {"alpha_flicker"}
    assert 0 < told["steady"]["alpha_flicker"] < 0.05


def test_images_that_are_taken_together_do_not_flicker(tmp_path):
    images = [tmp_path / f"{index}.png" for index in range(3)]
    for index, path in enumerate(images):
        assert cv2.imwrite(str(path), panned(index))
    task, told = replace(SEGMENT, steady="alpha"), replace(SETTINGS, together=True)
    (result,) = decompose(images, task=task, out=tmp_path / "out", settings=told, together=True, execute=fake_execute)
    assert "alpha_flicker" not in result.report["quality"]


def test_what_a_task_calls_steady_is_one_of_its_layers():
    assert TASKS["segment"].steady == "alpha"
    for task in TASKS.values():
        assert task.steady in {None, *(layer.name for layer in task.layers if layer.spatial)}
