"""``--together``, for commands that take several images as one input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from ddvideo.cli import main
from ddvideo.cli.options import RunOptions, decomposing, together
from ddvideo.cli.work import run_task

IMAGES = ["a.png", "b.png", "c.png"]


@pytest.fixture(autouse=True)
def unmark(monkeypatch):
    """A command with the flag."""

    @click.command()
    @decomposing
    @together
    def unmark(inputs: tuple[Path, ...], together: bool, **options: Any) -> int:
        return run_task(inputs, RunOptions(**options), task="segment", together=together)

    monkeypatch.setitem(main.cli.commands, "unmark", unmark)


@pytest.mark.parametrize(("flags", "wanted"), [([], False), (["--together"], True)])
def test_the_flag_reaches_the_pipeline(flags, wanted, pipeline):
    assert main.run(["unmark", *IMAGES, *flags]) == 0
    assert pipeline.called["together"] is wanted
    assert pipeline.called["inputs"] == [Path(name) for name in IMAGES]


def test_only_commands_that_ask_for_it_have_it(pipeline, capsys):
    for name in ("segment", "dehaze", "run", "batch"):
        assert main.run([name, *IMAGES, "--together"]) == 2
        assert "--together" in capsys.readouterr().err
    assert pipeline.called == {}


def test_the_summary_tells_how_many_images_it_is_of(pipeline, capsys):
    pipeline.report = {"input": {"path": "a.png", "paths": IMAGES}}
    assert main.run(["unmark", *IMAGES, "--together"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("a.png and 2 more: done in ")
    assert err.count(": done") == 1


def test_a_dry_run_names_all_images(tmp_path, capsys, monkeypatch):
    """Through the pipeline itself, with the engine of the tests."""
    import cv2
    import numpy as np

    from ddvideo.pipeline import ask
    from tests.run.run_fakes import SEGMENT, fake_execute

    monkeypatch.setattr(ask, "_task", lambda name: SEGMENT)
    monkeypatch.setattr(ask, "_engine", lambda: fake_execute)
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(IMAGES):
        assert cv2.imwrite(name, np.full((20, 30, 3), 60 * index, np.uint8))
    line = ["unmark", *IMAGES, "--together", "--dry-run", "--device", "cpu"]
    assert main.run([*line, "--json", "-q"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["input"] == {"path": "a.png", "paths": IMAGES}
    assert told["out"] == str(Path("ddvideo-out") / "a")
    assert told["plan"]["shots"] == [{"start": 0, "stop": 3}]
    assert main.run([*line, "-q"]) == 0
    assert capsys.readouterr().out.startswith("a.png and 2 more: plan only")
    assert main.run(["unmark", "a.png", "--together", "-q"]) == 2
    assert capsys.readouterr().err == (
        "ddvideo: error: a.png: two images or more can be taken together; name more, or leave --together out\n"
    )
