from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ddvideo.pipeline
from ddvideo.types import Chunk, InputInfo, ProgressEvent, Shot

ROOT = Path(__file__).parents[2]


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs ``python -m ddvideo`` (or other Python arguments) as a user would, output in bytes."""

    def run(*arguments: str | bytes, python: tuple[str, ...] = ("-m", "ddvideo"), **more: Any) -> Any:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more.pop("env", {})
        return subprocess.run(
            [sys.executable, *python, *arguments],
            capture_output=True,
            timeout=120,
            check=False,
            env=environment,
            **more,
        )

    return run


def make_info(path: Path = Path("clip.mp4"), **changes: Any) -> InputInfo:
    values: dict[str, Any] = {
        "path": path,
        "kind": "video",
        "width": 854,
        "height": 480,
        "frames": 90,
        "fps": Fraction(30000, 1001),
        "duration_seconds": 3.003,
        "codec": "h264",
        "pix_fmt": "yuv420p",
    }
    return InputInfo(**values | changes)


@pytest.fixture
def info() -> Callable[..., InputInfo]:
    return make_info


def make_result(path: Path, out: Path, **report: Any) -> SimpleNamespace:
    """What the pipeline gives back, as far as the command line looks at it."""
    folder = out / path.stem
    layers = {name: SimpleNamespace(path=folder / f"{name}.mp4") for name in ("foreground", "background", "alpha")}
    told = {
        "task": "segment",
        "input": {"path": str(path)},
        "quality": {"recomposition_psnr_db": 47.1},
        "timings_seconds": {"total": 72.3},
        "seconds_per_frame": 0.8,
        "warnings": [],
    }
    return SimpleNamespace(input=path, folder=folder, layers=layers, report=told | report, plan=None, error=None)


def make_plan_result(path: Path, out: Path) -> SimpleNamespace:
    from ddvideo.pipeline import Plan

    plan = Plan(
        info=make_info(path),
        start=0,
        stop=90,
        shots=(Shot(0, 60), Shot(60, 90)),
        chunks=(Chunk(0, 0, 0, 36), Chunk(1, 0, 24, 60), Chunk(2, 1, 60, 90)),
        work_mib=250.4,
        results_mib=12.2,
        estimated_seconds=83.0,
        estimated_memory_mib=1500.0,
    )
    return SimpleNamespace(input=path, folder=out / path.stem, layers={}, report={}, plan=plan, error=None)


class FakePipeline:
    """Stands in for ``ddvideo.pipeline.decompose``: remembers how it was called and does what a test asks."""

    def __init__(self) -> None:
        self.called: dict[str, Any] = {}
        self.events: list[ProgressEvent] = []
        self.errors: dict[str, Exception] = {}
        self.report: dict[str, Any] = {}

    def __call__(self, inputs: list[Path], **options: Any) -> list[SimpleNamespace]:
        self.called = {"inputs": inputs, **options}
        for event in self.events:
            options["progress"](event)
        results = []
        for path in inputs[:1] if options.get("together") else inputs:
            error = self.errors.get(path.name)
            if error is not None and len(inputs) == 1:
                raise error
            result = (make_plan_result if options.get("dry_run") else make_result)(
                path, Path(options.get("out", "ddvideo-out"))
            )
            result.report |= self.report if result.report else {}
            if error is not None:
                result = SimpleNamespace(input=path, folder=None, layers={}, report={}, plan=None, error=error)
            results.append(result)
        return results


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    fake = FakePipeline()
    monkeypatch.setattr(ddvideo.pipeline, "decompose", fake)
    return fake
