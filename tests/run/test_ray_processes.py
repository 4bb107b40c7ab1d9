"""The command with several workers, as users start and stop it: real processes, real signals, real files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from ddvideo.runners import cluster
from tests.run.run_driver import Runs, assert_same_layers

pytestmark = pytest.mark.ray

WORKERS = ("--workers", "2")


@pytest.fixture
def runs(tmp_path, clip):
    runs = Runs(clip, tmp_path)
    yield runs
    for pid in started(runs):
        os.kill(pid, signal.SIGKILL)


def started(runs: Runs) -> list[int]:
    """All living processes that the command has started, whoever has adopted them: its log is in their environment."""
    mark = f"FAKE_LOG={runs.log}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "environ").read_bytes() and " Z " not in (folder / "stat").read_text():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def ray_folders(runs: Runs) -> set[str]:
    """Where Ray's files of the command lie."""
    return {name for pid in started(runs) for name in re.findall(r"-dir=(/tmp/ddvideo-\w+)", command_of(pid))}


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def assert_none_left(runs: Runs, *, seconds: float, but: str = "none") -> None:
    """That all that was started has ended, except for processes whose command holds ``but``."""
    deadline = time.monotonic() + seconds
    while pids := [pid for pid in started(runs) if but not in command_or_nothing(pid)]:
        assert time.monotonic() < deadline, [command_of(pid)[:80] for pid in pids]
        time.sleep(0.1)


def command_or_nothing(pid: int) -> str:
    try:
        return command_of(pid)
    except OSError:
        return ""  # it has just ended


def assert_whole(runs: Runs) -> None:
    """What lies under its final name is what the hash in the name says; temporary files may be left of workers."""
    for path in (runs.result / ".work").glob("*.npy"):
        assert path.stem.endswith(hashlib.sha256(path.read_bytes()).hexdigest()[:12]), path.name


def test_a_killed_driver_leaves_no_process_and_the_next_start_repeats_nothing(runs, undisturbed):
    process = runs.start_and_wait_for("chunk-0003", *WORKERS)
    assert len(started(runs)) > 4
    folders = ray_folders(runs)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    # Ray's agents, which hold no work, look for their raylet every now and then only: they are waited for in the end.
    assert_none_left(runs, seconds=60, but="Agent")
    process.communicate()
    for folder in folders:
        shutil.rmtree(folder)  # a process that is killed cannot do that
    code, errors = runs.finish(*WORKERS)
    assert code == 0, errors
    # A chunk that the other worker was at when all was killed is the only one that may have been begun twice.
    done = runs.done()
    assert set(done) == set(undisturbed.jobs())
    assert len(done) <= len(undisturbed.jobs()) + 1
    assert_same_layers(runs, undisturbed)
    assert runs.report()["runner"] == {"kind": "ray", "workers": 2}
    assert [chunk["attempts"] for chunk in runs.report()["chunks"]] == [1] * 6
    assert not (runs.result / ".work").exists()
    assert_none_left(runs, seconds=180)


def test_ctrl_c_which_all_of_the_group_gets_ends_with_130_and_keeps_what_is_done(runs, undisturbed):
    process = runs.start_and_wait_for("chunk-0002", *WORKERS)
    wait_for(lambda: (runs.result / ".work" / "chunk-0001.json").exists())
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "what is done is kept" in errors
    assert_none_left(runs, seconds=30)
    work = {path.name for path in (runs.result / ".work").iterdir()}
    assert {"chunk-0000.json", "chunk-0001.json"} <= work
    assert runs.finish(*WORKERS)[0] == 0
    assert runs.done().count("chunk-0000") == runs.done().count("chunk-0001") == 1
    assert_same_layers(runs, undisturbed)


