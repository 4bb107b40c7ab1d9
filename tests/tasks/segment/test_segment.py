"""Segmentation on scenes whose layers are known: the whole way, from file to files."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import ddvideo
from ddvideo.hardware import thread_count
from ddvideo.media import open_sink, open_source
from ddvideo.metrics import jaccard
from ddvideo.pipeline import decompose
from ddvideo.recipes import load_recipe, settings_for
from ddvideo.types import InputInfo

pytestmark = pytest.mark.slow

FRAMES = 24


def settings(**changes):
    """The fast preset at a size at which a test can wait for it."""
    recipe = load_recipe("segment")
    base = settings_for(recipe, "fast", device="cpu", seed=0, threads=thread_count())
    return replace(base, **({"working_px": 240} | changes))


def write_video(path, frames):
    height, width = frames[0].shape[:2]
    info = InputInfo(
        path=path,
        kind="video",
        width=width,
        height=height,
        frames=len(frames),
        fps=Fraction(25),
        duration_seconds=len(frames) / 25,
        codec="h264",
        pix_fmt="yuv420p",
    )
    with open_sink(path, like=info, chroma="444" if width % 2 or height % 2 else "auto") as sink:
        for index, frame in enumerate(frames):
            sink.write(frame, Fraction(index, 25), Fraction(1, 25))
    return path


def alphas(result):
    return np.stack(list(result.layers["alpha"].frames()))


def mean_j(alpha, truth):
    return float(np.mean([jaccard(a > 0.5, t) for a, t in zip(alpha, truth, strict=True)]))


@pytest.fixture(scope="module")
def truth(scene):
    pond = scene("mover")
    return [pond.layers(index) for index in range(FRAMES)]


@pytest.fixture(scope="module")
def masks(truth):
    return [layers["alpha"][..., 0] > 0.5 for layers in truth]


@pytest.fixture(scope="module")
def koi(clip_path, tmp_path_factory):
    return ddvideo.segment(clip_path("mover"), out=tmp_path_factory.mktemp("koi"), preset="fast", frames=(0, FRAMES))


def test_the_koi_is_cut_out_whole_in_every_frame(koi, masks):
    scores = [jaccard(a > 0.5, t) for a, t in zip(alphas(koi), masks, strict=True)]
    assert np.mean(scores) > 0.9
    assert min(scores) > 0.8


def test_the_foreground_has_the_koi_s_colours_where_it_is(koi, truth):
    for frame, layers in zip(koi.layers["foreground"].frames(), truth, strict=True):
        inside = cv2.erode((layers["alpha"][..., 0] > 0.99).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert np.abs(frame - layers["foreground"])[inside].mean() < 0.03


def test_the_background_behind_the_koi_is_that_of_other_frames(koi, truth):
    """The koi's shadow moves with it, so that the plate lacks it: pebbles are compared by their structure."""
    agreement = []
    for frame, layers in zip(koi.layers["background"].frames(), truth, strict=True):
        hidden = layers["alpha"][..., 0] > 0.5
        agreement.append(np.corrcoef(frame.mean(2)[hidden], layers["background"].mean(2)[hidden])[0, 1])
    assert np.mean(agreement) > 0.6
    koi_left = [
        np.abs(frame - layers["foreground"])[layers["alpha"][..., 0] > 0.5].mean()
        for frame, layers in zip(koi.layers["background"].frames(), truth, strict=True)
    ]
    assert np.mean(koi_left) > 0.15, "the koi is still in the plate"


def test_layers_recompose_and_the_report_tells_how(koi):
    report = koi.report
    assert report["quality"]["recomposition_psnr_db"] > 40
    assert report["quality"]["worst_frame_psnr_db"] > 40
    assert report["warnings"] == []
    assert report["timings_seconds"]["seeds"] > 0
    assert report["timings_seconds"]["fit"] > 0
    assert np.isfinite(report["chunks"][0]["loss"])
    assert report["chunks"][0]["loss"] > 0


