"""A second start of a batch: what is passed over, what is done anew, and which names inputs keep."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest

from ddvideo.pipeline import decompose, decompose_all
from tests.run.batch_fakes import assert_whole, batch, record
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute


def test_a_changed_setting_is_done_anew_and_the_same_is_not(videos, tmp_path, engine):
    out = tmp_path / "out"
    batch(videos, out, engine)
    engine.jobs.clear()
    assert all(item.was_done for item in batch(videos, out, engine).values())
    assert all(item.was_done for item in batch(videos, out, engine, settings=replace(SETTINGS, threads=7)).values())
    assert engine.jobs == []
    batch(videos, out, engine, settings=replace(SETTINGS, seed=1))
    assert engine.inputs() == ["b", "c", "a"]
    engine.jobs.clear()
    batch(videos, out, engine, settings=replace(SETTINGS, seed=1), fresh=True)
    assert engine.inputs() == ["b", "c", "a"]


def test_another_format_is_written_anew(videos, tmp_path, engine):
    out = tmp_path / "out"
    batch(videos, out, engine)
    items = batch(videos, out, engine, format="png")
    assert not any(item.was_done for item in items.values())
    assert len(list((out / "a" / "alpha").iterdir())) == 8


def test_a_changed_file_and_lost_or_other_results_are_done_anew(videos, clips, tmp_path, engine):
    out = tmp_path / "out"
    batch(videos, out, engine)
    shutil.copy(clips["short"], videos / "c.mp4")
    engine.jobs.clear()
    assert {name for name, item in batch(videos, out, engine).items() if item.was_done} == {"a.mp4", "b.mp4"}
    assert engine.inputs() == ["c"]
    assert_whole(out / "c", 8)
    (out / "a" / "alpha.mp4").unlink()
    engine.jobs.clear()
    batch(videos, out, engine)
    assert engine.inputs() == ["a"]
    other = replace(SETTINGS, seed=5)
    decompose(videos / "b.mp4", task=SEGMENT, settings=other, execute=fake_execute, out=out)
    engine.jobs.clear()
    batch(videos, out, engine)
    assert engine.inputs() == ["b"], "a single run has put others in their place"


def test_a_touched_file_of_the_same_content_is_looked_at_but_not_fitted_again(videos, tmp_path, engine):
    batch(videos, tmp_path / "out", engine)
    os.utime(videos / "a.mp4", (1, 1))
    engine.jobs.clear()
    items = batch(videos, tmp_path / "out", engine)
    assert engine.jobs == []
    assert items["a.mp4"].status == "done"


def test_equal_stems_do_not_collide_and_old_names_stay(tmp_path, clips, engine):
    source, out = tmp_path / "v", tmp_path / "out"
    for folder, name in (("m", "short"), ("n", "middle")):
        (source / folder).mkdir(parents=True)
        shutil.copy(clips[name], source / folder / "x.mp4")
    shutil.copy(clips["short"], source / "index.html.mp4")
    shutil.copy(clips["short"], source / "Batch.json.mp4")
    batch(source, out, engine)
    assert sorted(path.name for path in out.iterdir()) == [
        "Batch.json-2", "batch.json", "index.html", "index.html-2", "x", "x-2",
    ]  # fmt: skip
    assert_whole(out / "x", 8)
    assert_whole(out / "x-2", 16)
    (source / "a").mkdir()
    shutil.copy(clips["long"], source / "a" / "x.mkv")
    engine.jobs.clear()
    batch(source, out, engine)
    assert engine.inputs() == ["x-3"], "it comes first by name, but the names are taken"
    folders = {entry["input"]: entry["folder"] for entry in record(out)["items"]}
    assert folders[str(source / "m" / "x.mp4")] == "x"
    assert folders[str(source / "n" / "x.mp4")] == "x-2"


def test_batches_of_several_sources_share_a_folder(tmp_path, clips, engine, monkeypatch):
    out = tmp_path / "out"
    for folder, name in (("m", "short"), ("n", "middle"), ("o", "long")):
        (tmp_path / folder).mkdir()
        shutil.copy(clips[name], tmp_path / folder / "x.mp4")
        batch(tmp_path / folder, out, engine)
    for folder, frames in (("x", 8), ("x-2", 16), ("x-3", 30)):
        assert_whole(out / folder, frames)
    told = record(out)
    assert [entry["folder"] for entry in told["items"]] == ["x-3"]
    assert [entry["folder"] for entry in told["others"]] == ["x-2", "x"]
    page = (out / "index.html").read_text()
    assert all(f'href="{folder}/report.html"' in page for folder in ("x", "x-2", "x-3"))
    monkeypatch.chdir(tmp_path / "n")
    engine.jobs.clear()
    assert batch("../m", "../out", engine)["x.mp4"].was_done, "the same file, however it is called"
    assert engine.jobs == []


def test_results_go_into_the_source_itself_and_are_no_inputs_the_next_time(videos, tmp_path, engine):
    for out in (videos, videos / "sub" / "out"):
        assert set(batch(videos, out, engine)) == {"a.mp4", "b.mp4", "c.mp4"}
        engine.jobs.clear()
        assert all(item.was_done for item in batch(videos, out, engine).values())
        assert engine.jobs == []
    engine.at["b-0/chunk-0000"] = ValueError("poisoned")
    batch(videos, videos / "new", engine)
    assert set(batch(videos, tmp_path / "elsewhere", engine)) == {"a.mp4", "b.mp4", "c.mp4"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"items": 3}',
        '{"items": [3, null, "x", {}]}',
        "[" * 100_000,
        '{"items": [{"input": "INPUT", "folder": "../../escaped", "status": "done", "frames": 3, "mark": "x"}]}',
        '{"items": [{"input": "INPUT", "folder": "sub/escaped", "status": "failed", "frames": 3, "mark": "x"}]}',
        '{"items": [{"input": "INPUT", "folder": "..", "status": "running", "frames": 3, "mark": "x"}]}',
        '{"items": [{"input": "INPUT", "folder": "a", "status": "done", "frames": "many", "mark": "x"}]}',
        '{"items": [], "others": [{"input": "x", "folder": "y", "status": "done", "frames": 1, "mark": "", '
        '"seconds": "long"}]}',
    ],
)
def test_a_record_that_is_not_as_we_write_it_is_not_believed(videos, tmp_path, engine, text):
    out = tmp_path / "deep" / "er" / "out"
    out.mkdir(parents=True)
    (out / "batch.json").write_text(text.replace("INPUT", str(videos / "a.mp4")))
    items = batch(videos / "*.mp4", out, engine)
    assert {item.status for item in items.values()} == {"done"}
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "batch.json", "c", "index.html"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["er"]


def test_figures_of_the_record_that_are_no_figures_are_not_believed(videos, tmp_path, engine):
    out = tmp_path / "out"
    batch(videos, out, engine)
    told = record(out)
    told["items"][0]["frames"], told["items"][1]["seconds"], told["items"][2]["warnings"] = "many", "long", 3
    (out / "batch.json").write_text(json.dumps(told))
    engine.jobs.clear()
    items = batch(videos, out, engine)
    assert [item.frames for item in items.values()] == [30, 16, 8]
    assert not any(item.was_done for item in items.values())
    assert engine.jobs == [], "the results tell for themselves"


def test_a_dry_run_of_what_is_done_has_nothing_to_plan(videos, tmp_path, engine):
    batch(videos, tmp_path / "out", engine)
    before = record(tmp_path / "out")
    items, plan = decompose_all(
        str(videos), out=tmp_path / "out", task=SEGMENT, settings=SETTINGS, execute=engine, dry_run=True
    )
    assert plan is None
    assert all(item.was_done for item in items)
    assert record(tmp_path / "out") == before
