from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddvideo.errors import InputError, OutputError, UsageError
from ddvideo.runners.base import MAX_ATTEMPTS, attempt_job
from ddvideo.runners.queue import JobQueue
from ddvideo.types import Chunk, ChunkJob, ChunkRecord, PriorJob, Shot
from tests.run.run_fakes import SETTINGS, make_jobs

BOOM = ValueError("boom")


@pytest.fixture
def jobs(tmp_path):
    return make_jobs(tmp_path / "work", Path("waves.mp4"))


def record_of(job):
    return ChunkRecord(
        chunk=getattr(job, "chunk", Chunk(0, 0, 0, 1)), steps=1, seconds=0, loss=0, attempts=1, files={}, sha256={}
    )


def names(outcomes):
    return [outcome.job.id for outcome in outcomes]


def test_chunks_wait_for_their_prior_and_keep_their_order(jobs):
    queue = JobQueue(jobs)
    prior, attempt = queue.take()
    assert (prior.id, attempt) == ("prior-0000", 1)
    assert queue.take() is None, "all others wait for the prior"
    assert not queue.is_done
    assert queue.succeeded(prior, 1, record_of(prior)).record is not None
    assert [queue.take()[0].id for _ in range(3)] == ["chunk-0000", "chunk-0001", "chunk-0002"]
    assert queue.take() is None


def test_what_waits_does_not_keep_others_back(jobs):
    other = make_jobs(jobs[0].folder, jobs[0].source)[2]
    free = ChunkJob(**{**vars(other), "id": "free", "after": ()})
    queue = JobQueue([jobs[0], jobs[1], free])
    assert [queue.take()[0].id for _ in range(2)] == ["prior-0000", "free"]


def test_the_source_is_asked_only_for_what_may_start(jobs):
    asked = []
    queue = JobQueue(job for job in jobs if asked.append(job.id) is None)
    assert asked == []
    queue.take()
    assert asked == ["prior-0000"]


def test_none_says_not_now_and_not_never(jobs):
    queue = JobQueue([None, jobs[0], None])
    assert queue.take() is None
    assert not queue.is_done
    prior, _ = queue.take()
    queue.succeeded(prior, 1, record_of(prior))
    assert queue.take() is None
    assert not queue.is_done
    assert queue.take() is None
    assert queue.is_done


def test_a_failure_is_tried_three_times_each_from_another_seed(jobs):
    queue = JobQueue(jobs[:1])
    seeds = []
    for number in (1, 2, 3):
        job, attempt = queue.take()
        assert attempt == number
        seeds.append(attempt_job(job, attempt).settings.seed)
        outcome = queue.failed(job, attempt, BOOM)
        assert (outcome is None) == (number < MAX_ATTEMPTS)
    assert outcome.error is BOOM
    assert outcome.job == jobs[0], "told as it was asked for, not with the seed of the last try"
    assert seeds[0] == jobs[0].settings.seed
    assert len(set(seeds)) == 3
    assert queue.take() is None
    assert queue.is_done


def test_a_second_try_goes_before_what_is_new(jobs):
    queue = JobQueue(jobs[1:])
    first, _ = queue.take()
    queue.failed(first, 1, BOOM)
    assert queue.take() == (first, 2)
    assert queue.take()[0].id == "chunk-0001"


def test_the_record_tells_the_attempts(jobs):
    queue = JobQueue(jobs[1:2])
    for attempt in (1, 2):
        job, _ = queue.take()
        if attempt == 1:
            queue.failed(job, 1, BOOM)
    assert queue.succeeded(job, 2, record_of(job)).record.attempts == 2


@pytest.mark.parametrize("error", [InputError("gone"), OutputError("full"), UsageError("wrong")])
def test_an_error_that_no_retry_can_mend_ends_its_job_at_once(jobs, error):
    queue = JobQueue(jobs[1:2])
    job, _ = queue.take()
    assert queue.failed(job, 1, error).error is error
    assert queue.take() is None
    assert queue.is_done


