from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import robustness
from benchmarks.robust_scenes import SCENES, make_scene, mask_of
from benchmarks.robustness import main, silent_failure
from ddvideo.media import open_sink, open_source
from ddvideo.pipeline import decompose
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

TINY = {"frames": 10, "width": 160, "height": 96}


@pytest.fixture(scope="module")
def still():
    """The scene of a camera that does not move, without shadows: layers of all frames."""
    scene = make_scene("static-camera", **TINY)
    return scene, [scene.layers(index) for index in range(scene.frames)]


def test_what_moves_before_a_still_camera_is_masked(still):
    scene, layers = still
    frames = [scene.compose(each) for each in layers]
    for before, after, first, second in zip(frames, frames[1:], layers, layers[1:], strict=False):
        changed = np.abs(after - before).max(axis=2) > 0.02
        touched = (first["alpha"][..., 0] > 0) | (second["alpha"][..., 0] > 0)
        assert changed.sum() > 50
        assert not (changed & ~touched).any()
        union = mask_of(first) | mask_of(second)
        assert changed[union].mean() > 0.4
        assert 0.02 < mask_of(first).mean() < 0.2


def test_a_mask_is_where_its_mover_is_drawn(still):
    scene, layers = still
    x, y = scene.camera.world(4)
    (mover,) = scene.movers
    _, alpha = mover.draw(x, y, 4)
    drawn = cv2.resize(alpha, (scene.width, scene.height), interpolation=cv2.INTER_AREA) > 0.5
    assert np.array_equal(drawn, mask_of(layers[4]))


def test_trees_hide_the_mover_from_its_mask():
    scene = make_scene("behind-trees", **TINY)
    times = (0, 3, 6)
    masks = [mask_of(scene.layers(index)) for index in times]
    fronts = [cv2.resize(scene.front(index)[..., 3], (160, 96), interpolation=cv2.INTER_AREA) for index in times]
    scene.front = None
    bare = [mask_of(scene.layers(index)) for index in times]
    for mask, front, whole in zip(masks, fronts, bare, strict=True):
        assert mask.any()
        assert not mask[front > 0.6].any()
        assert np.array_equal(mask[front == 0], whole[front == 0])
    assert max((whole & ~mask).mean() for mask, whole in zip(masks, bare, strict=True)) > 0.005


@pytest.mark.parametrize(
    ("share", "warnings", "is_wrong"),
    [(0.019, [], True), (0.021, [], False), (89.9, [], False), (90.1, [], True), (0, ["a guess"], False)],
)
def test_empty_and_full_mattes_need_a_warning(share, warnings, is_wrong):
    assert bool(silent_failure({"share_percent": share, "warnings": warnings})) is is_wrong


def runner(matte):
    """The engine of the tests, with a matte that is the same in all frames."""

    def run(inputs, out, options):
        (result,) = decompose(inputs, task=replace(SEGMENT), out=out, settings=SETTINGS, execute=fake_execute)
        with (
            open_source(inputs[0]) as source,
            open_sink(result.folder / "alpha.mp4", like=source.info, kind="alpha") as sink,
        ):
            for frame in source.frames():
                values = np.full(frame.rgb.shape[:2], 255 * matte, np.uint8)
                sink.write(values, frame.pts_seconds, frame.duration_seconds)
        return [result.folder]

    return run


@pytest.mark.parametrize("matte", [0, 1])
def test_a_silent_failure_is_told_and_gives_exit_code_1(matte, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(robustness, "ROOT", tmp_path)
    line = ["--scenes", "static-camera", "--frames", "4", "--width", "96", "--height", "64", "--out", str(tmp_path)]
    assert main(line, runner(matte)) == 1
    kept = json.loads((tmp_path / "robustness-balanced.json").read_text())
    assert list(kept["targets"]["robustness"]["silent_failures"]) == ["static-camera"]
    (row,) = kept["sections"]["robustness"]["rows"]
    assert row["variants"]["full"]["share_percent"] == 100 * matte
    assert 0 < row["variants"]["full"]["j"] < 0.3 if matte else row["variants"]["full"]["j"] == 0
    assert "SILENT FAILURE static-camera" in capsys.readouterr().out
    assert (tmp_path / "sheets" / "robustness.png").is_file()
    assert not (tmp_path / "benchmarks").exists()


def test_there_is_a_scene_for_every_hardship():
    assert len(SCENES) == 13
