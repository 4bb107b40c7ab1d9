from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from media_clips import Images, natural, write_clip


@pytest.fixture(scope="session")
def clip() -> Images:
    """48 natural frames of 192x128."""
    return natural(48, 192, 128)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """``make("name.mp4", frames, **how)`` writes a clip into the test's folder."""
    return lambda name, frames, **how: write_clip(tmp_path / name, frames, **how)
