"""Many inputs as one queue: what is done, in which order, and what one failure costs."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddvideo.errors import DecompositionError, InputError, LockedError, OutputError, UsageError
from ddvideo.media import read_layer
from ddvideo.pipeline import batch_record, decompose, decompose_all
from ddvideo.pipeline.input_run import InputRun
from ddvideo.runners import InProcessRunner
from ddvideo.store import FolderLock
from ddvideo.types import ProgressEvent
from tests.run.batch_fakes import assert_whole, batch, record, statuses
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute, write_clip


def test_the_longest_is_first_and_every_folder_is_that_of_a_single_run(videos, tmp_path, engine):
    out = tmp_path / "out"
    items = batch(videos, out, engine)
    assert engine.inputs() == ["b", "c", "a"]
    assert list(items) == ["b.mp4", "c.mp4", "a.mp4"]
    for name, frames in (("a", 8), ("b", 30), ("c", 16)):
        assert items[f"{name}.mp4"].status == "done"
        assert_whole(out / name, frames)
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "batch.json", "c", "index.html"]
    told = record(out)
    assert told["counts"] == {"waiting": 0, "running": 0, "done": 3, "failed": 0}
    assert [(Path(entry["input"]).name, entry["frames"]) for entry in told["items"]] == [
        ("b.mp4", 30), ("c.mp4", 16), ("a.mp4", 8),
    ]  # fmt: skip
    alone = decompose(videos / "c.mp4", task=SEGMENT, settings=SETTINGS, execute=fake_execute, out=tmp_path / "one")
    for one, other in zip(alone[0].layers["alpha"].frames(), read_layer(out / "c" / "alpha.mp4"), strict=True):
        assert np.array_equal(one, other)


def test_progress_says_which_input_it_is_about(videos, tmp_path, engine):
    events = []
    batch(videos, tmp_path / "out", engine, progress=events.append)
    told = [(event.stage, event.message) for event in events]
    assert told[:3] == [("probe", f"{name}.mp4") for name in "abc"]
    for number, name in enumerate("bca", start=1):
        assert {stage for stage, message in told if message == f"{name}.mp4 ({number} of 3)"} >= {
            "probe", "plan", "prior", "chunk", "merge",
        }  # fmt: skip


def test_the_size_of_the_frames_counts_for_the_length(videos, tmp_path, engine):
    write_clip(videos / "large.mp4", 10, cut=5, width=256, height=160)
    batch(videos, tmp_path / "out", engine)
    assert engine.inputs() == ["large", "b", "c", "a"]


def test_of_a_range_of_frames_only_those_count(videos, tmp_path, engine):
    items = batch(videos, tmp_path / "out", engine, frames=(10, 20))
    assert {name: (item.status, item.frames) for name, item in items.items()} == {
        "b.mp4": ("done", 10), "c.mp4": ("done", 6), "a.mp4": ("failed", 0),
    }  # fmt: skip
    assert isinstance(items["a.mp4"].error, UsageError)


def test_one_that_cannot_be_read_costs_nothing_else_and_is_tried_again_alone(videos, clips, tmp_path, engine):
    out = tmp_path / "out"
    (videos / "b.mp4").write_bytes(b"\0" * 5000)
    (videos / "empty.mp4").touch()
    items = batch(videos, out, engine)
    assert {name: item.status for name, item in items.items()} == statuses(out)
    assert statuses(out) == {"a.mp4": "done", "c.mp4": "done", "b.mp4": "failed", "empty.mp4": "failed"}
    assert isinstance(items["b.mp4"].error, InputError)
    (entry,) = [entry for entry in record(out)["items"] if entry["input"].endswith("b.mp4")]
    assert "b.mp4" in entry["error"]
    assert entry["exit_code"] == 3
    assert_whole(out / "a", 8)
    assert not (out / "b").exists()
    shutil.copy(clips["long"], videos / "b.mp4")
    (videos / "empty.mp4").unlink()
    engine.jobs.clear()
    again = batch(videos, out, engine)
    assert engine.inputs() == ["b"]
    assert {name: item.was_done for name, item in again.items()} == {"a.mp4": True, "b.mp4": False, "c.mp4": True}
    assert [again["a.mp4"].frames, again["c.mp4"].frames] == [8, 16]
    assert_whole(out / "b", 30)


def test_all_of_them_can_fail(videos, tmp_path, engine):
    for path in videos.iterdir():
        path.write_bytes(b"no video")
    items = batch(videos, tmp_path / "out", engine)
    assert {item.status for item in items.values()} == {"failed"}
    assert record(tmp_path / "out")["counts"]["failed"] == 3
    assert engine.jobs == []


def test_a_poison_chunk_is_tried_three_times_and_only_it_the_next_time(videos, tmp_path, engine):
    out = tmp_path / "out"
    engine.at["b-0/chunk-0001"] = ValueError("poisoned")
    items = batch(videos, out, engine)
    assert statuses(out) == {"b.mp4": "failed", "c.mp4": "done", "a.mp4": "done"}
    assert engine.jobs.count("b-0/chunk-0001") == 3
    assert "chunk 1 (frames" in str(items["b.mp4"].error)
    assert "ValueError: poisoned" in str(items["b.mp4"].error)
    assert not (out / "b" / "alpha.mp4").exists()
    engine.at.clear()
    engine.jobs.clear()
    batch(videos, out, engine)
    assert engine.jobs == ["b-0/chunk-0001"]
    assert_whole(out / "b", 30)


def test_an_error_that_no_retry_can_mend_ends_the_input_at_once(videos, tmp_path, engine):
    engine.at["b-0/chunk-0000"] = InputError("b.mp4: damaged")
    items = batch(videos, tmp_path / "out", engine)
    assert [job for job in engine.jobs if job.startswith("b-")] == ["b-0/prior-0000", "b-0/chunk-0000"]
    assert str(items["b.mp4"].error) == "b.mp4: damaged"
    assert statuses(tmp_path / "out") == {"b.mp4": "failed", "c.mp4": "done", "a.mp4": "done"}


class Pool(InProcessRunner):
    """As several workers look to the batch: results are written beside the work."""

    kind = "pool"
    workers = 2


@pytest.mark.parametrize("runner", [InProcessRunner, Pool])
@pytest.mark.parametrize("part", ["begin", "take", "finish"])
def test_a_fault_of_ours_with_one_input_does_not_stop_the_others(videos, tmp_path, engine, monkeypatch, part, runner):
    right = getattr(InputRun, part)

    def faulty(self, *given):
        if self.path.name == "b.mp4":
            raise ZeroDivisionError("oh")
        return right(self, *given)

    monkeypatch.setattr(InputRun, part, faulty)
    items = batch(videos, tmp_path / "out", engine, runner=runner())
    assert statuses(tmp_path / "out") == {"b.mp4": "failed", "c.mp4": "done", "a.mp4": "done"}
    assert isinstance(items["b.mp4"].error, DecompositionError)
    assert "b.mp4: a fault of ddvideo: ZeroDivisionError: oh" in str(items["b.mp4"].error)
    monkeypatch.undo()
    engine.jobs.clear()
    batch(videos, tmp_path / "out", engine)
    assert set(engine.inputs()) <= {"b"}
    assert_whole(tmp_path / "out" / "b", 30)


def test_several_workers_go_on_while_results_are_written(videos, tmp_path, engine, monkeypatch):
    out, finish = tmp_path / "out", InputRun.finish
    at_work = threading.Event()
    engine.at["c-0/chunk-0000"] = at_work.set

    def slow(self, progress):
        assert self.path.name != "b.mp4" or at_work.wait(20), "nothing was done meanwhile"
        return finish(self, progress)

    monkeypatch.setattr(InputRun, "finish", slow)
    items = batch(videos, out, engine, runner=Pool())
    assert {item.status for item in items.values()} == {"done"}
    for name, frames in (("a", 8), ("b", 30), ("c", 16)):
        assert_whole(out / name, frames)


def test_an_interrupt_stops_the_writing_and_gives_all_locks_back(videos, tmp_path, engine, monkeypatch):
    finish, begun = InputRun.finish, threading.Event()

    def endless(self, progress):
        while True:
            progress(ProgressEvent(stage="merge"))
            begun.set()
            time.sleep(0.01)

    def interrupt():
        assert begun.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(InputRun, "finish", endless)
    engine.at["c-0/chunk-0000"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        batch(videos, tmp_path / "out", engine, runner=Pool())
    assert statuses(tmp_path / "out") == {"b.mp4": "waiting", "c.mp4": "waiting", "a.mp4": "waiting"}
    monkeypatch.setattr(InputRun, "finish", finish)
    engine.at.clear()
    engine.jobs.clear()
    items = batch(videos, tmp_path / "out", engine)
    assert {item.status for item in items.values()} == {"done"}
    assert engine.inputs() == ["c", "a"]


def test_a_record_that_cannot_be_written_ends_the_batch_and_no_input_is_called_failed(
    videos, tmp_path, engine, monkeypatch
):
    def full(self):
        raise OutputError("no space")

    items = []
    engine.at["b-0/chunk-0000"] = lambda: monkeypatch.setattr(batch_record.BatchRecord, "_write", full)
    monkeypatch.setattr(batch_record, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(batch_record, "_PAUSE_FACTOR", 0)
    with pytest.raises(OutputError, match="no space"):
        batch(videos, tmp_path / "out", engine, changed=items.append)
    assert items
    assert all(item.status != "failed" for item in items)
    assert "a" not in engine.inputs(), "it ends soon, not after all the work"


def test_what_goes_wrong_in_telling_is_no_failure_of_the_input(videos, tmp_path, engine):
    items = []

    def changed(item):
        items.append(item)
        if item.status == "done":
            raise OutputError("no space")

    with pytest.raises(OutputError, match="no space"):
        batch(videos, tmp_path / "out", engine, changed=changed)
    assert {item.path.name: item.status for item in items} == {"b.mp4": "done"}
    assert statuses(tmp_path / "out") == {"b.mp4": "done", "c.mp4": "waiting", "a.mp4": "waiting"}


def test_an_input_that_another_run_works_on_fails_alone(videos, tmp_path, engine):
    out = tmp_path / "out"
    with FolderLock(out / "b" / ".work" / "lock"):
        items = batch(videos, out, engine)
    assert isinstance(items["b.mp4"].error, LockedError)
    assert statuses(out) == {"b.mp4": "failed", "c.mp4": "done", "a.mp4": "done"}


def test_a_second_batch_into_the_folder_is_refused_and_changes_nothing(videos, tmp_path, engine):
    out = tmp_path / "out"
    with FolderLock(out / ".batch-lock"), pytest.raises(LockedError, match=r"out is in use by process \d+"):
        batch(videos, out, engine)
    assert [path.name for path in out.iterdir()] == [".batch-lock"]


def test_images_and_frame_folders_are_inputs_too(tmp_path, engine):
    source, out = tmp_path / "v", tmp_path / "out"
    (source / "frames").mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
    for number in range(4):
        cv2.imwrite(str(source / "frames" / f"{number}.png"), picture)
    cv2.imwrite(str(source / "photo.png"), picture)
    batch(source, out, engine)
    assert statuses(out) == {"frames": "done", "photo.png": "done"}
    assert len(list((out / "frames" / "alpha").iterdir())) == 4
    assert (out / "photo" / "alpha.png").is_file()
    cv2.imwrite(str(source / "frames" / "4.png"), picture)
    engine.jobs.clear()
    batch(source, out, engine)
    assert engine.inputs() == ["frames"], "a frame was added"


def test_what_is_left_out_is_in_the_record_and_told_before_anything_is_done(videos, tmp_path, engine):
    out = tmp_path / "out"
    (videos / "a.THM").write_bytes(cv2.imencode(".jpg", np.zeros((24, 32, 3), np.uint8))[1].tobytes())
    (videos / "a.txt").write_text("words")
    (videos / "a.mp4").rename(videos / "a.m2t")
    (videos / "c.mp4").rename(videos / "c")
    told = []
    batch(
        videos, out, engine, leaving_out=lambda found: told.append((list(engine.jobs), [item.path for item in found]))
    )
    assert told == [([], [videos / "a.THM", videos / "a.txt"])]
    assert statuses(out) == {"b.mp4": "done", "c": "done", "a.m2t": "done"}
    assert record(out)["left_out"] == [
        {"path": str(videos / "a.THM"), "reason": "thumbnail of a.m2t"},
        {"path": str(videos / "a.txt"), "reason": "text"},
    ]


def test_open_files_and_locks_stay_few_with_many_inputs(tmp_path, engine):
    source, out, count = tmp_path / "v", tmp_path / "out", 40
    source.mkdir()
    for number in range(count):
        picture = np.full((24, 32, 3), number, np.uint8)
        cv2.imwrite(str(source / f"p-{number:03d}.bmp"), picture)
    open_files, locks = [], []

    def look(item):
        folder = Path("/proc/self/fd")
        targets = [entry.readlink() for entry in folder.iterdir() if entry.is_symlink()]
        open_files.append(len(targets))
        locks.append(sum(target.name == "lock" for target in targets))

    items = batch(source, out, engine, changed=look)
    assert {item.status for item in items.values()} == {"done"}
    assert len(items) == count
    assert max(open_files) - min(open_files) <= 8
    assert max(locks) <= 1
    assert not list(out.glob("*/.work"))


def test_a_dry_run_plans_all_of_it_and_writes_nothing(videos, tmp_path, engine):
    (videos / "bad.mp4").write_bytes(b"no video")
    items, plan = decompose_all(
        str(videos), out=tmp_path / "out", task=SEGMENT, settings=SETTINGS, execute=engine, dry_run=True
    )
    assert [(item.path.name, item.status) for item in items] == [
        ("b.mp4", "waiting"), ("c.mp4", "waiting"), ("a.mp4", "waiting"), ("bad.mp4", "failed"),
    ]  # fmt: skip
    assert plan.frames == 30 + 16 + 8
    assert plan.estimated_seconds > 0
    assert plan.estimated_memory_mib > 0
    assert plan.results_mib > 0
    assert not (tmp_path / "out").exists()
