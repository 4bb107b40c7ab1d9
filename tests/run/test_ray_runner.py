"""Jobs on real workers of a cluster of this process's own, with the small engine of the tests."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import closing

import pytest

from ddvideo.errors import DecompositionError, InputError, OutputError, UsageError
from ddvideo.runners import InProcessRunner, RayRunner, jobs_failed, ray_pool
from ddvideo.runners.ray_pool import WorkerLostError
from tests.run import run_fakes
from tests.run.run_fakes import SETTINGS, Engine, make_jobs, write_clip

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "waves.mp4")


@pytest.fixture(scope="module")
def runner():
    runner = RayRunner(2, threads=1)
    yield runner
    runner.close()


class Trial:
    """One run of four jobs, and what came of it."""

    def __init__(self, runner, folder, clip, acts=(), **more):
        self.folder = folder / f"work{len(list(folder.iterdir()))}"
        self.engine = Engine(self.folder.with_suffix(".log"), dict(acts), **more)
        self.jobs = make_jobs(self.folder, clip)
        self.events, self.outcomes = [], {}
        self.runner = runner

    def finish(self):
        for outcome in self.runner.run(self.jobs, self.engine, self.events.append):
            assert outcome.job.id not in self.outcomes, "told twice"
            self.outcomes[outcome.job.id] = outcome
        assert self.outcomes.keys() == {job.id for job in self.jobs}
        return self

    def attempts(self):
        return {
            name: outcome.record.attempts for name, outcome in self.outcomes.items() if name.startswith("chunk")
            and outcome.record is not None
        }  # fmt: skip

    def files(self):
        """Names of the layers' files, which hold the hash of what is in them."""
        return {path.name for path in self.folder.glob("*.npy")}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, clip):
    return Trial(InProcessRunner(), tmp_path_factory.mktemp("undisturbed"), clip).finish()


@pytest.fixture
def trial(runner, tmp_path, clip):
    def start(acts=(), **more):
        return Trial(runner, tmp_path, clip, acts, **more)

    return start


def test_all_jobs_are_done_by_other_processes_and_progress_arrives(trial, undisturbed):
    done = trial(slow_seconds=0.2).finish()
    assert done.attempts() == {"chunk-0000": 1, "chunk-0001": 1, "chunk-0002": 1}
    assert done.files() == undisturbed.files()
    pids = {pid for _, _, pid in done.engine.tries()}
    assert len(pids) == 2, "both workers had something to do"
    assert os.getpid() not in pids
    assert done.engine.tries()[0][0] == "prior-0000"
    assert {seed for _, seed, _ in done.engine.tries()} == {SETTINGS.seed}
    assert {event.stage for event in done.events} == {"prior", "chunk"}


def test_a_poison_chunk_is_tried_three_times_and_the_rest_is_finished(trial):
    done = trial({"chunk-0001": ("raise",) * 3}).finish()
    error = done.outcomes["chunk-0001"].error
    assert type(error) is ValueError
    assert str(error) == "poisoned"
    assert done.attempts() == {"chunk-0000": 1, "chunk-0002": 1}
    assert len({seed for _, seed, _ in done.engine.tries("chunk-0001")}) == 3
    told = str(jobs_failed([done.outcomes["chunk-0001"]], left_out=0, total=4))
    assert told.splitlines()[0] == "failed 3 times: chunk 1 (frames 10 to 19): ValueError: poisoned"


def test_a_second_try_that_works_is_counted(trial):
    assert trial({"chunk-0001": ("raise",)}).finish().attempts() == {"chunk-0000": 1, "chunk-0001": 2, "chunk-0002": 1}


def test_what_waits_for_a_failed_prior_is_left_out(trial):
    done = trial({"prior-0000": ("raise",) * 3}).finish()
    assert {name for name, _, _ in done.engine.tries()} == {"prior-0000"}
    assert [(outcome.record, outcome.error) for name, outcome in done.outcomes.items() if name != "prior-0000"] == [
        (None, None)
    ] * 3


def test_an_error_that_no_retry_can_mend_ends_its_job_at_once_and_is_the_plain_one(trial):
    done = trial({"chunk-0001": ("input",)}).finish()
    error = done.outcomes["chunk-0001"].error
    assert type(error) is InputError
    assert str(error) == "waves.mp4: the file ends in the middle"
    assert len(done.engine.tries("chunk-0001")) == 1
    assert done.attempts().keys() == {"chunk-0000", "chunk-0002"}


def test_an_error_that_cannot_be_sent_is_told_in_its_words(trial):
    done = trial({"chunk-0001": ("unpicklable",) * 3, "chunk-0002": ("unpicklable",)}).finish()
    assert str(done.outcomes["chunk-0001"].error) == "UnpicklableError: cannot be sent"
    assert isinstance(done.outcomes["chunk-0001"].error, DecompositionError)
    assert done.attempts() == {"chunk-0000": 1, "chunk-0002": 2}


@pytest.mark.parametrize("act", ["memory", "die", "exit"])
def test_a_worker_without_memory_or_that_ends_costs_an_attempt(trial, undisturbed, act, capfd):
    done = trial({"chunk-0001": (act,)}).finish()
    assert done.attempts() == {"chunk-0000": 1, "chunk-0001": 2, "chunk-0002": 1}
    assert done.files() == undisturbed.files(), "which the small engine makes of any seed"
    time.sleep(1.0)
    assert capfd.readouterr() == ("", ""), "Ray's own reports would spoil a report on standard output"


