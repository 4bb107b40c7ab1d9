"""Dehazing of scenes whose haze is known: the whole way, from file to files."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import ddvideo
from ddvideo.hardware import thread_count
from ddvideo.metrics import psnr_db
from ddvideo.pipeline import decompose
from ddvideo.recipes import load_recipe, settings_for

H, W = 96, 160
SKY = 14
"""Rows of sky, which has the colour of the haze."""
AIRLIGHT = np.float32([0.8, 0.85, 0.9])
WALL = np.s_[60:88, 70:110]
NOISE = 0.01


def ground(height=H, width=W, seed=0):
    """Hills of colour under small things, most of them black, of any colour the others; a light wall among them."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size, contrast in ((12, 0.12), (5, 0.1), (2, 0.08)):
        hills = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), size)
        picture += contrast * hills / hills.std() + np.float32([0.14, 0.13, 0.1])
    for _ in range(height * width // 90):
        y, x, size = rng.integers(height), rng.integers(width), rng.integers(3, 7)
        picture[y : y + size, x : x + size] = rng.uniform(0, 0.9, 3) if rng.random() < 0.4 else 0.015
    return np.clip(picture, 0, 1)


def scenery(frames, *, seed=0, airlight=AIRLIGHT, wall=None):
    """A camera that goes to the right by 2 pixels a frame, under a sky."""
    wide = ground(width=W + 2 * frames, seed=seed)
    if wall is not None:
        wide[WALL] = wall
    clear = np.stack([wide[:, 2 * t : 2 * t + W] for t in range(frames)])
    clear[:, :SKY] = airlight
    return clear


def depth_ramp(far=0.25, near=0.9, height=H):
    return np.linspace(far, near, height, dtype=np.float32)[:, None, None]


def through_haze(clear, t, airlight=AIRLIGHT):
    return t * clear + (1 - t) * airlight


def noisy(frames, seed=0):
    return frames + NOISE * np.random.default_rng(seed).standard_normal(frames.shape).astype(np.float32)


def write(folder, frames, dtype=np.uint8):
    folder.mkdir()
    for index, frame in enumerate(frames):
        picture = np.rint(np.clip(frame[..., ::-1], 0, 1) * np.iinfo(dtype).max).astype(dtype)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder


def dehaze(path, out, *, settings=None, **options):
    (result,) = decompose(path, task="dehaze", out=out, preset="fast", options=options, settings=settings)
    return result


def layer(result, name):
    return np.stack(list(result.layers[name].frames()))


def airlights(result):
    return [shot["rgb"] for shot in result.report["airlight"]]


def veil(result):
    """The haze that is taken away, ``(1 - t) A``."""
    return (1 - layer(result, "transmission_map")[..., None]) * np.float32(airlights(result)[0])


def says(result, words):
    return any(words in warning for warning in result.report["warnings"])


@pytest.fixture(scope="module")
def clear():
    return scenery(16, wall=0.72)


@pytest.fixture(scope="module")
def hazed(clear):
    return through_haze(clear, depth_ramp())


@pytest.fixture(scope="module")
def folder(hazed, tmp_path_factory):
    return write(tmp_path_factory.mktemp("hazed") / "hazed", hazed)


@pytest.fixture(scope="module")
def valley(folder, tmp_path_factory):
    return dehaze(folder, tmp_path_factory.mktemp("valley"))


@pytest.fixture(scope="module")
def valley_by_patches(folder, tmp_path_factory):
    return dehaze(folder, tmp_path_factory.mktemp("patches"), coupled=False)


def test_the_radiance_is_the_scene_without_its_haze(valley, clear, hazed):
    radiance = layer(valley, "radiance")
    assert psnr_db(radiance, clear) > psnr_db(hazed, clear) + 8
    for found, truth, seen in zip(radiance, clear, hazed, strict=True):
        assert psnr_db(found, truth) > psnr_db(seen, truth) + 6


def test_the_map_follows_the_depth(valley):
    """Below the sky and what its smoothness reaches; of the haze, a twentieth is left."""
    rows = layer(valley, "transmission_map").mean((0, 2))[40:]
    assert np.abs(rows - (1 - 0.95 * (1 - depth_ramp()[40:, 0, 0]))).max() < 0.06


def test_the_airlight_is_told_once_a_shot(valley):
    (shot,) = valley.report["airlight"]
    assert (shot["start"], shot["stop"]) == (0, 16)
    assert shot["rgb"] == pytest.approx(AIRLIGHT, abs=0.01)


def test_layers_recompose(valley):
    quality = valley.report["quality"]
    assert quality["recomposition_psnr_db"] > 40
    assert quality["worst_frame_psnr_db"] > 40
    again = through_haze(
        layer(valley, "radiance"), layer(valley, "transmission_map")[..., None], np.float32(airlights(valley)[0])
    )
    seen = np.stack([cv2.imread(str(path))[..., ::-1] for path in sorted(valley.input.iterdir())]) / np.float32(255)
    assert psnr_db(again, seen) > 40


def test_a_light_thing_is_not_taken_for_haze(valley, valley_by_patches, clear):
    """The wall in the near field, away from its edges, while the camera goes by."""
    rows, columns = (slice(part.start + 8, part.stop - 8) for part in WALL)
    truth = float(depth_ramp()[rows].mean())

    def on_the_wall(result, name):
        frames = layer(result, name)
        return float(
            np.mean([frame[rows, columns.start - 2 * t : columns.stop - 2 * t] for t, frame in enumerate(frames)])
        )

    assert on_the_wall(valley_by_patches, "transmission_map") < truth - 0.1
    assert on_the_wall(valley, "transmission_map") == pytest.approx(truth, abs=0.1)
    assert on_the_wall(valley, "radiance") == pytest.approx(0.72, abs=0.03)


def test_a_white_thing_is_not_taken_for_haze_if_the_airlight_is_known(tmp_path):
    white = scenery(12, wall=0.95)
    folder = write(tmp_path / "white", through_haze(white, depth_ramp()))
    maps = {
        coupled: layer(
            dehaze(folder, tmp_path / str(coupled), coupled=coupled, airlight=AIRLIGHT.tolist()), "transmission_map"
        )
        for coupled in (True, False)
    }
    rows, columns = (slice(part.start + 8, part.stop - 8) for part in WALL)
    assert maps[True][0, rows, columns].mean() == pytest.approx(depth_ramp()[rows].mean(), abs=0.1)
    assert maps[False][0, rows, columns].mean() < depth_ramp()[rows].mean() - 0.1


@pytest.mark.xfail(strict=True, reason="a white thing wider than a patch is the lightest dark channel of the shot")
def test_a_white_thing_is_not_the_airlight(tmp_path):
    folder = write(tmp_path / "white", through_haze(scenery(8, wall=0.95), depth_ramp()))
    assert airlights(dehaze(folder, tmp_path, coupled=False)) == [pytest.approx(AIRLIGHT, abs=0.08)]


@pytest.fixture(scope="module")
def clear_in_front(tmp_path_factory):
    """A clip whose haze begins behind the foreground: folder, clear and hazed frames."""
    truth = scenery(12, seed=1)
    seen = through_haze(truth, depth_ramp(far=0.3, near=1))
    return write(tmp_path_factory.mktemp("front") / "front", seen), truth, seen


def test_a_clip_without_haze_comes_back(tmp_path):
    clear = np.stack([ground(seed=1)[:, t : W - 12 + t] for t in range(12)])
    result = dehaze(write(tmp_path / "clear", clear), tmp_path)
    assert psnr_db(layer(result, "radiance"), clear) > 50
    assert says(result, "left as it is")
    assert says(result, "--airlight")


def test_a_given_airlight_means_that_there_is_haze(clear_in_front, tmp_path):
    folder, truth, seen = clear_in_front
    left = dehaze(folder, tmp_path / "left", coupled=False)
    given = dehaze(folder, tmp_path / "given", airlight=AIRLIGHT.tolist())
    assert says(left, "black is seen")
    assert not says(given, "black is seen")
    assert psnr_db(layer(given, "radiance"), truth) > psnr_db(layer(left, "radiance"), truth) + 4
    assert psnr_db(layer(given, "radiance"), truth) > psnr_db(seen, truth) + 6


@pytest.mark.xfail(strict=True, reason="black things of a clear foreground are taken for a sign that there is no haze")
def test_a_clear_foreground_does_not_keep_the_haze_behind_it(clear_in_front, tmp_path):
    folder, truth, seen = clear_in_front
    radiance = layer(dehaze(folder, tmp_path), "radiance")
    assert psnr_db(radiance, truth) > psnr_db(seen, truth) + 6


@pytest.mark.parametrize(
    "t",
    [np.full((H, 1, 1), 0.96), np.interp(np.arange(H), [0, 2 * H // 3], [0.3, 1])[:, None, None]],
    ids=["thin", "clear in the nearest third"],
)
def test_the_fit_of_a_map_that_is_nearly_clear_does_not_run_away(t, tmp_path):
    clear = scenery(12, seed=1)
    seen = through_haze(clear, t.astype(np.float32))
    result = dehaze(write(tmp_path / "seen", seen), tmp_path, airlight=AIRLIGHT.tolist())
    assert psnr_db(layer(result, "radiance"), clear) > psnr_db(seen, clear) + 3


def test_a_given_airlight_is_used_as_it_is(folder, tmp_path):
    given = [0.7, 0.9, 0.55]
    result = dehaze(folder, tmp_path, airlight=given, coupled=False)
    assert airlights(result) == [pytest.approx(given, abs=1 / 255)]
    assert result.report["recipe"]["options"]["airlight"] == given


@pytest.mark.parametrize(
    "wrong",
    [
        [0.5, 0.5],
        [0.8, 0.9, 1.2],
        [0.8, -0.1, 0.9],
        [0, 0, 0],
        [0.8, "0.9", 1.0],
        [0.8, float("nan"), 0.9],
        0.8,
        "white",
    ],
)
def test_an_airlight_that_is_no_colour_is_refused(wrong, folder, tmp_path):
    with pytest.raises(ddvideo.UsageError, match="option airlight"):
        dehaze(folder, tmp_path, airlight=wrong)
    assert not list(tmp_path.rglob("radiance*"))


def test_fog_that_hides_everything_is_not_made_into_a_picture(tmp_path):
    fog = noisy(np.broadcast_to(AIRLIGHT, (12, H, W, 3)))
    result = dehaze(write(tmp_path / "fog", fog), tmp_path)
    radiance = layer(result, "radiance")
    assert np.isfinite(radiance).all()
    assert np.isfinite(layer(result, "transmission_map")).all()
    assert radiance.std((1, 2)).max() < 0.06
    assert np.abs(radiance.mean((0, 1, 2)) - AIRLIGHT).max() < 0.05


def test_each_shot_has_its_airlight(tmp_path):
    evening = np.float32([0.9, 0.75, 0.6])
    shots = [
        through_haze(scenery(18, seed=2), depth_ramp(near=0.8)),
        through_haze(scenery(18, seed=3, airlight=evening), depth_ramp(near=0.8), evening),
    ]
    result = dehaze(write(tmp_path / "two", np.concatenate(shots)), tmp_path)
    assert [(shot["start"], shot["stop"]) for shot in result.report["airlight"]] == [(0, 18), (18, 36)]
    assert airlights(result) == [pytest.approx(AIRLIGHT, abs=0.03), pytest.approx(evening, abs=0.03)]


@pytest.fixture(scope="module")
def descent(tmp_path_factory):
    """A camera that goes down by a pixel a frame; only the first frames see what the haze hides. Clear and hazed."""
    frames = 40
    tall, t = ground(H + frames, seed=4), depth_ramp(far=0.3, height=H + frames).copy()
    tall[:SKY], t[:SKY] = AIRLIGHT, 0.0
    seen = through_haze(tall, t)
    return tuple(np.stack([whole[row : row + H] for row in range(frames)]) for whole in (tall, seen))


@pytest.fixture(scope="module")
def long_shot(descent, tmp_path_factory):
    base = settings_for(load_recipe("dehaze"), "fast", device="cpu", seed=0, threads=thread_count())
    many = replace(base, chunk_frames=14, overlap_frames=4, key_frames=6)
    folder = write(tmp_path_factory.mktemp("long") / "long", descent[1])
    (result,) = decompose(folder, task="dehaze", out=tmp_path_factory.mktemp("seams"), settings=many, keep_work=True)
    return result


def test_all_chunks_of_a_shot_have_its_airlight(long_shot):
    """Most of them could not find it by themselves."""
    files = sorted(long_shot.folder.rglob("chunk-*-airlight-*.npy"))
    assert len(files) == len(long_shot.report["chunks"]) == 4
    for file in files:
        values = np.load(file).reshape(-1, 3) / 255
        assert np.abs(values - AIRLIGHT).max() < 0.02
        assert np.ptp(values, axis=0).max() == 0
    assert all(chunk["steps"] > 0 for chunk in long_shot.report["chunks"])


def test_chunks_join_without_a_jump(long_shot, descent):
    clear, seen = descent
    radiance = layer(long_shot, "radiance")
    change = np.abs(np.diff((radiance - clear).mean((1, 2, 3))))  # without that of what the camera comes to see
    seams = [chunk["start"] + step for chunk in long_shot.report["chunks"][1:] for step in range(-1, 4)]
    assert change[seams].max() < 2 * np.median(change)
    assert change.max() < 0.001
    assert psnr_db(radiance[:, SKY:], clear[:, SKY:]) > psnr_db(seen[:, SKY:], clear[:, SKY:]) + 6


@pytest.fixture(scope="module")
def still_veils(tmp_path_factory):
    """The haze taken away from a still, noisy clip: by one fit for all frames, and frame by frame."""
    frames = 6
    still = through_haze(scenery(1, seed=9), depth_ramp())
    folder = write(tmp_path_factory.mktemp("still") / "still", noisy(np.repeat(still, frames, 0)))
    together = veil(dehaze(folder, tmp_path_factory.mktemp("together")))
    alone = decompose(sorted(folder.iterdir()), task="dehaze", out=tmp_path_factory.mktemp("alone"), preset="fast")
    return together, np.concatenate([veil(result) for result in alone])


def change(frames):
    return np.abs(np.diff(frames, axis=0)).mean()


def test_the_haze_of_a_clip_is_steady(still_veils):
    """Averaged over a patch: noise of single pixels, as the picture has it too, is no flicker of the haze."""
    together, alone = (np.stack([cv2.blur(frame, (15, 15)) for frame in frames]) for frames in still_veils)
    assert change(together) < 0.2 * change(alone)


def test_a_single_picture_is_dehazed(tmp_path):
    clear = scenery(1, seed=7)[0]
    seen = through_haze(clear, depth_ramp())
    folder = write(tmp_path / "pictures", [seen])
    result = dehaze(folder / "000.png", tmp_path)
    assert result.layers["radiance"].path.name == "radiance.png"
    assert airlights(result) == [pytest.approx(AIRLIGHT, abs=0.08)]
    assert psnr_db(layer(result, "radiance")[0], clear) > psnr_db(seen, clear) + 6


def test_deep_colour_stays_deep(tmp_path):
    clear = scenery(1, seed=7)
    seen = through_haze(clear, depth_ramp())
    result = dehaze(write(tmp_path / "deep", np.repeat(seen, 3, 0), np.uint16), tmp_path)
    written = cv2.imread(str(sorted(result.layers["radiance"].path.iterdir())[0]), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert len(np.unique(written % 257)) > 200  # not 8 bits stretched
    assert psnr_db(layer(result, "radiance")[0], clear[0]) > psnr_db(seen[0], clear[0]) + 6
    assert result.report["quality"]["recomposition_psnr_db"] > 60


@pytest.mark.parametrize(("width", "height"), [(33, 17), (16, 120)])
def test_tiny_and_odd_frames_are_done(width, height, tmp_path):
    clear = ground(height, width, seed=8)
    seen = through_haze(np.stack([clear] * 2), depth_ramp(height=height))
    result = dehaze(write(tmp_path / "tiny", seen), tmp_path)
    assert layer(result, "radiance").shape == seen.shape
    assert result.report["quality"]["recomposition_psnr_db"] > 40
