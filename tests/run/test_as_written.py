"""The quality that a user gets: the layers that were written, decoded again and put together."""

from __future__ import annotations

import json
import weakref
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from ddvideo.media import png_sink, probe, video_sink
from ddvideo.merge import MergedFrame
from ddvideo.pipeline import decompose
from ddvideo.pipeline.as_written import SAMPLE_FRAMES, AsWritten
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, split, write_clip


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "waves.mp4", frames=14, cut=7)


def run(source, out, **more):
    (result,) = decompose(source, task=SEGMENT, out=out, settings=SETTINGS, execute=fake_execute, **more)
    report = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))
    told = [warning for warning in report["warnings"] if "as they were written" in warning]
    return report["quality"], told


def write_pictures(folder, count, dtype=np.uint8):
    folder.mkdir()
    y, x = np.mgrid[:40, :64]
    for index in range(count):
        wave = np.stack([np.sin((x + 3 * index) / 9 + tint) * np.cos(y / 11) for tint in range(3)], -1)
        picture = np.rint((0.5 + 0.4 * wave) * np.iinfo(dtype).max).astype(dtype)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder


SABOTAGE = {
    "shifted": lambda frame: np.roll(frame, 2, axis=1),
    "darkened": lambda frame: (frame * 0.93).astype(frame.dtype),
    "one channel": lambda frame: np.concatenate([frame[..., :1] * 0, frame[..., 1:]], axis=2),
    "black": np.zeros_like,
}


def sabotage(monkeypatch, sink, how):
    original = sink.write

    def write(self, frame, *times):
        original(self, SABOTAGE[how](frame) if frame.shape[-1] > 1 else frame, *times)

    monkeypatch.setattr(sink, "write", write)


@pytest.mark.parametrize("more", [{}, {"format": "png"}, {"frames": (3, 12)}], ids=["mp4", "png", "part"])
def test_a_good_run_is_above_its_bar_and_says_nothing(more, waves, tmp_path):
    quality, told = run(waves, tmp_path / "out", **more)
    assert quality["written_psnr_db"] > 40
    assert told == []


@pytest.mark.parametrize("how", SABOTAGE)
def test_a_writer_that_spoils_layers_is_found_out(how, waves, tmp_path, monkeypatch):
    sabotage(monkeypatch, video_sink.VideoSink, how)
    quality, told = run(waves, tmp_path / "out")
    assert quality["written_psnr_db"] < 38
    assert quality["recomposition_psnr_db"] > 45, "what was fitted is good: only the written files are not"
    assert len(told) == 1
    assert f"{quality['written_psnr_db']:.1f} dB" in told[0]


@pytest.mark.parametrize("how", ["shifted", "darkened"])
@pytest.mark.parametrize("source", ["video", "frames", "still"])
def test_pictures_are_looked_at_too(how, source, waves, tmp_path, monkeypatch):
    path = waves
    if source != "video":
        path = write_pictures(tmp_path / "in", 6)
        path = path / "000.png" if source == "still" else path
    quality, told = run(path, tmp_path / "good", format="png")
    assert quality["written_psnr_db"] > 40
    assert told == []
    sabotage(monkeypatch, png_sink.PngSink, how)
    quality, told = run(path, tmp_path / "bad", format="png")
    assert quality["written_psnr_db"] < 38
    assert len(told) == 1


def test_a_still_of_16_bits_is_compared_in_its_depth(tmp_path):
    quality, told = run(write_pictures(tmp_path / "in", 1, np.uint16) / "000.png", tmp_path / "out")
    assert quality["written_psnr_db"] == pytest.approx(quality["recomposition_psnr_db"], abs=0.1)
    assert quality["written_psnr_db"] > 55
    assert told == []


def offer(plan, count, made):
    measured = AsWritten(plan, SEGMENT)
    for index in range(plan.start, plan.start + count):
        rgb = np.full((4, 6, 3), index % 256, np.uint8)
        made.append(weakref.ref(rgb))
        times = {"pts_seconds": Fraction(index), "duration_seconds": Fraction(1)}
        measured.offer(MergedFrame(index=index, rgb=rgb, layers=split(rgb), **times))
    return measured


@pytest.mark.parametrize(("start", "count"), [(0, 300), (17, 300), (0, 6), (5, 5), (0, 4), (3, 1)])
def test_only_a_few_frames_are_held(start, count, waves):
    plan = SimpleNamespace(start=start, frames=count, info=probe(waves))
    made = []
    measured = offer(plan, count, made)
    held = [start + place for place, ref in enumerate(made) if ref() is not None]
    assert len(held) == min(SAMPLE_FRAMES, count)
    assert {held[0], held[-1]} == {start, start + count - 1}, "the first and the last one are among them"
    assert max(np.diff(held), default=0) <= count / (SAMPLE_FRAMES - 1) + 1
    del measured
