"""Runs as users start and stop them: real processes, real signals, real files."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.run.run_driver import LAYERS, Runs, assert_same_layers

CHUNKS = [f"chunk-{n:04d}" for n in range(6)]


@pytest.fixture
def runs(tmp_path, clip):
    return Runs(clip, tmp_path)


def test_an_undisturbed_run_does_each_job_once(undisturbed):
    assert undisturbed.jobs() == ["prior-0000", *CHUNKS[:3], "prior-0001", *CHUNKS[3:]]
    assert sorted(path.name for path in undisturbed.result.iterdir()) == sorted(
        [*(f"{name}.mp4" for name in LAYERS), "preview.mp4", "report.html", "report.json"]
    )


def test_a_killed_run_goes_on_and_repeats_nothing(runs, undisturbed):
    process = runs.start_and_wait_for("chunk-0003")
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    assert [path.name for path in runs.result.iterdir()] == [".work"], "nothing shows under its name yet"
    code, errors = runs.finish()
    assert code == 0, errors
    jobs = [job for job in runs.jobs() if job != "waiting"]
    assert sorted(jobs) == sorted(undisturbed.jobs()), "each job ran once over both starts"
    assert_same_layers(runs, undisturbed)
    assert len(runs.report()["chunks"]) == 6
    assert not (runs.result / ".work").exists()


def test_a_run_killed_while_it_merges_fits_nothing_again(runs, undisturbed):
    process = runs.start(FAKE_KILL_AT_MERGE="20")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert [path.name for path in runs.result.iterdir()] == [".work"]
    before = runs.jobs()
    code, errors = runs.finish()
    assert code == 0, errors
    assert runs.jobs() == before
    assert_same_layers(runs, undisturbed)
    assert not (runs.result / ".work").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_with_its_code_and_goes_on(runs, number, code):
    process = runs.start_and_wait_for("chunk-0001")
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    work = {path.name for path in (runs.result / ".work").iterdir()}
    assert "chunk-0000.json" in work
    assert not any(name.endswith(".part") for name in work)
    again, errors = runs.finish()
    assert again == 0, errors
    jobs = [job for job in runs.jobs() if job != "waiting"]
    assert len(jobs) == len(set(jobs)) == 8


def test_a_second_run_into_the_folder_is_refused(runs):
    process = runs.start_and_wait_for("prior-0000")
    try:
        code, errors = runs.finish()
        assert code == 4
        assert f"in use by process {process.pid}" in errors
        assert len(errors.strip().splitlines()) <= 3
    finally:
        process.kill()
        process.communicate()
    assert runs.finish()[0] == 0, "the lock of a dead process does not stay"


def test_a_truncated_chunk_is_done_again_and_only_it(runs, undisturbed):
    process = runs.start_and_wait_for("chunk-0003")
    process.kill()
    process.communicate()
    (path,) = (runs.result / ".work").glob("chunk-0001-alpha-*.npy")
    os.truncate(path, path.stat().st_size // 2)
    assert runs.finish()[0] == 0
    jobs = [job for job in runs.jobs() if job != "waiting"]
    assert sorted(jobs) == sorted([*undisturbed.jobs(), "chunk-0001"])
    assert_same_layers(runs, undisturbed)


@pytest.mark.parametrize("change", ["settings", "seed", "fresh"])
def test_changed_settings_and_fresh_start_anew(runs, change):
    process = runs.start_and_wait_for("chunk-0003")
    process.kill()
    process.communicate()
    runs.log.unlink()
    options = {"settings": [], "seed": ["--seed", "1"], "fresh": ["--fresh"]}[change]
    code, errors = runs.finish(*options, FAKE_STEPS="2" if change == "settings" else "1")
    assert code == 0, errors
    assert len(runs.jobs()) == 8


def test_a_poison_chunk_ends_with_five_and_the_next_start_tries_only_it(runs, undisturbed):
    code, errors = runs.finish(FAKE_POISON="chunk-0001")
    assert code == 5
    assert "chunk 1 (frames 6 to 14): ValueError: poisoned" in errors
    assert runs.jobs().count("chunk-0001") == 3
    assert set(runs.jobs()) == set(undisturbed.jobs()), "the rest was finished"
    assert not (runs.result / "alpha.mp4").exists()
    state = json.loads((runs.result / ".work" / "state.json").read_text())
    assert state["failures"] == {"chunk-0001": "ValueError: poisoned"}
    runs.log.unlink()
    assert runs.finish()[0] == 0
    assert runs.jobs() == ["chunk-0001"]
    assert_same_layers(runs, undisturbed)


def test_kept_work_is_used_by_the_next_start(runs):
    assert runs.finish("--keep-work")[0] == 0
    before = runs.jobs()
    code, errors = runs.finish("--format", "png")
    assert code == 0, errors
    assert runs.jobs() == before, "another format needs no other chunks"
    assert len(list((runs.result / "alpha").iterdir())) == 44
