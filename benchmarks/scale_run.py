"""One run whose jobs are timed, in a process of its own; prints what it has found as JSON.

``python -m benchmarks.scale_run CLIP --out DIR --runner ray --workers 2 --settings '{"task": "segment"}'``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.once import ROOT, RunError
from ddvideo.config import Settings
from ddvideo.runners import Execute, InProcessRunner, Outcome, RayRunner, Runner
from ddvideo.types import Job, Progress

__all__ = ["Asked", "timed_run"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is run: one clip, or with ``is_batch`` a folder of clips."""

    source: Path
    out: Path
    runner: str
    workers: int
    settings: Mapping[str, Any]
    is_batch: bool = False


def timed_run(asked: Asked) -> dict[str, Any]:
    """Run in a process of its own.

    Returns:
        ``wall_seconds`` of the call; ``jobs``: id, when it ended and the seconds it took by its own clock;
        ``started_seconds``: when the runner was first asked for its jobs; ``peak_rss_mib`` of the process (with Ray:
        of the driver alone); ``report`` of a single clip.

    Raises:
        RunError: it failed.
    """
    line = [
        sys.executable,
        "-m",
        "benchmarks.scale_run",
        str(asked.source.resolve()),
        "--out",
        str(asked.out.resolve()),
    ]
    line += ["--runner", asked.runner, "--workers", str(asked.workers), "--settings", json.dumps(dict(asked.settings))]
    done = subprocess.run(
        [*line, *(["--batch"] if asked.is_batch else [])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunError(" | ".join(done.stderr.strip().splitlines()[-3:]) or f"exit code {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


class Timed:
    """A runner that notes when each job ends."""

    def __init__(self, runner: Runner, begun: float) -> None:
        self._runner, self._begun = runner, begun
        self.kind, self.workers, self.threads = runner.kind, runner.workers, runner.threads
        self.jobs: list[dict[str, Any]] = []
        self.started_seconds: float | None = None

    def run(self, jobs: Iterable[Job | None], execute: Execute, progress: Progress) -> Generator[Outcome, None, None]:
        """As the runner does."""
        if self.started_seconds is None:
            self.started_seconds = time.perf_counter() - self._begun
        outcomes = self._runner.run(jobs, execute, progress)
        try:
            for outcome in outcomes:
                seconds = outcome.record.seconds if outcome.record is not None else None
                ended = time.perf_counter() - self._begun
                self.jobs.append({"id": outcome.job.id, "ended_seconds": round(ended, 3), "seconds": seconds})
                yield outcome
        finally:
            outcomes.close()

    def close(self) -> None:
        """As the runner does."""
        self._runner.close()


def main(argv: Sequence[str] | None = None) -> int:
    """What the process does; returns its exit code."""
    from ddvideo.hardware import peak_rss_mib
    from ddvideo.pipeline import decompose, decompose_all

    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_run", description="One timed run.")
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runner", choices=("inprocess", "ray"), default="inprocess")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--batch", action="store_true")
    given = parser.parse_args(argv)
    settings = Settings(**{"device": "cpu", "threads": 1, **given.settings})
    inner: Runner = RayRunner(given.workers, threads=1) if given.runner == "ray" else InProcessRunner()
    inner.threads = 1
    begun = time.perf_counter()
    timed = Timed(inner, begun)
    told: dict[str, Any] = {"runner": timed, "settings": settings, "task": settings.task, "fresh": True}
    if given.batch:
        items, _ = decompose_all(str(given.source), out=given.out, **told)
        found: dict[str, Any] = {"failed": sum(item.error is not None for item in items), "files": len(items)}
    else:
        (result,) = decompose([given.source], out=given.out, **told)
        found = {"report": dict(result.report)}
    found |= {
        "wall_seconds": round(time.perf_counter() - begun, 3),
        "started_seconds": round(timed.started_seconds or 0.0, 3),
        "jobs": timed.jobs,
        "peak_rss_mib": round(peak_rss_mib(), 1),
    }
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
