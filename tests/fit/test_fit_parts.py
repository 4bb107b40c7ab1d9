from __future__ import annotations

import hashlib
import time
import weakref
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.errors import DecompositionError
from ddvideo.fit.batch import Sampler
from ddvideo.fit.clock import Clock
from ddvideo.fit.key_frames import key_frames
from ddvideo.fit.pair_sampler import PairSampler
from ddvideo.fit.reading import gather
from ddvideo.fit.shot_prior import ShotPrior, camera_motion, read_prior, write_prior
from ddvideo.fit.stopping import Settling
from ddvideo.media.frame import Frame
from ddvideo.store import save_record
from ddvideo.tasks.contract import FramePair, Phase, Seeds, Window
from ddvideo.types import PriorRecord, Shot


@given(start=st.integers(0, 999), count=st.integers(1, 400), most=st.integers(2, 80), run=st.integers(2, 30))
def test_key_frames_are_runs_of_neighbours_all_over_the_shot(start, count, most, run):
    shot = Shot(start, start + count)
    keys = key_frames(shot, most, run)
    assert list(keys) == sorted(set(keys))
    assert shot.start <= keys[0] <= keys[-1] < shot.stop
    assert len(keys) <= most
    if count <= most:
        assert keys == tuple(range(shot.start, shot.stop))
        return
    run, runs = min(run, most), max(most // run, 1)
    stretches = np.split(keys, np.flatnonzero(np.diff(keys) > 1) + 1)
    assert min(map(len, stretches)) >= run
    if runs >= 2:
        assert (keys[0], keys[-1]) == (shot.start, shot.stop - 1)
        assert np.diff(keys).max() <= np.ceil((count - run) / (runs - 1))  # no stretch is left out
    else:
        before, after = keys[0] - shot.start, shot.stop - 1 - keys[-1]
        assert abs(before - after) <= 1  # the middle


class Numbered:
    """A source whose frames show their number; it knows which of them somebody still holds."""

    def __init__(self):
        self.given = []

    def frames(self, start, stop):
        for index in range(start, stop):
            rgb = np.full((16, 16, 3), index, np.uint8)
            self.given.append(weakref.ref(rgb))
            yield Frame(index, Fraction(index), Fraction(1), rgb)
            del rgb

    def held(self):
        return sum(frame() is not None for frame in self.given)


gathered = partial(gather, offsets=(-3, -1, 1, 2), longer_px=64, clock=Clock(), on_frame=lambda index, frame: None)


@pytest.mark.parametrize("span", [(10, 30), (10, 12), (10, 11)])
@pytest.mark.parametrize("every", [1, 4])
def test_gathering_shows_every_wanted_frame_its_neighbours_once(span, every):
    seen, told, wanted = [], [], set(range(*span, every))

    def observe(around):
        seen.append(around.index)
        return {"shown": {offset: int(frame[0, 0, 0]) for offset, frame in around.frames.items()}}

    result = gathered(
        Numbered(), span, wanted, observe=observe, threads=2, on_frame=lambda index, frame: told.append(index)
    )
    assert told == list(range(*span))
    assert sorted(seen) == sorted(wanted)
    assert result.frames.keys() == result.observations.keys() == wanted
    for index in wanted:
        near = {o: index + o for o in (-3, -1, 0, 1, 2) if span[0] <= index + o < span[1]}
        assert result.observations[index]["shown"] == near
        assert result.frames[index][0, 0, 0] == index


def test_gathering_holds_few_frames_and_stops_at_an_error():
    source, held, seen = Numbered(), [], []

    def observe(around):
        seen.append(around.index)
        time.sleep(0.003)
        return {}

    def note(index, frame):
        held.append(source.held() - len(range(0, index, 5)))  # those that are wanted have to stay

    gathered(source, (0, 250), range(0, 250, 5), observe=observe, on_frame=note, threads=1)
    assert max(held) <= 7 + 4 * 5  # twice the reach, and the neighbours of those that wait or are looked at

    def fail(around):
        seen.append(around.index)
        raise DecompositionError(f"frame {around.index} is broken")

    seen.clear()
    with pytest.raises(DecompositionError, match="frame 0 is broken"):
        gathered(Numbered(), (0, 250), range(250), observe=fail, threads=1)
    assert len(seen) < 10


def settled_after(losses, layers):
    """The step at which a phase would end, None if it goes on."""
    settling = Settling()
    for step, (loss, values) in enumerate(zip(losses, layers, strict=True)):
        settling.step(loss)
        if settling.wants_sample(step):
            settling.sample(torch.as_tensor(values))
            if settling.is_settled():
                return step + 1
    return None


def test_a_phase_settles_when_neither_loss_nor_layers_move():
    rng = np.random.default_rng(0)
    steps = np.arange(400)
    flat = 0.5 + 0.02 * rng.normal(size=400)
    falling = 0.5 * np.exp(-steps / 300)  # by an eighth from window to window
    resting = 0.5 + 0.005 * rng.normal(size=(400, 50))
    drifting = resting + 0.002 * steps[:, None]  # by 0.02 from sample to sample
    assert 80 <= settled_after(flat, resting) <= 160
    assert settled_after(falling, resting) is None
    assert settled_after(flat, drifting) is None
    assert settled_after(np.concatenate([falling, flat]), np.concatenate([resting, resting])) > 400
    settling = Settling(window=3)
    assert np.isnan(settling.loss)
    assert [settling.step(loss) or settling.loss for loss in (9, 1, 2, 6)] == [9, 5, 4, 3]


PAN = (4, -2)
PAN_INDICES = (3, 4, 7, 8, 9)


def pan_window():
    """Crops of noise, panned by exactly so many pixels a frame; every frame is said to have a next one."""
    ground = np.random.default_rng(0).integers(0, 256, (80, 140, 3)).astype(np.uint8)
    frames = [ground[20 + 2 * n : 60 + 2 * n, 60 - 4 * n : 120 - 4 * n] for n in range(10)]
    flow = np.broadcast_to(np.float16(PAN), (40, 60, 2))
    confidence = np.linspace(0, 1, 60, dtype=np.float16)[None].repeat(40, 0)
    window = Window(
        shot=Shot(0, 20),
        indices=PAN_INDICES,
        frames=[np.ascontiguousarray(frames[n]) for n in PAN_INDICES],
        observations=[{"flow": flow, "confidence": confidence}] * len(PAN_INDICES),
        camera=camera_motion(np.eye(3, dtype=np.float32)[None].repeat(20, 0), np.array(PAN_INDICES)),
        full_size=(40, 60),
    )
    red = np.stack([frame[..., 0] for frame in window.frames]).astype(np.float32) / 255
    return window, Seeds(targets={"red": red}, state=None)


def sampler(**options):
    window, seeds = pan_window()
    phase = Phase(name="p", terms=(), layers=(), **{"steps": 1, "size_px": 60, "pairs": 5, "points": 400} | options)
    return Sampler(window, seeds, phase, "cpu", torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size_px", "points"), [(60, 400), (30, 400), (30, 0)])
def test_the_points_of_a_pair_are_one_scene_point(size_px, points):
    batch = sampler(size_px=size_px, points=points).draw()
    height, width = (1, points) if points else (size_px * 2 // 3, size_px)
    assert [batch.frame.shape, batch.xy.shape] == [(10, 3, height, width), (10, height, width, 2)]
    assert [batch.targets["red"].shape, batch.confidence.shape] == [(10, 1, height, width), (5, 1, height, width)]
    assert sorted(batch.position[:5].tolist()) == [0, 1, 2, 3, 4]
    has_next = torch.tensor([True, False, True, True, False])[batch.position[:5]]
    assert torch.equal(batch.position[5:], batch.position[:5] + has_next)
    here, there = batch.xy.split(5)
    shift = torch.tensor(PAN) / torch.tensor([30.0, 20.0])  # in half frames
    inside = ((here + shift).abs() < 1).all(-1) & has_next[:, None, None]
    assert 0.4 < inside.float().mean() < 0.6
    torch.testing.assert_close((there - here)[inside], shift.expand(int(inside.sum()), -1), atol=1e-5, rtol=0)
    frames = batch.frame.permute(0, 2, 3, 1)
    assert torch.equal(frames[:5][inside], frames[5:][inside])
    assert frames[:5][inside].std() > 0.1
    torch.testing.assert_close(batch.targets["red"][:, 0], frames[..., 0], atol=1 / 255, rtol=0)
    confidence = batch.confidence[:, 0]
    torch.testing.assert_close(confidence[inside], (here[..., 0][inside] + 1) / 2, atol=0.02, rtol=0)
    assert not confidence[~has_next].any()
    assert torch.equal(here[~has_next], there[~has_next])


def test_a_flow_without_a_confidence_is_believed():
    window, seeds = pan_window()
    window = replace(window, observations=[{"flow": seen["flow"]} for seen in window.observations])
    phase = Phase(name="p", terms=(), layers=(), steps=1, size_px=60, pairs=5, points=400)
    batch = Sampler(window, seeds, phase, "cpu", torch.Generator().manual_seed(0)).draw()
    has_next = torch.tensor([True, False, True, True, False])[batch.position[:5]]
    believed = batch.confidence[:, 0][has_next]
    assert set(believed.unique().tolist()) == {0.0, 1.0}  # 0: the flow leads out of the frame
    assert 0.5 < believed.mean() < 1
    assert not batch.confidence[:, 0][~has_next].any()


@pytest.mark.parametrize("pairs", [2, 5, 7])
def test_every_frame_comes_up_before_any_does_again(pairs):
    draws = sampler(pairs=pairs, points=3)
    order = torch.cat([draws.draw().position[:pairs] for _ in range(10)]).tolist()
    assert all(sorted(order[n : n + 5]) == [0, 1, 2, 3, 4] for n in range(0, 5 * (len(order) // 5), 5))
    assert len({tuple(order[n : n + 5]) for n in range(0, 20, 5)}) > 1


def linked(flow, size=(40, 60), **options):
    window, _ = pan_window()
    weight = np.linspace(0, 1, size[1], dtype=np.float32)[None].repeat(size[0], 0)
    links = [
        FramePair(first=a, second=b, flow=np.full((*size, 2), flow(a, b), np.float32), weight=weight)
        for a, b in ((0, 1), (4, 2), (2, 3))
    ]
    phase = Phase(name="p", terms=(), layers=(), **{"steps": 1, "size_px": 60, "pairs": 30, "points": 50} | options)
    return PairSampler(window, links, phase, "cpu", torch.Generator().manual_seed(0))


def pan_between(a, b):
    return np.float32(PAN) * (PAN_INDICES[b] - PAN_INDICES[a])


def test_linked_points_are_one_scene_point_in_frames_near_and_far():
    batch = linked(pan_between).draw()
    first, second = batch.position.split(30)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == {(0, 1), (4, 2), (2, 3)}
    assert [batch.frame.shape, batch.xy.shape] == [(60, 3, 1, 50), (60, 1, 50, 2)]
    here, there = batch.xy.split(30)
    inside = (there.abs() < 0.9).all(-1)
    assert 0.5 < inside.float().mean() < 0.9
    seen, found = (frame.permute(0, 2, 3, 1)[inside] for frame in batch.frame.split(30))
    torch.testing.assert_close(seen, found, atol=2e-3, rtol=0)
    assert seen.std() > 0.1
    torch.testing.assert_close(batch.confidence[:, 0], (here[..., 0] + 1) / 2, atol=0.02, rtol=0)


def test_linked_points_lie_between_pixels_and_at_the_size_of_the_links():
    half = linked(lambda a, b: np.float32(PAN) * (PAN_INDICES[b] - PAN_INDICES[a]) / 2 + 0.25, size=(20, 30)).draw()
    here, there = half.xy.split(30)
    pixels = (there - here) * torch.tensor([15.0, 10.0])
    torch.testing.assert_close(pixels - pixels.floor(), torch.full_like(pixels, 0.25), atol=1e-2, rtol=0)
    assert linked(pan_between, points=0).draw().frame.shape == (60, 3, 1, 2400)


def recorded(folder, name, sha256):
    save_record(folder, PriorRecord(shot_index=2, file=name, sha256=sha256, steps=1, seconds=1.0))


def written_prior(folder):
    """What a shot's chunks share, as its prior leaves it."""
    rng = np.random.default_rng(0)
    shared = ShotPrior(
        camera=rng.random((8, 3, 3)).astype(np.float32),
        memory={"by_appearance": np.array(True), "anchors": rng.random((5, 2)).astype(np.float32)[:, ::-1]},
        weights={"decoder.bias": torch.rand(4), "grid": torch.rand(1, 4, 3, 5)},
        maps={"alpha": rng.random((8, 4, 6)).astype(np.float32)},
        drawn={"background": rng.integers(0, 256, (8, 4, 6, 3)).astype(np.uint8)},
        loss=0.125,
    )
    name, sha256 = write_prior(folder, 2, shared)
    recorded(folder, name, sha256)
    return shared, folder / name


def test_a_prior_is_read_back_for_the_asked_rows(tmp_path):
    shared, _ = written_prior(tmp_path)
    read = read_prior(tmp_path, 2, range(2, 5))
    np.testing.assert_array_equal(read.camera, shared.camera)
    np.testing.assert_allclose(read.maps["alpha"], shared.maps["alpha"][2:5], atol=1e-3)
    np.testing.assert_array_equal(read.drawn["background"], shared.drawn["background"][2:5])
    assert read.maps["alpha"].dtype == np.float16
    np.testing.assert_array_equal(read.memory["anchors"], shared.memory["anchors"])
    np.testing.assert_array_equal(read.memory["by_appearance"], np.array(True), strict=True)
    assert read.weights.keys() == shared.weights.keys()
    assert all(torch.equal(values, shared.weights[name]) for name, values in read.weights.items())
    assert read.loss == read.window_fit().loss == 0.125
    assert read.window_fit().conclusion.maps is read.maps


@pytest.mark.parametrize("harm", ["cut", "altered", "gone", "no record", "another shot", "recorded"])
def test_a_prior_that_is_damaged_is_refused(tmp_path, harm):
    _, path = written_prior(tmp_path)
    data = path.read_bytes()
    altered = {"cut": data[:-1], "altered": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]}
    path.write_bytes(altered.get(harm, data))
    if harm == "no record":
        (tmp_path / "prior-0002.json").unlink()
    elif harm == "gone":
        path.unlink()
    elif harm == "recorded":
        path.write_bytes(b"rubbish")
        recorded(tmp_path, path.name, hashlib.sha256(b"rubbish").hexdigest())
    with pytest.raises(DecompositionError, match="prior"):
        read_prior(tmp_path, 1 if harm == "another shot" else 2, range(2))
