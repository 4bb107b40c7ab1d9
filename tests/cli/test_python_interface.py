from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ddvideo


def test_segment_asks_the_pipeline_for_the_same_as_the_command(pipeline, monkeypatch):
    from ddvideo.cli.main import run

    result = ddvideo.segment("clip.mp4", out="results", preset="fast", frames=(0, 9), seed=4)
    by_function = dict(pipeline.called)
    run(["segment", "clip.mp4", "-o", "results", "--preset", "fast", "--frames", "0:9", "--seed", "4"])
    only_the_command = {"progress", "dry_run", "runner", "workers"}
    for name in pipeline.called.keys() - only_the_command:
        assert by_function[name] == pipeline.called[name], name
    assert result.report["seconds_per_frame"] == 0.8
    assert result.layers["alpha"].path == Path("results/clip/alpha.mp4")


def test_errors_are_raised_as_the_package_names_them(pipeline):
    pipeline.errors["gone.mp4"] = ddvideo.InputError("gone.mp4: no such file")
    with pytest.raises(ddvideo.DDVideoError, match="no such file") as caught:
        ddvideo.segment("gone.mp4")
    assert caught.value.exit_code == 3


def test_importing_the_package_is_light():
    line = "import sys, ddvideo; print([m for m in ('torch', 'numpy', 'av', 'cv2', 'click') if m in sys.modules])"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, check=True, cwd=root)
    assert done.stdout.decode().strip() == "[]"
