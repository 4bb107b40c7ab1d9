from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import hints
from benchmarks.davis import read_mask
from benchmarks.hints import main
from ddvideo.hint_options import HINTS
from ddvideo.media import open_sink, open_source
from ddvideo.pipeline import decompose
from tests.benchmark_checks import assert_one_line
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

FRAMES = 4
TASK = replace(SEGMENT, options={"steps": 1, **HINTS})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A bright square on a dark ground, which goes to the right."""
    root = tmp_path_factory.mktemp("data")
    frames, masks = (root / "davis" / kind / "carp" for kind in ("frames", "masks"))
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(FRAMES):
        mask = np.zeros((48, 64), np.uint8)
        mask[10:30, 5 + 3 * index : 25 + 3 * index] = 255
        assert cv2.imwrite(str(masks / f"{index:05d}.png"), mask)
        assert cv2.imwrite(str(frames / f"{index:05d}.jpg"), mask // 2 + 60)
    return root


def run(inputs, out, options):
    """The engine of the tests, whose matte is nothing without a hint, and the true one with a mask."""
    told = dict(options.overrides)
    (result,) = decompose(inputs, task=TASK, out=out, settings=replace(SETTINGS, options=told), execute=fake_execute)
    alpha = result.folder / "alpha.mp4"
    (clip,) = inputs
    with open_source(clip) as source, open_sink(alpha, like=source.info, kind="alpha") as sink:
        for frame in source.frames():
            shown = (frame.rgb[..., 0] > 120) * np.uint8(255 if "fg_hint" in told else 0)
            sink.write(shown, frame.pts_seconds, frame.duration_seconds)
    return [result.folder]


def test_every_kind_of_hint_is_measured_and_judged(data, tmp_path, capsys):
    results = tmp_path / "hints.json"
    assert main(["--data", str(data), "--out", str(tmp_path), "--json", str(results)], run) == 0
    kept = json.loads(results.read_text())
    rows = kept["sections"]["davis"]["rows"]
    assert [row["input"] for row in rows] == ["carp"]
    for row in rows:
        assert list(row["variants"]) == ["none", "mask", "box"]
        assert row["variants"]["mask"]["j"] > 0.9
        assert row["variants"]["none"]["j"] == row["variants"]["box"]["j"] == 0
    options = {name: told["recipe"]["options"] for name, told in kept["settings"].items()}
    assert not options["none"]
    assert np.array_equal(read_mask(tmp_path / "hints" / "carp.png"), read_mask(data / "davis/masks/carp/00000.png"))
    assert options["mask"]["fg_hint"]["path"].endswith("carp.png")
    assert options["box"]["box"] == [5, 10, 20, 20]
    mask, box = kept["targets"]["davis"]
    assert (mask["met"], mask["mean"] > 0.9, box["met"], box["mean"]) == (True, True, True, 0)
    assert "J gained by the mask" in capsys.readouterr().out


def test_a_part_does_not_take_the_place_of_the_whole(data, tmp_path, monkeypatch):
    monkeypatch.setattr(hints, "ROOT", tmp_path)
    line = ["--data", str(data), "--out", str(tmp_path / "out"), "--preset", "fast", "--variants", "none"]
    assert main([*line, "--clips", "carp"], run) == 0
    assert (tmp_path / "out" / "hints-fast.json").is_file()
    assert not (tmp_path / "benchmarks").exists()


def test_without_data_one_line_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path)], run) == 2
    assert_one_line(capsys.readouterr(), "no sequences")
