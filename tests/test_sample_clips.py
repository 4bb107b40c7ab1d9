"""The sample clips are what their script renders, and their layers make up their frames."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ddvideo.media import open_source, probe
from sample_clips.render import CLIPS, long_scene, pts_seconds
from sample_clips.scene import Scene

FindClip = Callable[[str], Path]
FindScene = Callable[[str], Scene]

LAYERS = {
    "mover": {"foreground": 3, "background": 3, "alpha": 1},
    "reflection": {"transmission": 3, "reflection": 3},
    "marked": {"clean": 3, "mark": 3, "alpha": 1},
    "hazy": {"radiance": 3, "transmission_map": 1, "airlight": 3},
    "mixed": {"frame": 3},
}


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a - b) ** 2)))


def shown(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    """Time and float RGB of every frame."""
    with open_source(path) as source:
        return [(frame.pts_seconds, frame.rgb.astype(np.float32) / 255) for frame in source.frames()]


def shift_px(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By how many pixels (x, y) the picture moved from ``a`` to ``b``, from the peak of their phase correlation."""
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1]))
    spectra = [np.fft.fft2((x.mean(-1) - x.mean()) * window) for x in (a, b)]
    cross = spectra[1] * spectra[0].conj()
    peak = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9)).real
    at = np.unravel_index(peak.argmax(), peak.shape)
    return np.array([(k + n // 2) % n - n // 2 for k, n in zip(at, peak.shape, strict=True)])[::-1]


def test_the_folder_holds_the_clips_and_is_small(clip_path: FindClip) -> None:
    files = sorted(clip_path("mover").parent.glob("*.mp4"))
    assert [file.stem for file in files] == sorted(CLIPS)
    assert sum(file.stat().st_size for file in files) < 3 * 2**20


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_shows_its_scene(name: str, clip_path: FindClip, scene: FindScene) -> None:
    truth = scene(name)
    frames = shown(clip_path(name))
    assert [pts for pts, _ in frames] == pts_seconds(name, truth.frames)[:-1]
    for index in {*range(0, truth.frames, 12), truth.frames - 1}:
        rgb = frames[index][1]
        assert rgb.shape == (truth.height, truth.width, 3)
        expected = truth.frame(index)
        assert psnr_db(rgb, expected) > 35, index
        # A wrong matrix or range shifts colours by 3 levels and more, the encoder by one at most.
        assert np.abs((rgb - expected).mean((0, 1))).max() < 1.5 / 255, index


@pytest.mark.parametrize("name", CLIPS)
def test_layers_make_up_the_frame(name: str, scene: FindScene) -> None:
    truth = scene(name)
    for index in (0, truth.frames // 3, truth.frames - 1):
        layers = truth.layers(index)
        assert {key: value.shape[2] for key, value in layers.items()} == LAYERS[name]
        for value in layers.values():
            assert value.dtype == np.float32
            assert value.min() >= 0
            assert value.max() <= 1
        frame = truth.frame(index)
        assert frame.dtype == np.float32
        assert frame.min() >= 0
        assert frame.max() <= 1
        part = {key: value.astype(np.float64) for key, value in layers.items()}
        models = {
            "mover": lambda f: f["alpha"] * f["foreground"] + (1 - f["alpha"]) * f["background"],
            "reflection": lambda f: f["transmission"] + f["reflection"],
            "marked": lambda f: (1 - f["alpha"]) * f["clean"] + f["alpha"] * f["mark"],
            "hazy": lambda f: f["transmission_map"] * f["radiance"] + (1 - f["transmission_map"]) * f["airlight"],
            "mixed": lambda f: f["frame"],
        }
        np.testing.assert_allclose(frame, models[name](part), atol=1e-6)


@pytest.mark.parametrize("name", CLIPS)
def test_a_scene_has_the_statistics_of_a_photograph(name: str, scene: FindScene) -> None:
    """Power falls about as 1/f**2 (Field, JOSA A 1987), and there is texture nearly everywhere."""
    grey = scene(name).frame(5).mean(-1)
    height, width = grey.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    band = (f > 0.02) & (f < 0.35)
    slope = np.polyfit(np.log(f[band]), np.log(power[band] + 1e-12), 1)[0]
    assert -3.8 < slope < -1.2
    gradient = np.hypot(*np.gradient(grey))
    assert np.mean(gradient > 1 / 255) > 0.6


def test_the_mover_swims_and_bends_over_a_moving_ground(scene: FindScene) -> None:
    truth = scene("mover")
    layers = [truth.layers(index) for index in range(0, truth.frames, 6)]
    area = np.array([layer["alpha"].mean() for layer in layers])
    assert area.min() > 0.04
    assert area.max() < 0.2
    y, x = np.mgrid[: truth.height, : truth.width]
    slender, centres = [], []
    for layer in layers:
        weight = layer["alpha"][..., 0] / layer["alpha"].sum()
        cx, cy = (weight * x).sum(), (weight * y).sum()
        dx, dy = x - cx, y - cy
        spread = np.linalg.eigvalsh(
            [[(weight * dx * dx).sum(), (weight * dx * dy).sum()], [(weight * dx * dy).sum(), (weight * dy * dy).sum()]]
        )
        slender.append(np.sqrt(spread[1] / spread[0]))
        centres.append((cx, cy))
    # The whole fish turns about, but only a body that bends changes its slenderness.
    assert np.ptp(slender) > 0.1 * np.mean(slender)
    ground = np.array([shift_px(a["background"], b["background"]) for a, b in itertools.pairwise(layers)])
    assert np.hypot(*ground.T).min() > 3
    assert np.hypot(*(np.diff(centres, axis=0) - ground).T).min() > 6
    soft = layers[3]["alpha"]
    assert np.mean((soft > 0.05) & (soft < 0.95)) > 0.003


def test_reflection_and_wall_move_apart(scene: FindScene) -> None:
    truth = scene("reflection")
    first, later = truth.layers(4), truth.layers(12)
    away = shift_px(first["transmission"], later["transmission"]) - shift_px(first["reflection"], later["reflection"])
    assert np.hypot(*away) > 8
    assert first["reflection"].max() > 0.2
    assert first["reflection"].std() > 0.02


def test_the_mark_stays_and_the_garden_passes(scene: FindScene) -> None:
    truth = scene("marked")
    first, later = truth.layers(0), truth.layers(truth.frames - 1)
    assert np.array_equal(first["alpha"], later["alpha"])
    assert np.array_equal(first["mark"], later["mark"])
    assert 0.5 < first["alpha"].max() < 0.6
    assert 0.01 < np.mean(first["alpha"] > 0.1) < 0.1
    assert np.abs(first["clean"] - later["clean"]).mean() > 0.05


def test_haze_thickens_with_distance(scene: FindScene) -> None:
    truth = scene("hazy")
    layers = truth.layers(8)
    t = layers["transmission_map"][..., 0]
    assert t[:20].max() < 0.1
    assert t[-6:].min() > 0.6
    # Rows further down show what is nearer.
    rows = t.mean(axis=1)
    assert np.mean(np.diff(rows[20:]) > -0.01) > 0.95
    assert truth.frame(8).std() < 0.7 * layers["radiance"].std()


def test_the_mixed_clip_is_awkward(clip_path: FindClip, scene: FindScene) -> None:
    truth = scene("mixed")
    info = probe(clip_path("mixed"))
    assert info.is_vfr
    assert len(info.audio) == 1
    with av.open(str(clip_path("mixed"))) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        sound = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
        assert 0.02 < sound.std() < 0.3
    times = pts_seconds("mixed", truth.frames)
    assert len({b - a for a, b in itertools.pairwise(times)}) == 3
    assert truth.width % 2 == truth.height % 2 == 1
    steps = [np.abs(truth.frame(k + 1) - truth.frame(k)).mean() for k in range(18, 26)]
    assert np.argmax(steps) == truth.cut - 1 - 18
    assert max(steps) > 2 * np.sort(steps)[-2]


def test_a_seed_decides_a_scene() -> None:
    first, again, other = (long_scene(8, width=96, height=64, seed=seed).frame(5) for seed in (2, 2, 3))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.05


def test_the_long_scene_goes_on_and_stays_in_view() -> None:
    truth = long_scene(240, width=160, height=90)
    shares = [truth.layers(index)["alpha"].mean() for index in range(0, truth.frames, 24)]
    assert min(shares) > 0.02
    assert np.abs(truth.frame(239) - truth.frame(100)).mean() > 0.05
