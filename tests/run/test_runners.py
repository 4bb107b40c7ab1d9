from __future__ import annotations

from pathlib import Path

import pytest

from ddvideo.config import Settings
from ddvideo.errors import InputError, UsageError
from ddvideo.runners import InProcessRunner, JobsFailedError, jobs_failed
from ddvideo.types import Chunk, ChunkJob, ChunkRecord, PriorJob, PriorRecord, Shot

SHOT = Shot(0, 30)
COMMON = {"source": Path("x.mp4"), "shot": SHOT, "settings": Settings(task="segment", seed=5), "folder": Path("w")}
PRIOR = PriorJob(id="prior-0000", shot_index=0, **COMMON)
CHUNKS = [
    ChunkJob(id=f"chunk-{i:04d}", chunk=Chunk(i, 0, i * 10, i * 10 + 10), after=("prior-0000",), **COMMON)
    for i in range(3)
]


BOOM = ValueError("boom")


class Fake:
    """Carries out jobs in no time; ``bad`` maps a job's id to how often it raises, and what."""

    def __init__(self, bad=None, error=BOOM):
        self.bad = dict(bad or {})
        self.error = error
        self.ran = []

    def __call__(self, job, progress):
        self.ran.append((job.id, job.settings.seed))
        if self.bad.get(job.id, 0):
            self.bad[job.id] -= 1
            raise self.error
        if isinstance(job, PriorJob):
            return PriorRecord(shot_index=0, file="p", sha256="", steps=1, seconds=0)
        return ChunkRecord(chunk=job.chunk, steps=1, seconds=0, loss=0, attempts=1, files={}, sha256={})


def run(jobs, execute):
    """Records, and the error that a run of these jobs ends with."""
    outcomes = list(InProcessRunner().run(jobs, execute, lambda event: None))
    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    left_out = len(outcomes) - len(records) - len(failed)
    return records, jobs_failed(failed, left_out=left_out, total=len(jobs)) if failed else None


def test_jobs_wait_for_what_they_need():
    fake = Fake()
    records, error = run([PRIOR, CHUNKS[1], CHUNKS[0]], fake)
    assert error is None
    assert [name for name, _ in fake.ran] == ["prior-0000", "chunk-0001", "chunk-0000"]
    assert len(records) == 3


def test_jobs_are_asked_for_one_at_a_time():
    asked = []

    def source():
        for job in (PRIOR, *CHUNKS):
            asked.append(job.id)
            yield job

    for done, _ in enumerate(InProcessRunner().run(source(), Fake(), lambda event: None), start=1):
        assert len(asked) == done


def test_a_source_that_has_nothing_now_is_asked_again():
    jobs = [PRIOR, None, None, CHUNKS[0], None, CHUNKS[1]]
    outcomes = list(InProcessRunner().run(jobs, Fake(), lambda event: None))
    assert [outcome.job.id for outcome in outcomes] == ["prior-0000", "chunk-0000", "chunk-0001"]


def test_a_job_that_is_not_there_counts_as_done():
    _, error = run(CHUNKS, fake := Fake())
    assert error is None
    assert len(fake.ran) == 3


def test_a_failure_is_tried_again_from_another_seed_and_counted():
    records, error = run([PRIOR, *CHUNKS], fake := Fake({"chunk-0001": 2}))
    assert error is None
    seeds = [seed for name, seed in fake.ran if name == "chunk-0001"]
    assert seeds[0] == 5
    assert len(set(seeds)) == 3
    assert [record.attempts for record in records[1:]] == [1, 3, 1]


def test_a_poison_chunk_is_named_and_the_rest_is_finished():
    records, error = run([PRIOR, *CHUNKS], fake := Fake({"chunk-0001": 9}))
    assert isinstance(error, JobsFailedError)
    assert error.exit_code == 5
    assert "chunk 1 (frames 10 to 19): ValueError: boom" in str(error)
    assert error.reasons == {"chunk-0001": "ValueError: boom"}
    assert len(str(error).splitlines()) <= 2
    assert [name for name, _ in fake.ran].count("chunk-0001") == 3
    assert [record.chunk.index for record in records[1:]] == [0, 2]


def test_what_waits_for_a_failed_prior_is_left_out():
    records, error = run([PRIOR, *CHUNKS], fake := Fake({"prior-0000": 9}))
    assert "the prior of shot 0" in str(error)
    assert records == []
    assert {name for name, _ in fake.ran} == {"prior-0000"}


def test_an_error_that_a_retry_cannot_mend_ends_its_job_at_once():
    fake = Fake({"chunk-0000": 9}, error=InputError("gone"))
    outcomes = list(InProcessRunner().run([PRIOR, *CHUNKS], fake, lambda event: None))
    assert [name for name, _ in fake.ran].count("chunk-0000") == 1
    (failed,) = [outcome for outcome in outcomes if outcome.error is not None]
    assert str(failed.error) == "gone"
    assert len(outcomes) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupt_is_not_a_failure(error):
    fake = Fake({"chunk-0000": 1}, error=error)
    with pytest.raises(type(error)):
        run([PRIOR, *CHUNKS], fake)
    assert len(fake.ran) == 2


def test_doubles_are_refused():
    with pytest.raises(UsageError, match="same id"):
        run([PRIOR, PRIOR], Fake())
