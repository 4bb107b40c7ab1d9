from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from ddvideo.cli.main import run
from ddvideo.errors import InputError
from ddvideo.types import ProgressEvent


def test_defaults_are_those_of_the_contract(pipeline):
    assert run(["segment", "clip.mp4"]) == 0
    progress = pipeline.called.pop("progress")
    assert callable(progress)
    assert pipeline.called == {
        "inputs": [Path("clip.mp4")],
        "task": "segment",
        "together": False,
        "out": Path("ddvideo-out"),
        "preset": "balanced",
        "device": "auto",
        "seed": 0,
        "format": "auto",
        "frames": None,
        "interlaced": "deinterlace",
        "keep_alpha": False,
        "fresh": False,
        "keep_work": False,
        "chroma": "auto",
        "dry_run": False,
        "runner": "auto",
        "workers": None,
        "address": None,
        "options": {},
    }


def test_every_option_reaches_the_pipeline(pipeline):
    line = "segment a.mp4 b -o res --preset fast --device cuda:1 --seed 7 --format png --chroma 422 --frames 5:50"
    line += " --fresh --keep-work --interlaced keep --keep-alpha"
    line += " --workers 3 --runner ray --address 10.0.0.1:6379"
    assert run([*line.split(), "--dry-run"]) == 0
    wanted = {
        "inputs": [Path("a.mp4"), Path("b")],
        "out": Path("res"),
        "preset": "fast",
        "device": "cuda:1",
        "seed": 7,
        "format": "png",
        "frames": (5, 50),
        "interlaced": "keep",
        "keep_alpha": True,
        "fresh": True,
        "keep_work": True,
        "chroma": "422",
        "dry_run": True,
        "workers": 3,
        "runner": "ray",
        "address": "10.0.0.1:6379",
    }
    assert {name: pipeline.called[name] for name in wanted} == wanted


@pytest.mark.parametrize(("given", "frames"), [("3:", (3, None)), (":48", (0, 48)), (":", (0, None)), ("0:1", (0, 1))])
def test_ends_of_a_range_may_be_left_out(given, frames, pipeline):
    assert run(["segment", "a", "--frames", given]) == 0
    assert pipeline.called["frames"] == frames


def test_summary_tells_layers_report_quality_and_then_warnings(capsys, pipeline):
    pipeline.report = {"warnings": ["nothing moves: layers come from appearance alone"]}
    assert run(["segment", "clips/a.mp4"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    for part in (
        "clips/a.mp4: done in 1 min 12 s (0.80 s a frame)",
        "47.1 dB",
        "ddvideo-out/a/alpha.mp4",
        "report.html",
    ):
        assert part in err
    assert err.splitlines()[-1] == "ddvideo: warning: nothing moves: layers come from appearance alone"


def test_json_is_the_report_and_nothing_else_on_standard_output(capsys, pipeline):
    pipeline.report = {"warnings": ["w"], "seconds_per_frame": float("nan"), "chunks": [{"loss": float("inf")}]}
    pipeline.events = [ProgressEvent(stage="chunk", chunk=0, done=1, total=9, loss=0.5)]
    assert run(["segment", "a.mp4", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out, parse_constant=pytest.fail)
    assert report["task"] == "segment"
    assert report["seconds_per_frame"] is None
    assert report["chunks"] == [{"loss": None}]
    assert "warning: w" in err


def test_json_of_several_inputs_is_a_list_with_the_failures(capsys, pipeline):
    pipeline.errors["b.mp4"] = InputError("b.mp4: no video stream")
    assert run(["segment", "a.mp4", "b.mp4", "--json", "-q"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert first["input"]["path"] == "a.mp4"
    assert second["error"] == {"message": "b.mp4: no video stream", "exit_code": 3}


def test_quiet_says_nothing_when_all_is_well(capsys, pipeline):
    pipeline.report = {"warnings": ["w"]}
    pipeline.events = [ProgressEvent(stage="merge", done=1, total=9)]
    assert run(["segment", "a.mp4", "-q", "--workers", "4"]) == 0
    assert capsys.readouterr() == ("", "")


def test_dry_run_prints_the_plan_on_standard_output(capsys, pipeline):
    assert run(["segment", "a.mp4", "--dry-run"]) == 0
    out = capsys.readouterr().out
    rows = dict(re.findall(r"^  (\w+) +(.*)$", out, re.MULTILINE))
    assert rows == {
        "frames": "90 (0:90)",
        "shots": "2",
        "chunks": "3 of 30 to 36 frames",
        "time": "about 1 min 23 s",
        "memory": "about 1.5 GiB",
        "disk": "250 MiB while at work, about 12 MiB for the results",
        "results": "ddvideo-out/a/",
    }


def test_dry_run_as_json(capsys, pipeline):
    assert run(["segment", "a.mp4", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plan"]["estimated_seconds"] == 83.0
    assert len(told["plan"]["chunks"]) == 3


@pytest.mark.parametrize(
    ("flags", "shown"), [([], ["w"]), (["-v"], ["i", "w"]), (["-vv"], ["d", "i", "w"]), (["-q"], [])]
)
def test_log_lines_by_verbosity_are_safe_and_leave_no_handler(flags, shown, capsys, pipeline, monkeypatch):
    def logging_decompose(*_, **__):
        log = logging.getLogger("ddvideo.pipeline")
        log.debug("level d \x1b[31m")
        log.info("level i \x1b[31m")
        log.warning("level w \x1b[31m")
        return []

    monkeypatch.setattr("ddvideo.pipeline.decompose", logging_decompose)
    assert run(["segment", "a", *flags]) == 0
    err = capsys.readouterr().err
    assert re.findall(r"level (\w)", err) == shown
    assert "\x1b" not in err
    assert logging.getLogger("ddvideo").handlers == []


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_hostile_names_and_warnings_are_shown_as_escapes(dry, capsys, pipeline):
    pipeline.report = {"warnings": ["tag \x1b]0;owned\x07 seen\nddvideo: done"]}
    assert run(["segment", "\x1b[31mé\u202e.mp4", *dry]) == 0
    out, err = capsys.readouterr()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out + err)
    assert "\\x1b[31mé\\u202e" in out + err
    assert not re.search(r"^ddvideo: done", err, re.MULTILINE)