def test_a_failed_prior_leaves_out_its_chunks_told_once_also_those_yet_to_come(jobs):
    queue = JobQueue([*jobs[:3], None, *jobs[3:]])
    prior, _ = queue.take()
    assert queue.take() is None
    for attempt in (1, 2, 3):
        queue.failed(prior, attempt, BOOM)
        assert queue.take() == ((prior, attempt + 1) if attempt < 3 else None)
    assert names(queue.left_out()) == ["chunk-0000", "chunk-0001", "chunk-0002"]
    assert names(queue.left_out()) == []
    assert queue.is_done


def test_what_waits_for_a_job_that_was_left_out_is_left_out_too(jobs):
    last = ChunkJob(**{**vars(jobs[2]), "after": ("chunk-0000",)})
    queue = JobQueue([jobs[0], jobs[1], last])
    prior, _ = queue.take()
    queue.take()
    queue.failed(prior, 1, InputError("gone"))
    assert queue.take() is None
    assert sorted(names(queue.left_out())) == ["chunk-0000", "chunk-0001"]
    assert queue.is_done


def test_doubles_are_refused_also_of_a_job_that_has_ended(jobs):
    queue = JobQueue([jobs[0], jobs[0]])
    job, _ = queue.take()
    queue.succeeded(job, 1, record_of(job))
    with pytest.raises(UsageError, match="same id: prior-0000"):
        queue.take()


@st.composite
def scenarios(draw):
    """Jobs with waits on earlier ones, how each try of them ends, and in which order workers are done."""
    total = draw(st.integers(1, 12))
    waits = [draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set() for n in range(total)]
    tries = [draw(st.lists(st.sampled_from(("ok", "boom", "final")), min_size=3, max_size=3)) for _ in range(total)]
    gaps = draw(st.sets(st.integers(0, total - 1)))
    return waits, tries, gaps, draw(st.integers(1, 4)), draw(st.randoms(use_true_random=False))


@given(scenarios())
def test_every_job_ends_once_and_none_starts_before_what_it_waits_for_has_succeeded(scenario):
    waits, tries, gaps, workers, chance = scenario
    common = {"source": Path("x"), "folder": Path("w"), "shot": Shot(0, 9), "settings": SETTINGS}
    jobs = [
        PriorJob(id=str(n), after=tuple(str(m) for m in sorted(on)), shot_index=n, **common)
        for n, on in enumerate(waits)
    ]
    queue = JobQueue(item for n, job in enumerate(jobs) for item in ([None, job] if n in gaps else [job]))
    outcomes, working, begun = [], [], []
    succeeded = set()
    for turn in count():
        assert turn < 500, "the queue goes round for ever"
        while len(working) < workers and (taken := queue.take()) is not None:
            assert succeeded.issuperset(taken[0].after)
            working.append(taken)
            begun.append(taken[0].id)
        outcomes.extend(queue.left_out())
        if queue.is_done and not working:
            break
        if not working:
            continue
        job, attempt = working.pop(chance.randrange(len(working)))
        ends = tries[int(job.id)][attempt - 1]
        if ends == "ok":
            succeeded.add(job.id)
            outcomes.append(queue.succeeded(job, attempt, record_of(job)))
        elif (outcome := queue.failed(job, attempt, BOOM if ends == "boom" else InputError("gone"))) is not None:
            outcomes.append(outcome)
    assert sorted(names(outcomes)) == sorted(job.id for job in jobs)
    for outcome in outcomes:
        plan = tries[int(outcome.job.id)]
        last = next((end for end in plan if end != "boom"), "boom")
        expected = plan.index(last) + 1 if last != "boom" else 3
        if outcome.record is None and outcome.error is None:
            assert not succeeded.issuperset(outcome.job.after)
            assert outcome.job.id not in begun
        else:
            assert (outcome.record is not None) == (last == "ok")
            assert begun.count(outcome.job.id) == expected
