from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ddvideo import hardware
from ddvideo.errors import UsageError


@pytest.fixture
def machine(monkeypatch):
    """Makes torch see a machine with so many GPUs."""

    def has(gpus: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


@pytest.mark.parametrize(
    ("gpus", "mps", "name", "device"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (2, True, "auto", "cuda"),
        (2, False, "cpu", "cpu"),
        (2, False, "cuda", "cuda"),
        (2, False, "cuda:1", "cuda:1"),
        (0, True, "mps", "mps"),
    ],
)
def test_a_device_that_is_there_is_taken(gpus, mps, name, device, machine):
    machine(gpus, mps)
    assert hardware.resolve_device(name) == device


@pytest.mark.parametrize(
    ("gpus", "mps", "name", "told"),
    [
        (0, False, "cuda", r"no device cuda here .*choose --device cpu$"),
        (0, True, "cuda:0", r"choose --device cpu or mps$"),
        (2, False, "cuda:2", r"no device cuda:2 here; choose --device cpu or cuda:0 or cuda:1$"),
        (0, False, "mps", r"no device mps here; choose --device cpu$"),
        (0, False, "tpu", r"unknown device 'tpu'; it is one of auto, cpu, cuda, cuda:N"),
        (0, False, "cuda:", "unknown device"),
        (0, False, "cuda:-1", "unknown device"),
        (0, False, "CPU", "unknown device"),
        (0, False, "cpu\n", "unknown device"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_those_that_are(gpus, mps, name, told, machine):
    machine(gpus, mps)
    with pytest.raises(UsageError, match=told):
        hardware.resolve_device(name)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 1), ("50000 100000", 1), ("", 8)]
)
def test_cores_are_those_of_affinity_and_quota(quota, cores, monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    if quota:
        (tmp_path / "cpu.max").write_text(quota + "\n", encoding="ascii")
    assert hardware.usable_cores() == cores


@pytest.mark.parametrize(
    ("requested", "environment", "threads"),
    [(None, "", 4), (None, "2", 2), (None, "3,1", 3), (None, "64", 4), (None, "zero", 4), (1, "3", 1), (9, "", 4)],
)
def test_threads_never_outnumber_cores(requested, environment, threads, monkeypatch):
    monkeypatch.setattr(hardware, "usable_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", environment)
    assert hardware.thread_count(requested) == threads


def test_no_threads_are_refused():
    with pytest.raises(UsageError, match="at least one thread"):
        hardware.thread_count(0)


def test_peak_memory_is_what_this_process_held_not_the_one_that_started_it():
    line = (
        "from ddvideo.hardware import peak_rss_mib as peak; before = peak(); held = bytearray(b'x' * 2**20) * 200;"
        "most = peak(); del held; print(before, most, peak())"
    )
    ballast = bytearray(b"x") * (200 * 2**20)
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, check=True, cwd=Path(__file__).parents[2])
    del ballast
    before, most, after = map(float, done.stdout.split())
    assert 5 < before < 100
    assert 199 < most - before < 230
    assert after == most


def test_memory_is_cut_to_the_limit_of_the_container(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    assert hardware.memory_mib() > 64
    (tmp_path / "memory.max").write_text(f"{64 * 2**20}\n", encoding="ascii")
    assert hardware.memory_mib() == 64


@pytest.mark.parametrize(
    ("flags", "bf16"), [({"avx512f"}, False), ({"amx_bf16", "sse"}, True), ({"avx512_bf16"}, True), (set(), False)]
)
def test_bf16_on_a_processor_is_read_from_its_flags(flags, bf16, monkeypatch):
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: frozenset(flags))
    assert hardware.supports_bf16("cpu") is bf16
    assert hardware.supports_bf16("mps") is False