def test_the_same_seed_gives_the_same_layers(clip_path, tmp_path):
    runs = []
    for name in ("one", "two"):
        (result,) = decompose(
            clip_path("mover"), task="segment", out=tmp_path / name, settings=settings(), frames=(0, 8), format="png"
        )
        runs.append(alphas(result))
    assert np.array_equal(*runs)


def test_a_shot_in_many_chunks_gives_what_one_fit_gives(clip_path, tmp_path, masks):
    """Key frames spread over the shot, then chunks that start from them and vote with them."""
    many = settings(chunk_frames=12, overlap_frames=4, key_frames=10)
    (result,) = decompose(clip_path("mover"), task="segment", out=tmp_path, settings=many, frames=(0, FRAMES))
    assert len(result.report["chunks"]) == 3
    assert all(chunk["steps"] > 0 for chunk in result.report["chunks"])
    assert mean_j(alphas(result), masks) > 0.85
    assert result.report["quality"]["recomposition_psnr_db"] > 40
    assert result.report["warnings"] == []


def test_the_coupled_networks_are_what_the_option_turns_off(clip_path, tmp_path, masks):
    seeds = settings(options={"coupled": False})
    (result,) = decompose(clip_path("mover"), task="segment", out=tmp_path, settings=seeds, frames=(0, FRAMES))
    assert [chunk["steps"] for chunk in result.report["chunks"]] == [0]
    assert mean_j(alphas(result), masks) > 0.6
    assert result.report["quality"]["recomposition_psnr_db"] > 40


def test_a_clip_in_which_nothing_moves_is_told_apart_by_its_looks_with_a_warning(scene, tmp_path):
    still = scene("mover").frame(10)
    path = write_video(tmp_path / "still.mp4", [still] * 10)
    (result,) = decompose(path, task="segment", out=tmp_path, settings=settings())
    assert any("nothing moves" in warning for warning in result.report["warnings"])
    assert mean_j(alphas(result), [scene("mover").layers(10)["alpha"][..., 0] > 0.5] * 10) > 0.3
    assert result.report["quality"]["recomposition_psnr_db"] > 40


def test_a_single_image_is_told_apart_by_its_looks_with_a_warning(scene, tmp_path):
    picture = (scene("mover").frame(10)[..., ::-1] * 255).round().astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "koi.png"), picture)
    (result,) = decompose(tmp_path / "koi.png", task="segment", out=tmp_path / "out", settings=settings())
    assert any("single frame" in warning for warning in result.report["warnings"])
    assert result.layers["alpha"].path.name == "alpha.png"
    cut_out = cv2.imread(str(result.layers["foreground"].path), cv2.IMREAD_UNCHANGED)
    assert cut_out.shape == (*picture.shape[:2], 4)
    assert result.report["quality"]["recomposition_psnr_db"] > 40


