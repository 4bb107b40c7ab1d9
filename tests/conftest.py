"""What every test may use: the sample clips, and the scenes with known layers behind them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from sample_clips.render import scene as render_scene
from sample_clips.scene import Scene

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run, and no complaint that a busy machine is slow.
hypothesis.settings.register_profile("ddvideo", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ddvideo")


@pytest.fixture(scope="session")
def clip_path() -> Callable[[str], Path]:
    """``clip_path("mover")``: where a sample clip lies."""

    def find(name: str) -> Path:
        path = ROOT / "sample_clips" / f"{name}.mp4"
        assert path.is_file(), f"{path} is missing: python -m sample_clips.render"
        return path

    return find


@pytest.fixture(scope="session")
def scene() -> Callable[[str], Scene]:
    """``scene("mover")``: the scene behind a sample clip, its textures drawn once a session."""
    return cache(render_scene)
