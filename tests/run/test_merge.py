from __future__ import annotations

import tracemalloc
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddvideo.chunks import plan_chunks
from ddvideo.errors import InputError
from ddvideo.merge import Recomposition, merge_chunks
from ddvideo.merge.levels import fit_levels
from ddvideo.merge.symmetry import IDENTITY, best_exchange, exchanges
from ddvideo.store import ChunkWriter
from ddvideo.types import Shot
from tests.run.run_fakes import SEGMENT, SEPARATE, FakeTask, Layer

H, W = 24, 32
FORTY = (Shot(0, 40),)


def truth(index):
    """Layers that move: what every chunk should tell of a frame."""
    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    alpha = ((np.hypot(y - 12, x - 6 - index * 0.3) < 7) * 1.0).astype(np.float32)[..., None]
    foreground = np.stack([x / W, y / H, 0.5 + 0 * x], axis=2) * 0.5 + 0.4
    background = np.stack([0.5 + 0.3 * np.sin((x + index) / 3), 0.4 + 0.2 * np.cos(y / 2), 0.2 + 0 * x], axis=2)
    return {"foreground": foreground, "background": background.astype(np.float32), "alpha": alpha}


def frames(task, layers_of, start, stop):
    for index in range(start, stop):
        rgb = np.rint(np.clip(task.forward(layers_of(index)), 0, 1) * 255).astype(np.uint8)
        yield SimpleNamespace(index=index, pts_seconds=Fraction(index, 25), duration_seconds=Fraction(1, 25), rgb=rgb)


def write(folder, chunks, layers_of, change=lambda chunk, layers: layers):
    records = []
    for chunk in chunks:
        with ChunkWriter(folder, chunk) as writer:
            for index in range(chunk.start, chunk.stop):
                writer.append(change(chunk.index, layers_of(index)))
            records.append(writer.finish(steps=1, seconds=0.1, loss=0.1))
    return records


def merge(folder, task=SEGMENT, layers_of=truth, change=lambda chunk, layers: layers, shots=FORTY):
    chunks = plan_chunks(shots, chunk_frames=16, overlap_frames=4)
    records = write(folder, chunks, layers_of, change)
    seen, warnings = Recomposition(), []
    merged = list(
        merge_chunks(
            frames(task, layers_of, shots[0].start, shots[-1].stop),
            records,
            task,
            folder,
            recomposition=seen,
            warn=warnings.append,
        )
    )
    return merged, seen, warnings


def worst(merged, layers_of=truth):
    return max(
        float(np.abs(values - layers_of(frame.index)[name]).max())
        for frame in merged
        for name, values in frame.layers.items()
    )


def test_what_was_stored_comes_out_in_order(tmp_path):
    merged, seen, warnings = merge(tmp_path, shots=(Shot(5, 30), Shot(30, 60)))
    assert [frame.index for frame in merged] == list(range(5, 60))
    assert [frame.pts_seconds for frame in merged] == [Fraction(n, 25) for n in range(5, 60)]
    assert worst(merged) <= 1.01 / 255
    assert warnings == []
    assert seen.frames == 55
    assert seen.psnr_db > 48


def test_an_exchanged_chunk_is_put_right(tmp_path):
    def exchange(chunk, layers):
        if chunk != 1:
            return layers
        return {"foreground": layers["background"], "background": layers["foreground"], "alpha": 1 - layers["alpha"]}

    merged, seen, warnings = merge(tmp_path, change=exchange)
    assert worst(merged) <= 1.01 / 255
    assert warnings == []
    assert seen.psnr_db > 48


def test_all_later_chunks_follow_the_first(tmp_path):
    def exchange(chunk, layers):
        if chunk == 0:
            return layers
        return {"foreground": layers["background"], "background": layers["foreground"], "alpha": 1 - layers["alpha"]}

    assert worst(merge(tmp_path, change=exchange)[0]) <= 1.01 / 255


def test_layers_of_a_sum_are_exchanged_too(tmp_path):
    def layers_of(index):
        layers = truth(index)
        return {"transmission": layers["background"] * 0.8, "reflection": layers["foreground"] * 0.2}

    def exchange(chunk, layers):
        return layers if chunk != 2 else {"transmission": layers["reflection"], "reflection": layers["transmission"]}

    merged, _, warnings = merge(tmp_path, SEPARATE, layers_of, exchange)
    assert worst(merged, layers_of) <= 1.01 / 255
    assert warnings == []


def test_an_exchange_that_the_model_would_notice_is_only_told(tmp_path):
    def invert(chunk, layers):
        return layers if chunk != 1 else layers | {"alpha": 1 - layers["alpha"]}

    merged, _, warnings = merge(tmp_path, change=invert)
    assert any("chunk 1" in text and "alpha inverted" in text for text in warnings)
    inside = [frame for frame in merged if 16 <= frame.index < 24]
    assert all(np.abs(frame.layers["alpha"] - truth(frame.index)["alpha"]).mean() > 0.9 for frame in inside)


def test_the_forward_model_decides_what_may_be_exchanged():
    free = {str(choice) for choice in exchanges(SEGMENT) if choice.is_free}
    assert free == {"foreground and background exchanged and alpha inverted"}
    assert {str(choice) for choice in exchanges(SEPARATE) if choice.is_free} == {
        "transmission and reflection exchanged"
    }
    haze = FakeTask(
        "dehaze",
        (Layer("radiance", 3), Layer("map", 1), Layer("airlight", 3, spatial=False)),
        "radiance",
        lambda layers: layers["map"] * layers["radiance"] + (1 - layers["map"]) * layers["airlight"],
    )
    assert not any(choice.is_free for choice in exchanges(haze))


