"""What ``ddvideo batch`` and ``ddvideo run`` ask of the pipeline, and what they tell."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ddvideo.pipeline
from ddvideo.cli import main
from ddvideo.cli.main import run
from ddvideo.errors import DDVideoError, DecompositionError, InputError, LockedError
from ddvideo.media.inputs import LeftOut
from ddvideo.pipeline import Item
from ddvideo.types import ProgressEvent

DEFAULTS = {
    "out": Path("ddvideo-out"), "dry_run": False, "preset": "balanced", "device": "auto", "seed": 0, "format": "auto",
    "chroma": "auto", "frames": None, "interlaced": "deinterlace",
    "fresh": False, "keep_work": False, "runner": "auto", "workers": None,
    "address": None,
}  # fmt: skip


class FakeBatch:
    """Stands in for ``decompose_all``: remembers how it was called, and tells of the items a test gives it."""

    def __init__(self) -> None:
        self.called: dict[str, Any] = {}
        self.items: list[Item] = []
        self.left_out: list[LeftOut] = []
        self.plan: object = None
        self.error: BaseException | None = None

    def add(self, name: str, *, error: DDVideoError | None = None, was_done: bool = False, frames: int = 90) -> None:
        result = SimpleNamespace(report={"seconds_per_frame": 0.8}) if error is None and not was_done else None
        status = "failed" if error is not None else "done"
        item = Item(Path(name), Path("out") / name, frames=frames, status=status, error=error, was_done=was_done)
        item.result = result  # type: ignore[assignment]
        self.items.append(item)

    def __call__(self, source: str, *, progress, changed, leaving_out, **options: Any) -> tuple[Sequence[Item], Any]:
        self.called = {"source": source, **options}
        leaving_out(self.left_out)
        progress(ProgressEvent(stage="chunk", shot=0, chunk=0, done=1, total=10, message="clip.mp4 (1 of 3)"))
        if self.error is not None:
            raise self.error
        for item in self.items:
            if not options["dry_run"] and not item.was_done:
                changed(item)
        return self.items, self.plan


@pytest.fixture
def batch(monkeypatch):
    fake = FakeBatch()
    monkeypatch.setattr(ddvideo.pipeline, "decompose_all", fake)
    return fake


def test_defaults_and_options_reach_the_pipeline(batch):
    assert run(["batch", "videos", "--task", "dehaze"]) == 0
    assert batch.called == {"source": "videos", "task": "dehaze"} | DEFAULTS
    line = "batch *.mp4 --recipe mine.toml -o res --preset fast --frames 5: --seed 7 --format png --fresh --workers 3"
    assert run(line.split()) == 0
    assert batch.called == DEFAULTS | {
        "source": "*.mp4", "recipe": "mine.toml", "out": Path("res"), "preset": "fast", "frames": (5, None), "seed": 7,
        "format": "png", "fresh": True, "workers": 3,
    }  # fmt: skip


@pytest.mark.parametrize("options", [[], ["--task", "segment", "--recipe", "matte"]])
def test_a_task_or_a_recipe_is_needed(batch, capsys, options):
    assert run(["batch", "videos", *options]) == 2
    assert "give either --task NAME or --recipe NAME" in capsys.readouterr().err
    assert batch.called == {}


def test_progress_says_which_input_it_is_about(batch, capsys):
    run(["batch", "videos", "--task", "segment"])
    assert "fitting shot 0, chunk 0: clip.mp4 (1 of 3)" in capsys.readouterr().err


def test_what_is_done_and_what_has_failed_is_told_once_each(batch, capsys):
    batch.add("a.mp4")
    batch.add("bad.mp4", error=InputError("bad.mp4: damaged\ntry another"))
    batch.add("c.mp4", error=DecompositionError("failed 3 times: chunk 0"))
    batch.add("old.mp4", was_done=True)
    batch.add("photo.png", frames=1)
    assert run(["batch", "videos", "--task", "segment", "-o", "res"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[1:] == [
        "a.mp4: done, 90 frames, 0.80 s a frame",
        "ddvideo: error: bad.mp4: damaged",
        "  try another",
        "ddvideo: error: c.mp4: failed 3 times: chunk 0",
        "photo.png: done, 1 frame, 0.80 s a frame",
        "3 of 5 inputs are done (1 by an earlier start); see res/index.html",
        "ddvideo: error: 2 of 5 inputs failed; the same command tries them again",
    ]


def test_quiet_names_only_what_has_failed(batch, capsys):
    batch.add("a.mp4")
    batch.add("c.mp4", error=DecompositionError("failed 3 times: chunk 0"))
    assert run(["batch", "videos", "--task", "segment", "-q"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "ddvideo: error: c.mp4: failed 3 times: chunk 0\n")


def test_json_is_the_record(batch, capsys, tmp_path):
    batch.add("a.mp4")
    (tmp_path / "batch.json").write_text('{"counts": {"done": 1}}\n')
    assert run(["batch", "videos", "--task", "segment", "--json", "-o", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"counts": {"done": 1}}


def test_what_is_left_out_is_told_by_reason_with_the_first_names(batch, capsys):
    batch.add("a.mp4")
    batch.left_out = [
        *(LeftOut(Path(f"v/{number}.txt"), "text") for number in range(10_000)),
        LeftOut(Path("v/a.thm"), "thumbnail", "a.mp4"),
        LeftOut(Path("v/b.thm"), "thumbnail", "b.mp4"),
        LeftOut(Path("v/odd\x1b[31m"), "empty"),
    ]
    assert run(["batch", "v", "--task", "segment", "-o", "res"]) == 0
    told = capsys.readouterr().err
    assert "\x1b[31m" not in told
    assert told.splitlines()[:4] == [
        "ddvideo: warning: 10003 that are no inputs were left out; listed in res/batch.json",
        "  text (10000): v/0.txt, v/1.txt, v/2.txt, ...",
        "  thumbnail (2): v/a.thm, v/b.thm",
        "  empty (1): v/odd\\x1b[31m",
    ]
    assert run(["batch", "v", "--task", "segment", "-q"]) == 0
    assert capsys.readouterr().err == ""
    batch.left_out = batch.left_out[-1:]
    assert run(["batch", "v", "--task", "segment"]) == 0
    assert "1 that is no input was left out; listed in ddvideo-out/batch.json" in capsys.readouterr().err


class FakePlan:
    estimated_seconds, estimated_memory_mib, work_mib, results_mib = 83.0, 1500.0, 250.4, 12.2

    def as_dict(self) -> dict[str, Any]:
        return {"frames": 100, "start": 0, "stop": 100, "shots": [], "chunks": [], "estimated_seconds": 83.0}


@pytest.fixture
def planned(batch):
    batch.items = [
        Item(Path("a.mp4"), Path("res/a"), frames=90),
        Item(Path("b.mp4"), Path("res/b"), frames=10),
        Item(Path("c.mp4"), Path("res/c"), frames=50, status="done", was_done=True),
    ]
    batch.plan = FakePlan()
    return batch


def test_a_dry_run_tells_the_plan_of_all(planned, capsys):
    assert run(["batch", "videos", "--task", "segment", "-o", "res", "--dry-run"]) == 0
    assert planned.called["dry_run"] is True
    told = capsys.readouterr().out
    assert told.splitlines() == [
        "plan only, nothing was written",
        "  inputs   2 to do, 1 done, 0 cannot be read",
        "  frames   100",
        "  time     about 1 min 23 s",
        "  memory   about 1.5 GiB",
        "  disk     250 MiB while at work, about 12 MiB for the results",
        "  results  res/",
    ]


def test_a_dry_run_lists_what_is_left_out(planned, capsys):
    planned.left_out = [LeftOut(Path("v/a.thm"), "thumbnail", "a.mp4"), LeftOut(Path("v/b.txt"), "text")]
    assert run(["batch", "videos", "--task", "segment", "--dry-run", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["left_out"] == [
        {"path": "v/a.thm", "reason": "thumbnail of a.mp4"}, {"path": "v/b.txt", "reason": "text"},
    ]  # fmt: skip
    assert "2 that are no inputs were left out; --json lists them" in told.err


def test_a_dry_run_names_what_cannot_be_read(planned, capsys):
    planned.add("bad.mp4", error=InputError("bad.mp4: damaged"))
    assert run(["batch", "videos", "--task", "segment", "--dry-run", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["plan"] == {"frames": 100, "estimated_seconds": 83.0}
    assert told["items"][0] == {"input": "a.mp4", "out": "res/a", "frames": 90, "status": "waiting"}
    assert told["items"][3]["error"] == "bad.mp4: damaged"
    assert run(["batch", "videos", "--task", "segment", "--dry-run"]) == 1
    assert "ddvideo: error: bad.mp4: damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LockedError("out is in use by process 3"), 4, "ddvideo: error: out is in use by process 3"),
        (KeyboardInterrupt(), 130, "ddvideo: what is done is kept; the same command goes on from there"),
        (SystemExit(143), 143, "ddvideo: terminated"),
    ],
)
def test_ends_that_concern_all_of_it(batch, capsys, error, code, said):
    batch.error = error
    assert run(["batch", "videos", "--task", "segment"]) == code
    assert said in capsys.readouterr().err


def test_a_sigterm_that_ray_passes_on_with_a_code_of_its_own_is_143(batch, monkeypatch, capsys):
    monkeypatch.setattr(main, "_received", set())
    with pytest.raises(SystemExit):
        main._terminate(signal.SIGTERM, None)
    batch.error = SystemExit(1)
    assert run(["batch", "videos", "--task", "segment"]) == 143
    assert "ddvideo: terminated" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["batch", "nothing", "--task", "segment"], "nothing: there is no such folder, glob, or text file of paths"),
        (["batch", "", "--task", "segment"], "the source is empty"),
        (["batch", "videos", "--task", "segmnt"], "unknown task 'segmnt'"),
        (["batch", "videos", "--recipe", "segmnt"], "there is no recipe 'segmnt'; did you mean 'segment'?"),
        (["batch", "videos", "--recipe", "wrong.toml"], "wrong.toml: [[stage]]: unknown key 'tusk'"),
        (["run", "wrong.toml", "a.mp4"], "wrong.toml: [[stage]]: unknown key 'tusk'; did you mean 'task'?"),
        (["run", "matte"], "Missing argument 'INPUT...'"),
        (["run", "fast.toml", "a.mp4"], "fast.toml: there is no preset 'balanced' (known: fast)"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_done(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    head = '[recipe]\nname = "x"\nsummary = "y"\n[[stage]]\n'
    (tmp_path / "wrong.toml").write_text(f'{head}tusk = "segment"\n')
    (tmp_path / "fast.toml").write_text(f'{head}task = "segment"\n[presets.fast]\n')
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "ddvideo-out").exists()


def test_run_asks_for_the_stages_of_a_recipe(pipeline, capsys):
    assert run(["run", "matte", "a.mp4", "b.mp4", "-o", "res", "--preset", "fast"]) == 0
    assert pipeline.called["recipe"] == "matte"
    assert pipeline.called["inputs"] == [Path("a.mp4"), Path("b.mp4")]
    assert "task" not in pipeline.called
    assert capsys.readouterr().err.count(": done in ") == 2
    assert run(["run", "matte", "a.mp4", "--json", "-q"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["seconds_per_frame"] == 0.8
    assert run(["run", "matte", "a.mp4", "--dry-run"]) == 0
    assert "plan only, nothing was written" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("batch", ["a folder (walked), a glob in quotes, or a text file of paths", "--task NAME", "DIR/batch.json"]),
        ("run", ["RECIPE INPUT...", "the path of a TOML file"]),
    ],
)
def test_help_tells_what_a_user_needs(capsys, name, parts):
    assert run([name, "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in parts:
        assert part in told
