"""Batches as users start and stop them: real processes, real signals, real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddvideo.media import read_layer
from tests.run.run_fakes import write_clip

ROOT = Path(__file__).resolve().parents[2]
FRAMES = {"short": 20, "long": 30}
JOBS = {
    *(f"long-0/{job}" for job in ("prior-0000", "chunk-0000", "chunk-0001", "prior-0001", "chunk-0002", "chunk-0003")),
    *(f"short-0/{job}" for job in ("prior-0000", "chunk-0000", "chunk-0001", "chunk-0002")),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / f"{name}.mp4", count, cut=count // 2) for name, count in FRAMES.items()]


class Batches:
    """Starts the command again and again on one folder and into another."""

    def __init__(self, folder: Path, clips: list[Path]) -> None:
        self.source, self.out, self.log = folder / "videos", folder / "out", folder / "log"
        self.source.mkdir()
        for clip in clips:
            shutil.copy(clip, self.source)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.run.run_driver", "batch", str(self.source), "--task", "segment"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FAKE_")}
        env = clean | {"FAKE_LOG": str(self.log), "OMP_NUM_THREADS": "1"} | environment
        return subprocess.Popen(
            [*command, "-o", str(self.out), *options],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *options: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*options, **environment)
        told, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        return process.returncode, told, errors

    def start_and_wait_for(self, job: str) -> subprocess.Popen[str]:
        """Start, and return once the engine has been asked for ``job``, which it will not do."""
        process = self.start(FAKE_STOP=job)
        deadline = time.monotonic() + 60
        while "waiting" not in self.log_lines():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    def log_lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []

    def jobs(self) -> list[str]:
        return [line for line in self.log_lines() if line != "waiting"]

    def record(self) -> dict:
        return json.loads((self.out / "batch.json").read_text(encoding="utf-8"))

    def statuses(self) -> dict[str, str]:
        return {entry["folder"]: entry["status"] for entry in self.record()["items"]}

    def assert_whole(self) -> None:
        assert self.statuses() == {"short": "done", "long": "done"}
        assert self.record()["running"] is False
        for name, count in FRAMES.items():
            assert sum(1 for _ in read_layer(self.out / name / "alpha.mp4")) == count
        assert sorted(path.name for path in self.out.iterdir()) == ["batch.json", "index.html", "long", "short"]
        assert not list(self.out.glob("*/.work"))


@pytest.fixture
def batches(tmp_path, clips):
    return Batches(tmp_path, clips)


def test_a_batch_tells_each_input_and_the_second_start_that_all_is_done(batches):
    code, told, errors = batches.finish()
    assert code == 0
    assert told == ""
    assert set(batches.jobs()) == JOBS
    assert len(batches.jobs()) == len(JOBS)
    assert f"{batches.source}/long.mp4: done, 30 frames, " in errors
    assert errors.splitlines()[-1] == f"2 of 2 inputs are done; see {batches.out}/index.html"
    batches.assert_whole()
    code, _, errors = batches.finish()
    assert code == 0
    assert len(batches.jobs()) == len(JOBS)
    assert errors.splitlines()[-1] == f"2 of 2 inputs are done (2 by an earlier start); see {batches.out}/index.html"
    batches.assert_whole()


def test_json_is_the_record_and_quiet_says_nothing(batches):
    code, told, errors = batches.finish("--json", "-q")
    assert (code, errors) == (0, "")
    assert json.loads(told) == batches.record()
    assert list(batches.statuses()) == ["long", "short"]


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_failing_input_is_named_once_and_the_exit_code_is_one(batches, options):
    (batches.source / "bad\x1b[31m.mp4").write_bytes(b"no video")
    code, _, errors = batches.finish(*options, FAKE_POISON="short-0/chunk-0000")
    assert code == 1
    assert "\x1b" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("ddvideo: error: ")]
    assert sum(r"bad\x1b[31m.mp4" in line for line in lines) == 1
    (said,) = [line for line in lines if "short.mp4" in line]
    assert "short.mp4: failed 3 times: chunk 0 (frames 0 to " in said
    assert "ValueError: poisoned" in said
    assert ("2 of 3 inputs failed; the same command tries them again" in errors) == (not options)
    assert batches.statuses() == {"bad_[31m": "failed", "long": "done", "short": "failed"}
    assert batches.jobs().count("short-0/chunk-0000") == 3


def test_the_record_is_written_as_it_goes(batches):
    process = batches.start_and_wait_for("short-0/chunk-0000")
    try:
        deadline = time.monotonic() + 20
        page = ""
        while batches.statuses() != {"long": "done", "short": "running"} or 'href="long/report.html"' not in page:
            assert time.monotonic() < deadline, batches.record()
            time.sleep(0.05)
            if (batches.out / "index.html").exists():  # written after the record
                page = (batches.out / "index.html").read_text(encoding="utf-8")
                assert page.endswith("</html>")
        assert batches.record()["running"] is True
        assert 'http-equiv="refresh"' in page
        assert (batches.out / "long" / "report.html").is_file()
        code, _, errors = batches.finish()
        assert code == 4
        assert f"in use by process {process.pid}" in errors
    finally:
        process.kill()
        process.communicate()


def test_a_killed_batch_goes_on_and_does_nothing_twice(batches):
    for job in ("long-0/chunk-0001", "short-0/chunk-0001"):
        process = batches.start_and_wait_for(job)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert set(batches.statuses()) == {"long", "short"}
        lines = batches.jobs()
        batches.log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    code, _, errors = batches.finish()
    assert code == 0, errors
    assert sorted(batches.jobs()) == sorted(JOBS), "each job ran once over three starts"
    batches.assert_whole()


def test_a_batch_killed_at_any_moment_leaves_whole_files(batches):
    """Both files are read while they are written, and after kills at moments that nobody chose."""
    for delay in (0.0, 0.05, 0.11, 0.2):
        process = batches.start()
        while not (batches.out / "batch.json").exists() and process.poll() is None:
            time.sleep(0.01)
        until = time.monotonic() + delay
        while time.monotonic() < until:
            batches.record()
            time.sleep(0.005)
        process.kill()
        process.communicate()
        batches.record()
        if (batches.out / "index.html").exists():  # the second of the two
            assert (batches.out / "index.html").read_text(encoding="utf-8").endswith("</html>")
    assert batches.finish()[0] == 0
    for name, count in FRAMES.items():
        assert sum(1 for _ in read_layer(batches.out / name / "alpha.mp4")) == count
    assert batches.statuses() == {"short": "done", "long": "done"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_batch_keeps_what_is_done(batches, number, code):
    process = batches.start_and_wait_for("short-0/chunk-0001")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert "what is done is kept; the same command goes on from there" in errors
    assert batches.statuses() == {"long": "done", "short": "waiting"}
    assert batches.record()["running"] is False
    assert 'http-equiv="refresh"' not in (batches.out / "index.html").read_text(encoding="utf-8")
    assert not (batches.out / ".batch-lock").exists()
    code, _, errors = batches.finish()
    assert code == 0, errors
    assert "(1 by an earlier start)" in errors
    assert sorted(batches.jobs()) == sorted(JOBS)
    batches.assert_whole()


def test_a_killed_merge_is_done_again_from_its_chunks(batches):
    process = batches.start(FAKE_KILL_AT_MERGE="3")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    # The record is written a moment behind; what counts is that nothing is told as done that is not.
    assert batches.statuses()["long"] in ("waiting", "running")
    assert batches.statuses()["short"] == "waiting"
    assert batches.finish()[0] == 0
    assert sorted(batches.jobs()) == sorted(JOBS)
    batches.assert_whole()
