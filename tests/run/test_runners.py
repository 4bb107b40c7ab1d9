from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ddvideo.config import Settings
from ddvideo.errors import DecompositionError, InputError, UsageError
from ddvideo.runners import InProcessRunner, JobsFailedError
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
    records = []
    try:
        for record in InProcessRunner().run(jobs, execute, lambda event: None):
            records.append(record)
    except DecompositionError as error:
        return records, error
    return records, None


def test_jobs_wait_for_what_they_need():
    fake = Fake()
    records, error = run([CHUNKS[1], PRIOR, CHUNKS[0]], fake)
    assert error is None
    assert [name for name, _ in fake.ran] == ["prior-0000", "chunk-0001", "chunk-0000"]
    assert len(records) == 3


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


def test_errors_that_a_retry_cannot_mend_pass_at_once():
    fake = Fake({"chunk-0000": 9}, error=InputError("gone"))
    with pytest.raises(InputError, match="gone"):
        run([PRIOR, *CHUNKS], fake)
    assert len(fake.ran) == 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupt_is_not_a_failure(error):
    fake = Fake({"chunk-0000": 1}, error=error)
    with pytest.raises(type(error)):
        run([PRIOR, *CHUNKS], fake)
    assert len(fake.ran) == 2


def test_circles_and_doubles_are_refused():
    with pytest.raises(UsageError, match="wait for each other"):
        run([replace(CHUNKS[0], after=("chunk-0001",)), replace(CHUNKS[1], after=("chunk-0000",))], Fake())
    with pytest.raises(UsageError, match="same id"):
        run([PRIOR, PRIOR], Fake())
