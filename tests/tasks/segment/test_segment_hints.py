"""Hints of a single frame on scenes whose layers are known: carried to all frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.davis import write_clip
from ddvideo.hardware import thread_count
from ddvideo.metrics import jaccard
from ddvideo.pipeline import decompose
from ddvideo.pipeline.hints import hint_options
from ddvideo.recipes import load_recipe, settings_for

FRAMES = 7


def segmented(clip, out, *, chunk_frames=72, key_frames=96, **hints):
    """Alphas of the first frames, by the seeds alone."""
    base = settings_for(load_recipe("segment"), "fast", device="cpu", seed=0, threads=thread_count())
    small = {"working_px": 160, "overlap_frames": 2, "chunk_frames": chunk_frames, "key_frames": key_frames}
    settings = replace(base, **small, options={"coupled": False})
    (result,) = decompose(
        clip, task="segment", out=out, settings=settings, frames=(0, FRAMES), options=hint_options(**hints)
    )
    return np.stack(list(result.layers["alpha"].frames())), result.report


def hints(fg_hint=None, bg_hint=None, box=None, hint_frame=None):
    return {"fg_hint": fg_hint, "bg_hint": bg_hint, "box": box, "hint_frame": hint_frame}


@pytest.fixture(scope="module")
def koi(scene):
    return [scene("mover").layers(index)["alpha"][..., 0] > 0.5 for index in range(FRAMES)]


@pytest.fixture(scope="module")
def pan(scene, tmp_path_factory):
    """A camera that passes a koi at rest, so that nothing moves on its own; and where the koi is."""
    layers = scene("mover").layers(10)
    pond = np.rint(255 * scene("mover").compose(layers)).astype(np.uint8)
    mask = layers["alpha"][..., 0] > 0.5
    parts = [(slice(0, 160), slice(3 * t, 3 * t + 280)) for t in range(FRAMES)]
    path = tmp_path_factory.mktemp("pan") / "pan.mp4"
    return write_clip(path, [np.ascontiguousarray(pond[part]) for part in parts]), [mask[part] for part in parts]


@pytest.fixture(scope="module")
def unhinted(pan, tmp_path_factory):
    alphas, report = segmented(pan[0], tmp_path_factory.mktemp("unhinted"), **hints())
    assert "motion looks like noise" in report["warnings"][0]
    return float(np.mean(scores(alphas, pan[1])))


def scores(alphas, masks):
    return [jaccard(alpha > 0.5, mask) for alpha, mask in zip(alphas, masks, strict=True)]


def write(path, mask):
    assert cv2.imwrite(str(path), 255 * mask.astype(np.uint8))
    return path


def test_a_mask_of_one_frame_leaves_nothing_to_guess_in_any(pan, unhinted, tmp_path):
    clip, masks = pan
    small = cv2.resize(masks[0].astype(np.uint8), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    alphas, report = segmented(clip, tmp_path, **hints(fg_hint=write(tmp_path / "koi.png", small)))
    found = scores(alphas, masks)
    assert np.mean(found[1:]) > unhinted - 0.02
    assert min(found) > 0.75
    assert report["warnings"] == []
    assert report["quality"]["recomposition_psnr_db"] > 40


def test_the_hint_reaches_chunks_whose_frames_it_is_not_of(pan, unhinted, tmp_path):
    """It is not of a frame that the prior sees by itself, and of none of the second chunk: the koi is background."""
    clip, masks = pan
    assert unhinted > 0.8
    told = hints(bg_hint=write(tmp_path / "koi.png", masks[1]), hint_frame=1)
    alphas, report = segmented(clip, tmp_path, chunk_frames=5, key_frames=2, **told)
    assert [chunk["start"] for chunk in report["chunks"]] == [0, 2]
    assert max(alpha[mask].mean() for alpha, mask in zip(alphas[4:], masks[4:], strict=True)) < 0.5


def test_what_is_hinted_wins_over_what_moves(clip_path, koi, tmp_path):
    """A third of the frame is foreground by the hint, and the koi is not."""
    part = np.zeros_like(koi[0])
    part[:, : part.shape[1] // 3] = True
    told = write(tmp_path / "part.png", part & ~koi[0])
    other = write(tmp_path / "koi.png", koi[0])
    alphas, _ = segmented(clip_path("mover"), tmp_path, **hints(fg_hint=told, bg_hint=other))
    assert alphas[0][cv2.erode(koi[0].astype(np.uint8), np.ones((9, 9), np.uint8)) > 0].mean() < 0.05
    assert alphas[5][koi[5]].mean() < 0.4


def test_a_box_bounds_what_moves_in_its_frame(clip_path, koi, tmp_path):
    """Of the koi, only its front half is in the box."""
    columns = np.flatnonzero(koi[4].any(0))
    middle, rows = int(columns.mean()), np.flatnonzero(koi[4].any(1))
    front = [middle, int(rows[0]), int(columns[-1]) + 1 - middle, int(rows[-1]) + 1 - int(rows[0])]
    alphas, _ = segmented(clip_path("mover"), tmp_path, **hints(box=front, hint_frame=4))
    outside, inside = koi[4].copy(), koi[4].copy()
    outside[:, middle - 8 :] = False
    inside[:, :middle] = False
    assert outside.sum() > 300
    assert alphas[4][outside].max() < 0.1
    assert jaccard(alphas[4] > 0.5, inside) > 0.7
