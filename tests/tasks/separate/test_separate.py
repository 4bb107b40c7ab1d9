"""Separation of mixtures whose layers are known: the whole way, from file to files."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

import ddvideo
from ddvideo.cli.main import run
from ddvideo.errors import UsageError
from ddvideo.pipeline import decompose
from ddvideo.recipes import load_recipe, settings_for
from ddvideo.tasks.contract import FramePair
from ddvideo.tasks.separate import frame_pairs
from ddvideo.tasks.separate.task import _trust as trust_of

H, W = 96, 160
FRAMES = 16


def texture(seed, sizes, height=H + 40, width=W + 120):
    """Coloured, from coarse to fine, ``(height, width, 3)`` around 0 with a deviation of 1."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size in sizes:
        soft = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), size)
        picture += soft / soft.std()
    return picture / picture.std()


def layers(frames=FRAMES, *, scene_speed=2.0, reflection_speed=(-1.0, 0.5)):
    """A sharp scene that pans, and a dark and soft reflection that goes its own way."""
    scene = np.clip(0.4 + 0.12 * texture(0, (1, 3, 8)), 0.15, 0.7)
    reflection = np.clip(0.12 + 0.08 * texture(1, (3, 6)), 0, 0.3)
    clean, over = [], []
    for t in range(frames):
        for ground, (x, y), taken in ((scene, (scene_speed, 0), clean), (reflection, reflection_speed, over)):
            way = np.float32([[1, 0, x * (t - frames / 2) - 60], [0, 1, y * (t - frames / 2) - 20]])
            taken.append(cv2.warpAffine(ground, way, (W, H), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
    return np.clip(clean, 0, 1), np.clip(over, 0, 0.3)


def write(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        picture = np.rint(np.clip(frame[..., ::-1], 0, 1) * 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder


def settings(**changes):
    """A quarter of the steps."""
    chosen = settings_for(load_recipe("separate"), "fast", device="cpu", seed=0, threads=2)
    options = {**chosen.options, "rounds": 2, "effort": 0.25, **changes.pop("options", {})}
    return replace(chosen, options=options, **changes)


def separate(folder, out, **changes):
    (result,) = decompose([folder], task="separate", out=out, settings=settings(**changes))
    return result


def layer(result, name):
    return np.stack(list(result.layers[name].frames()))


def db(estimate, truth):
    """PSNR once the best colour for the whole clip has been taken off the error."""
    error = estimate - truth
    error = error - error.mean((0, 1, 2))
    return -10 * np.log10(np.square(error).mean())


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    clean, over = layers()
    return write(tmp_path_factory.mktemp("pane") / "pane", clean + over), clean, over


@pytest.fixture(scope="module")
def pane(mixture, tmp_path_factory):
    return separate(mixture[0], tmp_path_factory.mktemp("separated"))


def test_layers_that_move_differently_come_apart(mixture, pane):
    _, clean, over = mixture
    transmission, reflection = layer(pane, "transmission"), layer(pane, "reflection")
    assert db(transmission, clean) > db(clean + over, clean) + 5
    assert db(reflection, over) > db(np.zeros_like(over), over) + 5
    assert not pane.report["warnings"]


def test_the_layers_add_up_to_the_input(mixture, pane):
    _, clean, over = mixture
    added = layer(pane, "transmission") + layer(pane, "reflection")
    assert np.abs(added - np.rint((clean + over) * 255) / 255).max() < 0.02
    assert pane.report["quality"]["recomposition_psnr_db"] > 40


def test_the_reflection_is_dark_somewhere_and_never_lighter_than_the_picture(mixture, pane):
    reflection = layer(pane, "reflection")
    assert np.quantile(reflection, 0.02) < 0.02
    assert abs(reflection.mean() - mixture[2].mean()) < 0.06


def test_what_the_motion_of_the_reflection_adds(mixture, tmp_path):
    folder, clean, _ = mixture
    still = separate(folder, tmp_path / "no-far", options={"far": False, "rounds": 1})
    seeds = separate(folder, tmp_path / "seeds", options={"coupled": False})
    assert db(layer(still, "transmission"), clean) > db(layer(seeds, "transmission"), clean)


def test_chunks_of_a_long_shot_are_one_separation(tmp_path):
    clean, over = layers(22)
    folder = write(tmp_path / "long", clean + over)
    result = separate(folder, tmp_path / "out", chunk_frames=14, overlap_frames=6, key_frames=10)
    transmission = layer(result, "transmission")
    assert len(transmission) == 22
    assert db(transmission, clean) > db(clean + over, clean) + 3
    reflection = layer(result, "reflection")
    changes = np.abs(np.diff(reflection.mean((1, 2)), axis=0)).max(1)
    assert changes.max() < 0.03  # no step at the seam


def test_a_clip_in_which_nothing_moves_is_a_guess_by_single_frames_and_says_so(tmp_path):
    clean, over = layers(9, scene_speed=0, reflection_speed=(0, 0))
    result = separate(write(tmp_path / "still", clean + over), tmp_path / "out")
    assert any("nothing moves across the scene" in warning for warning in result.report["warnings"])
    assert db(layer(result, "transmission"), clean) > db(clean + over, clean) - 0.5


def test_a_clip_without_a_pane_stays_as_it_is_and_says_so(tmp_path):
    clean, _ = layers(12)
    result = separate(write(tmp_path / "clear", clean), tmp_path / "out")
    assert any("nothing is seen to move across the scene" in warning for warning in result.report["warnings"])
    assert not layer(result, "reflection").any()
    np.testing.assert_allclose(layer(result, "transmission"), np.rint(clean * 255) / 255, atol=1e-6)


def test_an_image_and_images_that_go_together(tmp_path):
    clean, over = layers(2)
    folder = write(tmp_path / "images", clean + over)
    first, second = sorted(folder.iterdir())
    single = ddvideo.separate(first, out=tmp_path / "one", preset="fast")
    assert (tmp_path / "one" / "000" / "transmission.png").is_file()
    assert single.report["quality"]["recomposition_psnr_db"] > 40
    both = ddvideo.separate([first, second], out=tmp_path / "two", preset="fast")
    assert len(layer(both, "transmission")) == 2


def test_the_command_writes_both_layers(mixture, tmp_path):
    line = [
        "separate",
        str(mixture[0]),
        "-o",
        str(tmp_path),
        "--preset",
        "fast",
        "--frames",
        "0:3",
        "--device",
        "cpu",
        "-q",
    ]
    assert run(line) == 0
    report = json.loads((tmp_path / "pane" / "report.json").read_text())
    assert {layer["name"] for layer in report["layers"]} == {"transmission", "reflection"}
    assert (tmp_path / "pane" / "preview.mp4").is_file()


@pytest.mark.parametrize("rounds", [0, 4])
def test_so_many_rounds_there_are_not(mixture, tmp_path, rounds):
    with pytest.raises(UsageError, match="option rounds lies between 1 and 3"):
        separate(mixture[0], tmp_path, options={"rounds": rounds})


def test_a_reflection_that_moves_as_the_scene_does_is_not_told_apart_from_it():
    ground = texture(3, (3, 6), H, W + 40) * 0.1
    reflection = np.stack([ground[:, 20 + 2 * t : 20 + 2 * t + W] for t in range(9)])
    weight = np.ones((H, W), np.float32)

    def told_apart(x):
        flow = np.full((H, W, 2), (x, 0), np.float32)
        return frame_pairs.motion_contrast(reflection, [FramePair(first=0, second=8, flow=flow, weight=weight)])

    assert told_apart(-16) < 0.15
    assert told_apart(0) > 1


def test_what_a_reflection_explains_of_the_changes_along_the_flow():
    clean, over = layers(5, scene_speed=0)
    frames = [np.rint((a + b) * 255).astype(np.uint8) for a, b in zip(clean, over, strict=True)]
    flow, weight = np.zeros((H, W, 2), np.float32), np.ones((H, W), np.float32)
    pair = [FramePair(first=0, second=4, flow=flow, weight=weight)]
    pictures = [frame.astype(np.float32) / 255 for frame in frames]
    assert frame_pairs.unexplained_share(pictures, over.astype(np.float32), pair) < 0.05
    assert frame_pairs.unexplained_share(pictures, np.zeros_like(over, np.float32), pair) == 1
    assert frame_pairs.unexplained_share(pictures, -over.astype(np.float32), pair) > 1.5
    assert frame_pairs.scene_change(pictures, pair) > 0.02
    assert frame_pairs.scene_change([*clean.astype(np.float32)], pair) < 1e-6


@pytest.mark.parametrize(
    ("left", "apart", "believed"),
    [(0.2, 0.8, 1), (0.2, 0.05, 0), (0.7, 0.12, 1), (0.87, 0.4, 1), (0.87, 0.2, 0), (0.95, 0.9, 0), (0.895, 0.9, 0.5)],
)
def test_the_less_a_reflection_explains_the_more_it_has_to_move_on_its_own(left, apart, believed):
    assert trust_of(left, apart) == pytest.approx(believed, abs=1e-6)
