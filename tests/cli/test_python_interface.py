from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import ddvideo
from ddvideo.cli.main import run
from ddvideo.pipeline.ask import Asked, make_requests
from ddvideo.pipeline.several import decompose


def test_segment_asks_the_pipeline_for_the_same_as_the_command(pipeline):
    result = ddvideo.segment("clip.mp4", out="results", preset="fast", frames=(0, 9), seed=4)
    by_function = dict(pipeline.called)
    run(["segment", "clip.mp4", "-o", "results", "--preset", "fast", "--frames", "0:9", "--seed", "4"])
    assert by_function.keys() >= {"inputs", "task", "out", "preset", "frames", "seed"}
    for name, value in by_function.items():
        assert Path(value) == pipeline.called[name] if name == "out" else value == pipeline.called[name], name
    assert result.report["seconds_per_frame"] == 0.8
    assert result.layers["alpha"].path == Path("results/clip/alpha.mp4")


def test_what_the_function_does_not_pass_on_is_as_the_command_has_it(pipeline):
    ddvideo.segment("clip.mp4")
    by_function = dict(pipeline.called)
    run(["segment", "clip.mp4"])
    by_command = dict(pipeline.called)
    own = inspect.signature(decompose).parameters
    for name in own.keys() & by_command.keys() - {"progress"}:
        default = by_function.get(name, own[name].default)
        assert Path(default) == by_command[name] if name == "out" else default == by_command[name], name
    # All else is what a request is made of, and a request holds all that is asked for.
    assert by_command.keys() - own.keys() == Asked.__annotations__.keys() - {"recipe", "settings", "execute"}
    assert meant(by_function) == meant(by_command)


def meant(called: dict[str, Any]) -> dict[str, Any]:
    """The requests of a call in plain words: runners are compared by what they are."""
    (request,) = make_requests(**{name: value for name, value in called.items() if name in Asked.__annotations__})
    runners = [(type(runner), vars(runner)) for runner in (request.runner, request.alone) if runner is not None]
    return {field.name: getattr(request, field.name) for field in fields(request)} | {
        "runner": runners[:1],
        "alone": runners[1:],
    }


def test_dehaze_passes_the_airlight_on(pipeline):
    ddvideo.dehaze("road.mp4", airlight=(0.8, 0.9, 1.0), preset="fast")
    by_function = dict(pipeline.called)
    run(["dehaze", "road.mp4", "--preset", "fast", "--airlight", "0.8,0.9,1"])
    assert by_function["options"] == {"airlight": [0.8, 0.9, 1.0]} == pipeline.called["options"]
    assert by_function["task"] == pipeline.called["task"] == "dehaze"


def test_dewatermark_passes_the_box_on(pipeline):
    ddvideo.dewatermark("proof.mp4", box=(10, 20, 300, 40), preset="fast")
    by_function = dict(pipeline.called)
    run(["dewatermark", "proof.mp4", "--preset", "fast", "--box", "10,20,300,40"])
    assert by_function["options"] == {"box": [10, 20, 300, 40]} == pipeline.called["options"]
    assert by_function["task"] == pipeline.called["task"] == "dewatermark"
    assert by_function["inputs"] == pipeline.called["inputs"] == [Path("proof.mp4")]


def test_dewatermark_without_a_box_has_no_options(pipeline):
    ddvideo.dewatermark("proof.mp4")
    by_function = dict(pipeline.called)
    run(["dewatermark", "proof.mp4"])
    assert by_function["options"] == {} == pipeline.called["options"]


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