def test_noise_exchanges_nothing():
    rng = np.random.default_rng(1)
    kept = [truth(3)]
    new = [{name: np.clip(v + rng.normal(0, 0.1, v.shape), 0, 1).astype(np.float32) for name, v in truth(3).items()}]
    assert best_exchange(kept, new, exchanges(SEGMENT)) == IDENTITY


def test_levels_are_aligned_and_fade_out(tmp_path):
    def darker(chunk, layers):
        return layers if chunk != 1 else layers | {"background": layers["background"] * 0.9 - 0.02}

    merged, seen, _ = merge(tmp_path, change=darker)
    first, second, _ = plan_chunks([Shot(0, 40)], chunk_frames=16, overlap_frames=4)

    def background(frame):
        return frame.layers["background"] * (1 - frame.layers["alpha"])

    def error(frame):
        wanted = truth(frame.index)
        return float(np.abs(background(frame) - wanted["background"] * (1 - wanted["alpha"])).mean())

    overlap = [error(frame) for frame in merged if second.start <= frame.index < first.stop]
    assert max(overlap) < 0.01, "on the overlap the levels are the neighbour's"
    assert seen.psnr_db > 45, "settled frames recompose"
    changes = [abs(error(b) - error(a)) for a, b in pairwise(merged)]
    assert max(changes) < 0.03, "no jump at any seam"


def test_one_dark_chunk_does_not_darken_the_rest(tmp_path):
    def darker(chunk, layers):
        return layers if chunk != 0 else layers | {"background": layers["background"] * 0.8}

    last = merge(tmp_path, change=darker)[0][-1]
    assert np.abs(last.layers["background"] - truth(last.index)["background"]).max() <= 1.01 / 255


def test_known_levels_are_found():
    rng = np.random.default_rng(0)
    new = [{"c": rng.random((40, 40, 3), np.float32) * 0.6 + 0.1, "m": rng.random((40, 40, 1), np.float32)}]
    kept = [{"c": new[0]["c"] * np.float32(1.1) + np.float32(0.05), "m": new[0]["m"] * np.float32(0.5)}]
    kept[0]["c"][:10, :5] = rng.random((10, 5, 3), np.float32)
    levels = fit_levels(kept, new, lambda layers: layers["c"])
    assert set(levels) == {"c"}
    assert np.abs(levels["c"].gain - 1.1).max() < 0.01
    assert np.abs(levels["c"].offset - 0.05).max() < 0.005
    assert fit_levels(new, new, lambda layers: layers["c"]) == {}


def test_what_is_hidden_does_not_count():
    def halved_where_hidden(index):
        layers = truth(index)
        shows = layers["alpha"] > 0
        return layers | {"foreground": np.where(shows, layers["foreground"], layers["foreground"] * np.float32(0.8))}

    kept, new = [truth(4), truth(5)], [halved_where_hidden(4), halved_where_hidden(5)]
    assert fit_levels(kept, new, SEGMENT.forward) == {}
    assert set(fit_levels(kept, new, lambda layers: layers["foreground"])) == {"foreground"}


def test_levels_of_unrelated_layers_are_left_alone():
    rng = np.random.default_rng(0)
    a, b = ([{"c": rng.random((40, 40, 3), np.float32)}] for _ in range(2))
    for levels in fit_levels(a, b, lambda layers: layers["c"]).values():
        assert (levels.gain >= 0.7).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(0, 5))
def test_equal_chunks_fade_into_themselves(tmp_path_factory, count, seed):
    rng = np.random.default_rng(seed)
    constant = {name: rng.random((6, 6, c), np.float32) for name, c in (("a", 3), ("b", 1))}
    task = FakeTask("t", (Layer("a", 3), Layer("b", 1)), "a", lambda layers: layers["a"] * layers["b"])
    merged, _, _ = merge(tmp_path_factory.mktemp("m"), task, lambda index: constant, shots=(Shot(0, count),))
    assert worst(merged, lambda index: constant) <= 0.51 / 255


def test_frames_that_end_early_are_an_input_error(tmp_path):
    chunks = plan_chunks([Shot(0, 20)], chunk_frames=16, overlap_frames=4)
    records = write(tmp_path, chunks, truth)
    stream = merge_chunks(
        frames(SEGMENT, truth, 0, 12), records, SEGMENT, tmp_path, recomposition=Recomposition(), warn=print
    )
    with pytest.raises(InputError, match="frame 12"):
        list(stream)


def test_memory_does_not_grow_with_length(tmp_path):
    def peak(count):
        folder = tmp_path / str(count)
        folder.mkdir()
        chunks = plan_chunks([Shot(0, count)], chunk_frames=16, overlap_frames=4)
        records = write(folder, chunks, truth)
        tracemalloc.start()
        for _ in merge_chunks(
            frames(SEGMENT, truth, 0, count), records, SEGMENT, folder, recomposition=Recomposition(), warn=print
        ):
            pass
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(160) < 1.1 * peak(40)


def test_recomposition_is_psnr():
    seen = Recomposition()
    seen.add(np.zeros((4, 4, 3), np.float32), np.full((4, 4, 3), 0.1, np.float32))
    assert seen.psnr_db == pytest.approx(20, abs=1e-3)
    seen.add(np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32))
    assert seen.psnr_db == pytest.approx(23.01, abs=1e-2)
    assert seen.worst_psnr_db == pytest.approx(20, abs=1e-3)
