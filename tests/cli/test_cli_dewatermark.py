"""``ddvideo dewatermark``: what the command asks the pipeline for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddvideo.cli.main import run


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("10,20,300,40", [10, 20, 300, 40]),
        ("0,0,1,1", [0, 0, 1, 1]),
        (" 10, 20, 300, 40 ", [10, 20, 300, 40]),
        ("999999,0,8,9", [999999, 0, 8, 9]),
    ],
)
def test_a_box_reaches_the_pipeline_as_numbers(text, box, pipeline):
    assert run(["dewatermark", "proof.mp4", "--box", text]) == 0
    assert pipeline.called["options"] == {"box": box}
    assert all(type(part) is int for part in pipeline.called["options"]["box"])


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "1,2,3", "1,2,3,4,5", "1,2,3,", ",1,2,3", "1;2;3;4", "1 2 3 4", "10,20,300x40"),
        *("0,0,0,10", "0,0,10,0", "-1,0,10,10", "0,0,-10,10", "1.5,0,10,10", "1e2,0,10,10", "nan,0,10,10"),
        *("a,b,c,d", "1,2,3,4\n", "1000000,0,10,10", "١,٢,٣,٤", "0x1,0,10,10"),
    ],
)
def test_anything_else_is_wrong_usage(text, pipeline, capsys):
    assert run(["dewatermark", "proof.mp4", "--box", text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is not a box; write X,Y,W,H" in err
    assert "--box" in err
    assert len(err.splitlines()) <= 2
    assert pipeline.called == {}


def test_the_options_of_every_command_reach_the_pipeline_too(pipeline):
    line = ["dewatermark", "a.mp4", "b.mp4", "-o", "clean", "--preset", "quality", "--frames", "4:90", "--seed", "3"]
    assert run([*line, "--format", "png", "--workers", "2", "--fresh", "--keep-work", "--box", "1,2,3,4"]) == 0
    wanted = {
        "inputs": [Path("a.mp4"), Path("b.mp4")],
        "task": "dewatermark",
        "out": Path("clean"),
        "preset": "quality",
        "frames": (4, 90),
        "seed": 3,
        "format": "png",
        "workers": 2,
        "fresh": True,
        "keep_work": True,
        "options": {"box": [1, 2, 3, 4]},
    }
    assert {name: pipeline.called[name] for name in wanted} == wanted


def test_without_a_box_the_pipeline_is_told_none(pipeline):
    assert run(["dewatermark", "proof.mp4"]) == 0
    assert pipeline.called["options"] == {}
    assert pipeline.called["together"] is False


@pytest.mark.parametrize("command", ["separate", "dehaze"])
def test_other_commands_have_no_box(command, pipeline, capsys):
    assert run([command, "clip.mp4", "--box", "1,2,3,4"]) == 2
    assert "--box" in capsys.readouterr().err


def test_the_recipes_are_listed(capsys):
    assert run(["recipes"]) == 0
    shown = capsys.readouterr().out
    assert "dewatermark" in shown
    assert "clean-archive" in shown
    assert run(["recipes", "--json"]) == 0
    told = {recipe["name"]: recipe for recipe in json.loads(capsys.readouterr().out)}
    assert told["clean-archive"]["stages"] == ["dewatermark", "dehaze"]
