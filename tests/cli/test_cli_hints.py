"""Hints on the command line and in Python: what the pipeline is asked for."""

from __future__ import annotations

import pytest

import ddvideo
from ddvideo.cli.main import run


def test_hints_reach_the_pipeline_as_options_of_the_task(pipeline):
    line = ["segment", "a.mp4", "--fg-hint", "f.png", "--bg-hint", "b.mp4", "--box", "1,2,30,40", "--hint-frame", "7"]
    assert run(line) == 0
    wanted = {"fg_hint": {"path": "f.png"}, "bg_hint": {"path": "b.mp4"}, "box": [1, 2, 30, 40], "hint_frame": 7}
    assert pipeline.called["options"] == wanted
    ddvideo.segment("a.mp4", fg_hint="f.png", bg_hint="b.mp4", box=(1, 2, 30, 40), hint_frame=7)
    assert pipeline.called["options"] == wanted


def test_frame_0_is_a_frame(pipeline):
    assert run(["segment", "a.mp4", "--fg-hint", "f.png", "--hint-frame", "0"]) == 0
    assert pipeline.called["options"] == {"fg_hint": {"path": "f.png"}, "hint_frame": 0}


@pytest.mark.parametrize(("option", "value"), [("--box", "1,2,3"), ("--hint-frame", "-1"), ("--hint-frame", "x")])
def test_anything_else_is_wrong_usage(option, value, pipeline, capsys):
    assert run(["segment", "a.mp4", option, value]) == 2
    assert option in capsys.readouterr().err
    assert pipeline.called == {}
