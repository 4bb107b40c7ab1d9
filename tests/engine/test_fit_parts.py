from __future__ import annotations

import time
import weakref
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.errors import DecompositionError
from ddvideo.fit.batch import Sampler
from ddvideo.fit.clock import Clock
from ddvideo.fit.keys import key_frames
from ddvideo.fit.reading import gather, working_frame, working_size
from ddvideo.fit.shared import camera_motion
from ddvideo.fit.stopping import Settling
from ddvideo.media.frame import Frame
from ddvideo.tasks.task import Phase
from ddvideo.tasks.window import Seeds, Window
from ddvideo.types import Shot


@given(start=st.integers(0, 999), count=st.integers(1, 400), most=st.integers(2, 80))
def test_key_frames(start, count, most):
    shot = Shot(start, start + count)
    keys = key_frames(shot, most)
    assert list(keys) == sorted(set(keys))
    assert shot.start <= keys[0] <= keys[-1] < shot.stop
    assert len(keys) <= most
    if count <= most:
        assert keys == tuple(range(shot.start, shot.stop))
        return
    assert all(key - 1 in keys or key + 1 in keys for key in keys)
    if most >= 4:
        assert (keys[0], keys[-1]) == (shot.start, shot.stop - 1)
        assert np.diff(keys).max() <= np.ceil((count - 2) / (most // 2 - 1))  # no stretch is left out


@given(width=st.integers(16, 5000), height=st.integers(16, 5000), longer_px=st.integers(64, 2000))
def test_working_size(width, height, longer_px):
    small = working_size(width, height, longer_px)
    scale = min(1, longer_px / max(width, height))
    assert max(small) == min(longer_px, max(width, height))
    for side, whole in zip(small, (width, height), strict=True):
        assert 16 <= side <= whole
        assert abs(side - whole * scale) <= 0.5 or side == 16


def test_working_frames_are_small_means_in_8_bits():
    rgb = np.random.default_rng(0).integers(0, 65536, (60, 80, 3)).astype(np.uint16)
    small = working_frame(rgb, 40)
    assert (small.shape, small.dtype) == ((30, 40, 3), np.uint8)
    means = rgb.reshape(30, 2, 40, 2, 3).mean((1, 3)) / 257
    assert np.abs(small - means).max() < 0.51
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    np.testing.assert_array_equal(working_frame(levels, 432), levels)
    np.testing.assert_array_equal(working_frame(levels.astype(np.uint16) * 257, 432), levels)
    assert working_frame(np.full((16, 16, 3), 65535, np.uint16), 432).min() == 255


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


def gathered(span, wanted, observe, known=None, on_frame=lambda index, frame: None, threads=2, source=None):
    return gather(
        source or Numbered(),
        span,
        wanted,
        known=known or {},
        observe=observe,
        offsets=(-3, -1, 1, 2),
        longer_px=64,
        threads=threads,
        on_frame=on_frame,
        clock=Clock(),
    )


@pytest.mark.parametrize("span", [(10, 30), (10, 12), (10, 11)])
@pytest.mark.parametrize("every", [1, 4])
def test_gathering_shows_every_wanted_frame_its_neighbours_once(span, every):
    seen, told = [], []
    wanted = set(range(*span, every))

    def observe(around):
        seen.append(around.index)
        return {"shown": {offset: int(frame[0, 0, 0]) for offset, frame in around.frames.items()}}

    result = gathered(span, wanted, observe, known={14: {"shown": "before"}}, on_frame=lambda n, f: told.append(n))
    assert told == list(range(*span))
    assert sorted(seen) == sorted(wanted - {14})
    assert result.frames.keys() == result.observations.keys() == wanted
    for index in wanted - {14}:
        near = {o: index + o for o in (-3, -1, 0, 1, 2) if span[0] <= index + o < span[1]}
        assert result.observations[index]["shown"] == near
        assert result.frames[index][0, 0, 0] == index
    if 14 in wanted:
        assert result.observations[14] == {"shown": "before"}


def test_gathering_holds_few_frames_and_stops_at_an_error():
    source, held, seen = Numbered(), [], []

    def observe(around):
        seen.append(around.index)
        time.sleep(0.003)
        return {}

    def note(index, frame):
        held.append(source.held() - len(range(0, index, 5)))

    gathered((0, 250), range(0, 250, 5), observe, on_frame=note, threads=1, source=source)
    assert max(held) <= 7 + 4 * 5  # twice the reach, and the neighbours of those that wait or are looked at

    def fail(around):
        seen.append(around.index)
        raise DecompositionError(f"frame {around.index} is broken")

    seen.clear()
    with pytest.raises(DecompositionError, match="frame 0 is broken"):
        gathered((0, 250), range(250), fail, threads=1)
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
    for loss in (9, 1, 2, 6):
        settling.step(loss)
    assert settling.loss == 3


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
    )
    red = np.stack([frame[..., 0] for frame in window.frames]).astype(np.float32) / 255
    return window, Seeds(targets={"red": red})


def sampler(**options):
    window, seeds = pan_window()
    phase = Phase(name="p", terms=(), layers=(), **{"steps": 1, "size_px": 60, "pairs": 5, "points": 400} | options)
    return Sampler(window, seeds, phase, "cpu", torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size_px", "points"), [(60, 400), (30, 400), (30, 0)])
def test_the_points_of_a_pair_are_one_scene_point(size_px, points):
    draws = sampler(size_px=size_px, points=points)
    batch = draws.draw()
    height, width = (1, points) if points else (size_px * 2 // 3, size_px)
    assert batch.frame.shape == (10, 3, height, width)
    assert batch.xy.shape == (10, height, width, 2)
    assert batch.targets["red"].shape == (10, 1, height, width)
    assert batch.confidence.shape == (5, 1, height, width)
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
    expected = (here[..., 0] + 1) / 2 * has_next[:, None, None]
    torch.testing.assert_close(batch.confidence[:, 0], expected, atol=0.02, rtol=0)
    assert torch.equal(here[~has_next], there[~has_next])


@pytest.mark.parametrize("pairs", [2, 5, 7])
def test_every_frame_comes_up_before_any_does_again(pairs):
    draws = sampler(pairs=pairs, points=3)
    order = torch.cat([draws.draw().position[:pairs] for _ in range(10)]).tolist()
    assert all(sorted(order[n : n + 5]) == [0, 1, 2, 3, 4] for n in range(0, 5 * (len(order) // 5), 5))
    assert len({tuple(order[n : n + 5]) for n in range(0, 20, 5)}) > 1


def straight_path(per_frame, count=41):
    path = np.eye(3, dtype=np.float32)[None].repeat(count, 0)
    path[:, 0, 2] = per_frame * (np.arange(count) - count // 2)
    return path


def test_windows_of_a_shot_share_a_canvas_unless_it_were_too_large():
    near = straight_path(0.1)
    motions = [camera_motion(near, rows) for rows in (np.arange(8), np.arange(30, 41), np.array([0, 20, 40]))]
    for motion, rows in zip(motions, (slice(0, 8), slice(30, 41), slice(0, 41, 20)), strict=True):
        np.testing.assert_allclose(motion.bounds, [-3, -1, 3, 1], atol=1e-5)
        np.testing.assert_array_equal(motion.matrices, near[rows])
    far = camera_motion(straight_path(1.0), np.arange(30, 38))
    np.testing.assert_allclose(far.matrices[:, 0, 2], np.arange(-4, 4), atol=1e-5)
    np.testing.assert_allclose(far.matrices[4], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(far.bounds, [-5, -1, 4, 1], atol=1e-5)
    spread = camera_motion(straight_path(1.0), np.array([0, 20, 40]))
    np.testing.assert_allclose(spread.bounds, [-12, -1, 12, 1], atol=1e-5)
    broken = straight_path(0.1)
    broken[3] = np.nan
    assert np.isfinite(camera_motion(broken, np.arange(8)).bounds).all()
    assert np.isfinite(camera_motion(broken, np.arange(8, 16)).bounds).all()
