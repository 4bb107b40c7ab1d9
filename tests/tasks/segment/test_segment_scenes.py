"""``segment`` on small rendered scenes that are hard, without its networks: the hints decide what is found at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.davis import write_clip
from benchmarks.robust_scenes import make_scene, mask_of
from benchmarks.robustness import silent_failure
from benchmarks.score import score_alphas
from ddvideo.pipeline import decompose
from ddvideo.recipes import load_recipe, settings_for


@pytest.mark.parametrize(
    ("name", "frames", "floor"),
    [
        ("static-camera", 8, 0.55),
        ("zoom", 8, 0.5),
        ("half-the-frame", 8, 0.7),
        ("stops-half-way", 24, 0.7),
        ("enters-late-and-leaves", 32, 0.7),
    ],
)
def test_a_hard_scene_is_found_and_never_lost_in_silence(name, frames, floor, tmp_path):
    scene = make_scene(name, frames=frames, width=214, height=120)
    layers = [scene.layers(index) for index in range(frames)]
    pictures = [np.rint(255 * scene.compose(each)).astype(np.uint8) for each in layers]
    clip = write_clip(tmp_path / f"{name}.mp4", pictures)
    settings = settings_for(load_recipe("segment"), "fast", device="cpu", seed=0, threads=1)
    settings = replace(settings, options={**settings.options, "coupled": False})
    (result,) = decompose([clip], task="segment", out=tmp_path / "out", settings=settings)
    assert result.error is None
    alphas = list(result.layers["alpha"].frames())
    share = 100 * float(np.mean([alpha > 0.5 for alpha in alphas]))
    assert not silent_failure({"share_percent": share, "warnings": result.report["warnings"]})
    score = score_alphas(iter(alphas), (mask_of(each) for each in layers))
    assert np.mean(score.j) > floor
    assert 0 < result.report["quality"]["alpha_flicker"] < 0.1