def wait_for(happens):
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_on_a_poor_machine_it_starts_and_listens_to_itself_alone_and_sigterm_ends_it_with_143(runs, tmp_path):
    plain = tmp_path / "a folder whose name is too long for a socket in it, as they are on some clusters"
    plain.mkdir()
    process = runs.start_and_wait_for(
        "chunk-0001",
        *WORKERS,
        HOME="/proc/nowhere",
        FAKE_SHARED_MEMORY=str(64 * 2**20),
        TMPDIR=str(plain),
    )
    pids = started(runs)
    (folder,) = ray_folders(runs)
    assert any(f"--plasma_directory={folder}" in command_of(pid) for pid in pids)
    addresses = [address for pid in pids for address in listening(pid)]
    assert len(addresses) >= 4
    assert set(addresses) <= {"0100007F", "0" * 16 + "FFFF00000100007F", "0" * 24 + "01000000"}, "loopback only"
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 143, errors
    assert out == ""
    assert "Traceback" not in errors
    assert_none_left(runs, seconds=30)
    assert (runs.result / ".work" / "chunk-0000.json").exists()
    assert_whole(runs)
    assert not Path(folder).exists()


def listening(pid: int) -> list[str]:
    """Local addresses, as the kernel writes them, at which a process takes TCP connections."""
    mine = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            mine.update(re.findall(r"socket:\[(\d+)\]", os.readlink(entry)))  # noqa: PTH115 (pathlib parses the link)
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
        found += [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in mine]
    return found


def test_a_poison_chunk_ends_with_five_and_the_next_start_does_only_what_is_missing(runs, undisturbed):
    code, errors = runs.finish(*WORKERS, FAKE_POISON="chunk-0001")
    assert code == 5, errors
    assert "failed 3 times: chunk 1 (frames 6 to 14): ValueError: poisoned\n" in errors
    assert "ray" not in errors.lower().replace("--runner ray", "")
    assert runs.jobs().count("chunk-0001") == 3
    assert set(runs.jobs()) == set(undisturbed.jobs()), "the rest was finished"
    state = json.loads((runs.result / ".work" / "state.json").read_text())
    assert state["failures"] == {"chunk-0001": "ValueError: poisoned"}
    runs.log.unlink()
    assert runs.finish(*WORKERS)[0] == 0
    assert runs.jobs() == ["chunk-0001"]
    assert_same_layers(runs, undisturbed)


def test_a_full_disk_is_four_and_one_line_and_a_damaged_chunk_is_done_again(runs, undisturbed):
    code, errors = runs.finish(*WORKERS, FAKE_FULL="chunk-0005")
    assert code == 4, errors
    lines = errors.strip().splitlines()
    assert len([line for line in lines if "error" in line]) == 1
    assert f"cannot write {runs.result / '.work'}: File too large" in lines[-1]
    work = runs.result / ".work"
    assert not list(work.glob("chunk-0005*"))
    assert_whole(runs)
    # With two workers, before the third of a shot begins, another has ended.
    path = min(work.glob("chunk-*-alpha-*.npy"))
    damaged = path.name[: len("chunk-0000")]
    os.truncate(path, path.stat().st_size // 2)
    kept = {path.name.removesuffix(".json") for path in work.glob("chunk-*.json")} - {damaged}
    runs.log.unlink()
    code, errors = runs.finish(*WORKERS)
    assert code == 0, errors
    assert damaged in runs.jobs()
    assert not kept.intersection(runs.jobs())
    assert_same_layers(runs, undisturbed)


def test_an_address_where_nothing_is_ends_with_two_soon(runs):
    begun = time.monotonic()
    code, errors = runs.finish("--address", "127.0.0.1:1", "-q")
    assert code == 2
    assert "no Ray cluster at 127.0.0.1:1" in errors
    assert len(errors.strip().splitlines()) <= 2
    assert time.monotonic() - begun < 15


def test_a_small_shared_memory_puts_the_object_store_into_a_plain_folder(monkeypatch):
    def shared(free):
        return lambda path: os.statvfs_result((4096, 4096, free, free, free, 1, 1, 1, 0, 255))

    monkeypatch.setattr(os, "statvfs", shared(64 * 2**20 // 4096))
    assert cluster._is_shared_memory_small()
    monkeypatch.setattr(os, "statvfs", shared(2**30 // 4096))
    assert not cluster._is_shared_memory_small()

    def absent(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "statvfs", absent)
    assert not cluster._is_shared_memory_small()
