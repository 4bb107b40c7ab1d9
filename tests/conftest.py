"""What every test may use: the sample clips, the scenes with known layers behind them, and a DAVIS folder of these."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import hypothesis
import numpy as np
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


@pytest.fixture(scope="session")
def davis(tmp_path_factory: pytest.TempPathFactory, scene: Callable[[str], Scene]) -> Path:
    """A DAVIS folder in small: six frames of the koi in two sequences, and what is said of three methods on one."""
    folder, koi = tmp_path_factory.mktemp("davis"), scene("mover")
    for name in ("koi", "carp"):
        for kind in ("frames", "masks"):
            (folder / kind / name).mkdir(parents=True)
    for index in range(6):
        layers = koi.layers(20 + index)
        rgb = np.rint(255 * koi.compose(layers)).astype(np.uint8)
        mask = np.where(layers["alpha"][..., 0] > 0.5, 255, 0).astype(np.uint8)
        for name in ("koi", "carp"):
            assert cv2.imwrite(str(folder / "frames" / name / f"{index:05d}.jpg"), rgb[..., ::-1])
            assert cv2.imwrite(str(folder / "masks" / name / f"{index:05d}.png"), mask)
    lines = ["sequence,FST,NLC,SAL,u2netp_every_8th_frame", "koi,0.100,0.990,0.2,0.300", "mean,0.1,0.9,0.2,0.3"]
    (folder / "published_J.csv").write_text("\n".join(lines) + "\n")
    return folder
