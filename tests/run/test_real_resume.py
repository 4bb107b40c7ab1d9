"""The real engine, killed half-way: what is done is kept, and the layers are those of an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ddvideo.media import open_sink, read_layer
from ddvideo.types import InputInfo
from sample_clips.render import long_scene

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FRAMES, WIDTH, HEIGHT = 150, 128, 72
LAYERS = ("foreground", "background", "alpha")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    pond = long_scene(FRAMES, width=WIDTH, height=HEIGHT)
    info = InputInfo(
        path=path,
        kind="video",
        width=WIDTH,
        height=HEIGHT,
        frames=FRAMES,
        fps=Fraction(25),
        duration_seconds=FRAMES / 25,
        codec="h264",
        pix_fmt="yuv420p",
    )
    with open_sink(path, like=info) as sink:
        for index in range(FRAMES):
            sink.write(pond.frame(index), Fraction(index, 25), Fraction(1, 25))
    return path


def start(clip, out):
    command = [sys.executable, "-m", "ddvideo", "segment", str(clip), "-o", str(out), "--preset", "fast"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    _, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors


def layers_of(out, clip):
    return {name: np.stack(list(read_layer(out / clip.stem / f"{name}.mp4"))) for name in LAYERS}


@pytest.mark.timeout(600)
def test_a_killed_run_goes_on_to_the_same_layers_and_repeats_no_chunk(long_clip, tmp_path):
    finish(start(long_clip, tmp_path / "whole"))
    process = start(long_clip, tmp_path / "killed")
    work = tmp_path / "killed" / long_clip.stem / ".work"
    deadline = time.monotonic() + 280
    while not (work / "chunk-0001.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = {path.name: path.stat().st_mtime_ns for path in work.iterdir() if path.suffix in (".npy", ".safetensors")}
    assert any(name.startswith("chunk-0001") for name in done)
    assert not (tmp_path / "killed" / long_clip.stem / "alpha.mp4").exists()

    again = start(long_clip, tmp_path / "killed")
    while not (work / "chunk-0002.json").exists() and again.poll() is None:
        time.sleep(0.02)
    kept = {name: (work / name).stat().st_mtime_ns for name in done if (work / name).exists()}
    finish(again)
    assert kept == done, "a finished chunk was written again"

    whole, resumed = layers_of(tmp_path / "whole", long_clip), layers_of(tmp_path / "killed", long_clip)
    for name in LAYERS:
        assert np.abs(whole[name] - resumed[name]).max() <= 1 / 255 + 1e-6, name
    report = json.loads((tmp_path / "killed" / long_clip.stem / "report.json").read_text())
    assert [chunk["attempts"] for chunk in report["chunks"]] == [1] * len(report["chunks"])
    assert report["quality"]["recomposition_psnr_db"] > 40
    pond = long_scene(FRAMES, width=WIDTH, height=HEIGHT)
    truth = [pond.layers(index)["alpha"][..., 0] > 0.5 for index in range(0, FRAMES, 12)]
    found = resumed["alpha"][::12] > 0.5
    scores = [(a & t).sum() / max((a | t).sum(), 1) for a, t in zip(found, truth, strict=True)]
    assert np.mean(scores) > 0.7, "the koi keeps its layer over all chunks"
