"""Runs that join a cluster of three nodes, and the real engine, whose result must not depend on who runs it."""

from __future__ import annotations

import time

import pytest

from ddvideo.config import Settings
from ddvideo.errors import UsageError
from ddvideo.pipeline.ask import make_requests
from ddvideo.pipeline.one import decompose_one
from ddvideo.runners import InProcessRunner, RayRunner, cluster
from tests.run.run_fakes import Engine, make_jobs, write_clip

pytestmark = pytest.mark.ray

DEHAZE = Settings(
    task="dehaze",
    preset="fast",
    device="cpu",
    threads=1,
    working_px=128,
    chunk_frames=10,
    overlap_frames=3,
    key_frames=8,
    options={"effort": 0.2},
)


@pytest.fixture(scope="module")
def three_nodes():
    """A cluster with tokens, of two CPUs and twice one."""
    cluster._prepare_environment()
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20},
    )
    for _ in range(2):
        nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    yield nodes
    nodes.shutdown()


@pytest.fixture(scope="module")
def dehazed(clip_path, tmp_path_factory):
    """Takes haze off a clip with a runner; names of the chunks' files, which hold the hash of what is in them."""

    def run(runner):
        root = tmp_path_factory.mktemp("dehazed")
        (request,) = make_requests(
            task="dehaze", settings=DEHAZE, frames=(0, 31), runner=runner, keep_work=True, format="png"
        )
        result = decompose_one(clip_path("hazy"), root, request, lambda event: None)
        assert len(result.report["chunks"]) > 3
        return {path.name for path in (root / ".work").glob("chunk-*.npy")}, result.report["runner"]

    return run


@pytest.fixture(scope="module")
def by_this_process(dehazed):
    names, runner = dehazed(InProcessRunner())
    assert len(names) > 7
    assert runner == {"kind": "inprocess", "workers": 1}
    return names


@pytest.mark.timeout(300)
def test_the_layers_are_the_same_in_this_process_with_one_worker_and_with_four_on_three_nodes(
    by_this_process, dehazed, three_nodes
):
    for workers, address in ((1, None), (4, three_nodes.address)):
        runner = RayRunner(workers, address=address, threads=1)
        try:
            names, told = dehazed(runner)
        finally:
            runner.close()
        assert told == {"kind": "ray", "workers": workers}
        assert names == by_this_process


def test_a_cluster_is_filled_and_a_worker_larger_than_every_node_is_refused_at_once(three_nodes, tmp_path):
    begun = time.monotonic()
    with pytest.raises(UsageError, match=r"a worker needs 3 CPUs, which no machine of the cluster has \(.*: 2 CPUs"):
        list(RayRunner(1, address=three_nodes.address, threads=3).run([], None, None))
    assert time.monotonic() - begun < 10
    for asked, threads, workers in ((None, 1, 4), (9, 1, 4), (2, 1, 2), (None, 2, 1)):
        runner = RayRunner(asked, address=three_nodes.address, threads=threads)
        try:
            assert list(runner.run([], None, None)) == []
            assert runner.workers == workers
        finally:
            runner.close()


def test_a_node_that_goes_in_the_middle_costs_attempts_and_the_run_is_finished(three_nodes, tmp_path):
    clip = write_clip(tmp_path / "waves.mp4")
    engine = Engine(tmp_path / "log", slow_seconds=1.0)
    jobs = make_jobs(tmp_path / "work", clip, frames=44, each=4)
    lost = three_nodes.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    runner = RayRunner(None, address=three_nodes.address, threads=1)
    outcomes, removed = [], 0.0
    try:
        for outcome in runner.run(jobs, engine, lambda event: None):
            outcomes.append(outcome)
            if not removed and len(engine.tries()) >= 7:
                assert runner.workers == 6
                time.sleep(0.3)
                three_nodes.remove_node(lost, allow_graceful=False)
                removed = time.monotonic()
    finally:
        runner.close()
    assert removed
    assert sorted(outcome.job.id for outcome in outcomes) == sorted(job.id for job in jobs)
    assert [outcome.error for outcome in outcomes] == [None] * len(jobs)
    again = [outcome for outcome in outcomes if getattr(outcome.record, "attempts", 1) > 1]
    assert 1 <= len(again) <= 2
    assert time.monotonic() - removed < 60
