from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ddvideo.errors import InputError
from ddvideo.media import open_source
from ddvideo.shots import detect_shots
from ddvideo.types import Shot


class Memory:
    """A source whose frames are made on the spot."""

    def __init__(self, count, cuts, kind="video", dtype=np.uint8, flash=None, decodable=None):
        self.info = SimpleNamespace(kind=kind, path="memory", frames=count)
        self.cuts, self.dtype, self.flash = cuts, dtype, flash
        self.decodable = count if decodable is None else decodable

    def frames(self, start, stop):
        y, x = np.mgrid[0:90, 0:400].astype(np.float32)
        for index in range(start, min(stop, self.decodable)):
            scene = sum(index >= cut for cut in self.cuts)
            rng = np.random.default_rng(scene)
            waves = [np.sin((x + 4 * index) / w + y / v) for w, v in rng.uniform(15, 60, (3, 2))]
            picture = 0.5 + np.stack(waves, axis=2) * rng.uniform(0.1, 0.5, 3)
            if self.flash == index:
                picture = picture * 0.2
            top = np.iinfo(self.dtype).max
            yield SimpleNamespace(index=index, rgb=np.rint(np.clip(picture, 0, 1) * top).astype(self.dtype))


def shots(source, start=0, stop=None):
    return detect_shots(source, start, stop or source.info.frames, lambda event: None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_known_cuts_are_found_and_fast_motion_is_none(dtype):
    assert shots(Memory(100, [30, 62], dtype=dtype)) == [Shot(0, 30), Shot(30, 62), Shot(62, 100)]
    assert shots(Memory(60, [])) == [Shot(0, 60)]


def test_a_part_of_the_input_keeps_absolute_frames():
    assert shots(Memory(100, [30, 62]), 40, 90) == [Shot(40, 62), Shot(62, 90)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_short_inputs_are_one_shot(count):
    assert shots(Memory(count, [])) == [Shot(0, count)]


def test_an_image_is_one_shot():
    assert shots(Memory(1, [], kind="image", decodable=0)) == [Shot(0, 1)]


def test_nothing_to_decode_is_an_input_error():
    with pytest.raises(InputError, match="no frame"):
        shots(Memory(20, [], decodable=0))


def test_the_cut_of_the_sample_clip(clip_path, scene):
    cut = scene("mixed").cut
    with open_source(clip_path("mixed")) as source:
        assert shots(source) == [Shot(0, cut), Shot(cut, source.info.frames)]


def test_progress_is_told():
    events = []
    detect_shots(Memory(70, []), 0, 70, events.append)
    assert [event.done for event in events] == [32, 64]
    assert {(event.stage, event.total) for event in events} == {("plan", 70)}


@pytest.mark.data
def test_the_cuts_of_a_real_clip():
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "videos" / "scene_cuts.mp4"
    if not path.exists():
        pytest.skip("the evaluation data is not here")
    with open_source(path) as source:
        assert [shot.start for shot in shots(source)] == [0, 30, 76, 137, 187, 242]