def test_a_chunk_that_always_kills_its_worker_is_given_up_and_the_rest_is_finished(trial):
    done = trial({"chunk-0001": ("die",) * 3}).finish()
    error = done.outcomes["chunk-0001"].error
    assert isinstance(error, WorkerLostError)
    assert "killed, out of memory, or its node gone" in str(error)
    assert done.attempts() == {"chunk-0000": 1, "chunk-0002": 1}
    assert trial().finish().attempts() == {"chunk-0000": 1, "chunk-0001": 1, "chunk-0002": 1}, "workers are replaced"


def test_a_worker_killed_in_the_middle_of_a_chunk_is_replaced_and_the_result_is_the_same(trial, undisturbed):
    run = trial({"chunk-0001": ("sleep",)})

    def kill():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if run.engine.log.exists() and (tries := run.engine.tries("chunk-0001")):
                time.sleep(0.2)
                os.kill(tries[0][2], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        run.finish()
    finally:
        killer.join()
    assert run.attempts() == {"chunk-0000": 1, "chunk-0001": 2, "chunk-0002": 1}
    assert run.files() == undisturbed.files()
    assert len({pid for _, _, pid in run.engine.tries("chunk-0001")}) == 2


def test_a_full_disk_ends_the_job_at_once_with_one_line_and_leaves_no_half_file(trial):
    done = trial({"chunk-0001": ("limit",)}).finish()
    error = done.outcomes["chunk-0001"].error
    assert isinstance(error, OutputError)
    assert str(error).startswith(f"cannot write {done.folder}")
    assert len(str(error).splitlines()) == 1
    assert len(done.engine.tries("chunk-0001")) == 1
    assert not list(done.folder.glob("chunk-0001*"))
    assert not list(done.folder.glob("*.part"))


def test_a_work_folder_that_the_worker_does_not_see_is_told_as_such(trial):
    run = trial()
    (run.folder / "state.json").unlink()
    error = run.finish().outcomes["prior-0000"].error
    assert isinstance(error, OutputError)
    assert str(run.folder) in str(error)
    assert "share" in str(error)


def test_a_source_that_has_nothing_now_is_asked_again(trial):
    run = trial()
    run.jobs = [None, *run.jobs[:2], None, *run.jobs[2:]]
    outcomes = list(run.runner.run(run.jobs, run.engine, run.events.append))
    assert [outcome.error for outcome in outcomes] == [None] * 4


def test_jobs_are_not_asked_for_before_a_worker_is_free(trial):
    run = trial(slow_seconds=0.1)
    asked = []
    source = (job for job in run.jobs if asked.append(job.id) is None)
    for ended, _ in enumerate(run.runner.run(source, run.engine, run.events.append)):
        assert len(asked) <= ended + 1 + 3, "two at work, and one more that waits for the prior"


def test_signal_handlers_stay_as_they_are(trial, runner):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    mine = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        runner.close()
        trial().finish()
        assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM).__name__] == [before[0], "<lambda>"]
        runner.close()
        assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM).__name__] == [before[0], "<lambda>"]
    finally:
        signal.signal(signal.SIGTERM, mine)


def test_whoever_stops_asking_ends_what_is_in_flight(trial, runner):
    run = trial({"chunk-0001": ("sleep",)})
    with closing(runner.run(run.jobs, run.engine, run.events.append)) as outcomes:
        assert next(outcomes).job.id == "prior-0000"
        assert next(outcomes).job.id == "chunk-0000"
    ((_, _, pid),) = run.engine.tries("chunk-0001")
    deadline = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert trial().finish().attempts().keys() == {"chunk-0000", "chunk-0001", "chunk-0002"}, "and it can be used again"


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_doubles_are_refused(trial, runner):
    run = trial()
    with pytest.raises(UsageError, match="same id"):
        list(runner.run([run.jobs[0], run.jobs[0]], run.engine, run.events.append))


@pytest.mark.parametrize(
    ("kind", "told"), [(run_fakes.DeadSolver, "workers do not start"), (run_fakes.BrokenSolver, "no libcodec")]
)
def test_workers_that_die_at_every_start_are_given_up(trial, runner, monkeypatch, kind, told):
    runner.close()
    with monkeypatch.context() as patch:
        patch.setattr(ray_pool, "Solver", kind)
        with pytest.raises(DecompositionError, match=told) as caught:
            trial().finish()
    assert len(str(caught.value).splitlines()) == 1


def test_a_worker_with_another_ddvideo_is_refused_by_name(trial, runner, monkeypatch):
    runner.close()
    with monkeypatch.context() as patch:
        patch.setattr(ray_pool, "Solver", run_fakes.OtherSolver)
        with pytest.raises(UsageError, match=r"the worker on elsewhere has another ddvideo \(9\.9\) than this machine"):
            trial().finish()


def test_a_process_that_is_connected_already_is_told_so(trial, runner):
    trial().finish()
    with pytest.raises(UsageError, match="connected to Ray already"):
        list(RayRunner(1).run([], None, None))
    assert trial().finish().attempts(), "the first one goes on"


def test_silence_is_told_once(trial, monkeypatch, caplog):
    monkeypatch.setattr(ray_pool, "_STALL_SECONDS", 0.5)
    run = trial(slow_seconds=2.5)
    run.jobs = run.jobs[:1]
    with caplog.at_level(logging.WARNING):
        run.finish()
    assert len([text for text in caplog.messages if "nothing is heard of prior-0000" in text]) == 1