def test_a_striped_thing_on_grass_is_cut_out_of_a_single_image(tmp_path):
    """As in the paper's figure 6: no colour of the object's is its own, and it is not in the middle."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:150, 0:220].astype(np.float32)
    mask = ((x - 95) / 45) ** 2 + ((y - 80) / 30) ** 2 < 1
    grass = np.array([70, 120, 50]) + cv2.GaussianBlur(rng.normal(0, 40, (150, 220)), (0, 0), 1)[..., None]
    stripes = np.where(np.sin((x + 0.3 * y) / 2.5)[..., None] > 0, 215, 40) + rng.normal(0, 4, (150, 220, 1))
    picture = np.clip(np.where(mask[..., None], stripes, grass), 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "zebra.png"), picture[..., ::-1])
    seeds = settings(options={"coupled": False})
    (result,) = decompose(tmp_path / "zebra.png", task="segment", out=tmp_path / "out", settings=seeds)
    assert mean_j(alphas(result), [mask]) > 0.9
    assert not any("stood out" in warning for warning in result.report["warnings"])


def test_an_image_in_which_nothing_stands_out_gives_an_empty_alpha_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("ddvideo.fit.window_fit.fit", None)  # there is nothing to fit
    noisy = np.clip(120 + np.random.default_rng(0).normal(0, 3, (90, 120, 3)), 0, 255).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "wall.png"), noisy)
    (result,) = decompose(tmp_path / "wall.png", task="segment", out=tmp_path / "out", settings=settings())
    np.testing.assert_array_equal(alphas(result), 0)
    assert sum("nothing stood out" in warning for warning in result.report["warnings"]) == 1
    assert result.report["quality"]["recomposition_psnr_db"] > 40


@pytest.mark.parametrize(("width", "height", "frames"), [(33, 17, 3), (16, 120, 2), (200, 20, 5)])
def test_tiny_and_odd_frames_are_done(width, height, frames, tmp_path):
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.random((height, width + 2 * frames, 3), np.float32), (0, 0), 2)
    clip = [picture[:, 2 * index : 2 * index + width] for index in range(frames)]
    path = write_video(tmp_path / "tiny.mp4", clip)
    (result,) = decompose(path, task="segment", out=tmp_path, settings=settings())
    assert alphas(result).shape == (frames, height, width)
    assert result.report["quality"]["recomposition_psnr_db"] > 40


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_clip_of_one_colour_is_done_with_a_warning(level, tmp_path):
    path = write_video(tmp_path / "flat.mp4", [np.full((64, 96, 3), level, np.float32)] * 6)
    (result,) = decompose(path, task="segment", out=tmp_path, settings=settings())
    assert result.report["warnings"]
    assert result.report["quality"]["recomposition_psnr_db"] > 40


def test_every_shot_has_a_fit_of_its_own(clip_path, tmp_path):
    (result,) = decompose(clip_path("mixed"), task="segment", out=tmp_path, settings=settings())
    assert len(result.report["shots"]) == 2
    with open_source(result.layers["foreground"].path) as source:
        assert source.info.audio == ("aac",)
        assert source.info.frames == result.report["input"]["frames"]
    assert result.report["quality"]["recomposition_psnr_db"] > 40


def test_deep_colour_stays_deep(scene, tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    for index in range(4):
        picture = (scene("mover").frame(index)[::2, ::2, ::-1] * 65535).round().astype(np.uint16)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    (result,) = decompose(folder, task="segment", out=tmp_path / "out", settings=settings())
    written = cv2.imread(str(sorted(result.layers["background"].path.iterdir())[0]), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert result.report["quality"]["recomposition_psnr_db"] > 60


def test_an_unknown_option_is_refused_with_the_nearest_right_one(clip_path, tmp_path):
    wrong = settings(options={"efort": 1.0})
    with pytest.raises(ddvideo.UsageError, match="did you mean 'effort'"):
        decompose(clip_path("mover"), task="segment", out=tmp_path, settings=wrong, frames=(0, 4))
    assert not (tmp_path / "mover" / "alpha.mp4").exists()


@pytest.mark.gpu
def test_the_koi_is_cut_out_on_a_gpu(clip_path, tmp_path, masks):
    import torch

    device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
    if not device:
        pytest.skip("there is no CUDA or MPS device here")
    (result,) = decompose(
        clip_path("mover"), task="segment", out=tmp_path, settings=settings(device=device), frames=(0, FRAMES)
    )
    assert mean_j(alphas(result), masks) > 0.85


@pytest.mark.data
def test_a_real_clip_is_cut_out(tmp_path):
    data = Path(__file__).parents[4] / "shared" / "data" / "davis"
    if not data.is_dir():
        pytest.skip(f"the evaluation data is not at {data}")
    files = [data / "masks" / "lucia" / f"{index:05d}.png" for index in range(FRAMES)]
    real = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127 for file in files]
    (result,) = decompose(
        data / "frames" / "lucia", task="segment", out=tmp_path, settings=settings(working_px=320), frames=(0, FRAMES)
    )
    assert mean_j(alphas(result), real) > 0.75
