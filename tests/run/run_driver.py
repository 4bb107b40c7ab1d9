"""The real command with the small engine of the tests in place of the fit: run by tests in a process of its own.

``python -m tests.run.run_driver segment CLIP -o DIR ...``; what the engine does is said by the environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

import ddvideo
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("foreground", "background", "alpha")


def install() -> None:
    """Put the small task and engine where the pipeline looks for the real ones."""
    fit, tasks = ModuleType("ddvideo.fit"), ModuleType("ddvideo.tasks")
    tasks.__path__ = [str(Path(ddvideo.__file__).parent / "tasks")]  # what a task is stays as it is
    fit.execute = fake_execute  # type: ignore[attr-defined]
    tasks.TASKS = {"segment": SEGMENT}  # type: ignore[attr-defined]
    sys.modules["ddvideo.fit"], sys.modules["ddvideo.tasks"] = fit, tasks
    from ddvideo.pipeline import ask

    steps = int(os.environ.get("FAKE_STEPS", "1"))

    def settings_for(recipe, preset, *, device, seed, threads, stage=0):
        return replace(SETTINGS, preset=preset, seed=seed, threads=threads, options={"steps": steps})

    ask.settings_for = settings_for  # type: ignore[assignment]
    ask.resolve_device = lambda name: "cpu"  # the real one imports torch, which takes longer than all the rest
    if size := os.environ.get("FAKE_SHARED_MEMORY"):
        shrink_shared_memory(int(size))
    if frames := os.environ.get("FAKE_KILL_AT_MERGE"):
        kill_at_merge(int(frames))


def shrink_shared_memory(size: int) -> None:
    """Let /dev/shm look as small as containers often have it."""
    statvfs = os.statvfs

    def small(path):
        state = statvfs(path)
        if path != "/dev/shm":
            return state
        return os.statvfs_result(
            (*state[:2], size // state.f_frsize, size // state.f_frsize, size // state.f_frsize, *state[5:])
        )

    os.statvfs = small


def kill_at_merge(frames: int) -> None:
    """Let the process kill itself once so many frames have been merged."""
    from ddvideo.pipeline import input_run

    merge_chunks = input_run.merge_chunks

    def merge(*args, **kwargs):
        for done, frame in enumerate(merge_chunks(*args, **kwargs)):
            if done == frames:
                os.kill(os.getpid(), signal.SIGKILL)
            yield frame

    input_run.merge_chunks = merge


class Runs:
    """Starts the command again and again on one clip and into one folder."""

    def __init__(self, clip: Path, folder: Path) -> None:
        self.clip, self.out, self.log = clip, folder / "out", folder / "log"
        self.result = self.out / clip.stem

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start, in a process group of its own, as a shell does."""
        command = [sys.executable, "-m", "tests.run.run_driver", "segment", str(self.clip), "-o", str(self.out)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FAKE_")}
        env = clean | {"FAKE_LOG": str(self.log), "OMP_NUM_THREADS": "1"} | environment
        return subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def finish(self, *options: str, **environment: str) -> tuple[int, str]:
        process = self.start(*options, **environment)
        _, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors, errors
        return process.returncode, errors

    def start_and_wait_for(self, job: str, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start, and return once the engine has been asked for ``job``, which it will not do."""
        process = self.start(*options, FAKE_STOP=job, **environment)
        deadline = time.monotonic() + 60
        while "waiting" not in self.jobs():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    def done(self) -> list[str]:
        """The jobs that were begun, in any start, without those that were stopped before they did anything."""
        return [job for job in self.jobs() if job != "waiting"]

    def jobs(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").split() if self.log.exists() else []

    def layers(self) -> dict[str, np.ndarray]:
        from ddvideo.media import read_layer

        return {name: np.stack(list(read_layer(self.result / f"{name}.mp4"))) for name in LAYERS}

    def report(self) -> dict:
        return json.loads((self.result / "report.json").read_text(encoding="utf-8"))


def assert_same_layers(one: Runs, other: Runs) -> None:
    for name, values in one.layers().items():
        assert np.abs(values - other.layers()[name]).max() <= 1 / 255, name


if __name__ == "__main__":
    install()
    from ddvideo.cli.main import main

    main()
