"""Marks taken off, the whole way from file to files, where mark and scene are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

import ddvideo
from ddvideo.compositing import mark_over
from ddvideo.media import open_source
from ddvideo.metrics import psnr_db
from ddvideo.pipeline import decompose
from ddvideo.recipes import load_recipe, settings_for
from tests.tasks.dewatermark.mark_scenes import H, W, emblem, marked, plate, red_and_blue, scenery, white

GARDEN = 20
"""Frames of the sample clip that are looked at."""
T = 16
PAN = (6, 3)
BOX = [30, 24, 56, 32]
"""Around the emblem."""


def settings(**changes):
    return replace(settings_for(load_recipe("dewatermark"), "balanced", device="cpu", seed=0, threads=1), **changes)


def moving(pan=PAN, **size):
    return scenery(pan, **{"frames": T} | size)


def write(folder, frames, dtype=np.uint8):
    folder.mkdir()
    for index, frame in enumerate(frames):
        picture = np.rint(np.clip(frame[..., ::-1], 0, 1) * np.iinfo(dtype).max).astype(dtype)
        assert cv2.imwrite(str(folder / f"{index:03d}.png"), picture)
    return folder


def read(folder):
    pictures = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.iterdir())]
    return np.stack(pictures)[..., ::-1]


def unmark(folder, out, **changes):
    (result,) = decompose(folder, task="dewatermark", out=out, settings=settings(**changes))
    return result


def layer(result, name):
    return np.stack(list(result.layers[name].frames()))


def written(result, name="clean"):
    """A layer's files, as they are."""
    return read(result.layers[name].path)


def again(result):
    """What the layers make together."""
    alpha = layer(result, "alpha")[..., None]
    return mark_over({"clean": layer(result, "clean"), "mark": layer(result, "mark"), "alpha": alpha})


def inside_db(frames, clean, alpha):
    inside = np.broadcast_to(alpha > 0.02, frames.shape[:3])
    return psnr_db(frames[inside], clean[inside])


def alpha_error(result, alpha):
    """Mean inside the mark."""
    inside = np.broadcast_to(alpha > 0.02, (len(layer(result, "alpha")), *alpha.shape[-2:]))
    return np.abs(layer(result, "alpha") - alpha)[inside].mean()


def says(result, words):
    return any(words in warning for warning in result.report["warnings"])


def stays_outside(result, seen, least=0.8):
    """Bit by bit, where alpha is 0; which it is in most of the picture."""
    outside = layer(result, "alpha") == 0
    assert outside.mean() > least
    np.testing.assert_array_equal(written(result)[outside], seen[outside])


def comes_back(result, seen):
    np.testing.assert_array_equal(written(result), seen)
    assert not layer(result, "alpha").any()


@pytest.fixture(scope="module")
def garden(clip_path, tmp_path_factory):
    """The sample clip: what came out, what went in, and what is behind."""
    return ddvideo.dewatermark(
        clip_path("marked"),
        out=tmp_path_factory.mktemp("garden"),
        format="png",
        frames=(0, GARDEN),
        device="cpu",
        runner="inprocess",
    )


@pytest.fixture(scope="module")
def garden_seen(clip_path):
    with open_source(clip_path("marked")) as source:
        return np.stack([frame.rgb for frame in source.frames(0, GARDEN)])


@pytest.fixture(scope="module")
def garden_clean(scene):
    return np.stack([scene("marked").layers(index)["clean"] for index in range(GARDEN)])


def test_the_sample_clip_without_its_mark(garden, garden_seen, garden_clean, scene):
    """About as good as the clip: outside the mark, its compression leaves 36 dB."""
    alpha = scene("marked").alpha[..., 0]
    db = inside_db(layer(garden, "clean"), garden_clean, alpha)
    assert db > 28.5
    assert db > inside_db(garden_seen / np.float32(255), garden_clean, alpha) + 18
    assert garden.report["warnings"] == []


def test_the_alpha_of_the_sample_clip(garden, scene):
    alpha = scene("marked").alpha[..., 0]
    assert alpha_error(garden, alpha) < 0.037
    frames = layer(garden, "alpha")
    assert (frames == frames[0]).all()
    assert (frames[0] > 0)[alpha == 0].mean() < 0.02


def test_the_colour_of_the_sample_clip(garden, scene):
    """As it is over the frames, where the mark is strong enough to tell it."""
    strong = scene("marked").alpha[..., 0] > 0.5
    error = layer(garden, "mark").mean(0)[strong] - scene("marked").mark[strong]
    assert np.abs(error).mean() < 0.05


def test_outside_the_mark_the_sample_clip_is_as_it_was(garden, garden_seen):
    outside = layer(garden, "alpha") == 0
    assert outside.mean() > 0.8
    np.testing.assert_array_equal(written(garden)[outside], garden_seen[outside])
    assert not layer(garden, "mark")[outside].any()


def test_the_sample_clip_s_layers_recompose(garden, garden_seen):
    assert psnr_db(again(garden), garden_seen / np.float32(255)) > 60
    assert garden.report["quality"]["recomposition_psnr_db"] > 60
    assert garden.report["quality"]["worst_frame_psnr_db"] > 60


@pytest.fixture(scope="module")
def clean():
    return moving()


@pytest.fixture(scope="module")
def proof(clean, tmp_path_factory):
    """A folder of frames with a white emblem."""
    return write(tmp_path_factory.mktemp("proof") / "proof", marked(clean, emblem(), white()))


@pytest.fixture(scope="module")
def unmarked_proof(proof, tmp_path_factory):
    return unmark(proof, tmp_path_factory.mktemp("out"))


def test_a_translucent_mark(unmarked_proof, proof, clean):
    assert inside_db(layer(unmarked_proof, "clean"), clean, emblem()) > 48
    assert alpha_error(unmarked_proof, emblem()) < 0.004
    stays_outside(unmarked_proof, read(proof))
    assert all(chunk["steps"] == 0 for chunk in unmarked_proof.report["chunks"])  # there is nothing to draw


def test_a_box_without_a_mark(proof, tmp_path):
    result = unmark(proof, tmp_path, options={"box": [96, 2, 20, 12]})
    comes_back(result, read(proof))
    assert says(result, "no mark was found in the box")


def test_an_opaque_plate_over_several_chunks(clean, tmp_path):
    """What is behind it comes from other frames; the generator has something to draw, and is fitted."""
    folder = write(tmp_path / "plate", marked(clean, plate(), red_and_blue()))
    result = unmark(folder, tmp_path / "out", options={"effort": 0.1}, key_frames=12, chunk_frames=12, overlap_frames=4)
    assert [chunk["steps"] > 0 for chunk in result.report["chunks"]] == [True, True]
    assert inside_db(layer(result, "clean"), clean, plate()) > 38
    assert alpha_error(result, plate()) < 0.01
    stays_outside(result, read(folder))
    assert psnr_db(again(result), read(folder) / np.float32(255)) > 60


def test_chunks_of_a_shot_have_its_mark(unmarked_proof, proof, clean, tmp_path):
    """About as good as one fit for all."""
    several = unmark(proof, tmp_path, key_frames=12, chunk_frames=10, overlap_frames=4)
    assert (len(unmarked_proof.report["chunks"]), len(several.report["chunks"])) == (1, 2)
    alphas = layer(several, "alpha")
    assert (alphas == alphas[0]).all()
    dbs = [inside_db(layer(result, "clean"), clean, emblem()) for result in (unmarked_proof, several)]
    assert dbs[1] > max(dbs[0] - 6, 45)
    assert np.abs(layer(unmarked_proof, "clean") - layer(several, "clean")).max() < 0.1
    stays_outside(several, read(proof))


def test_a_box_around_a_mark_in_16_bits(clean, tmp_path):
    folder = write(tmp_path / "deep", marked(clean, emblem(), white()), np.uint16)
    result = unmark(folder, tmp_path / "out", options={"box": BOX})
    assert result.report["warnings"] == []
    assert result.report["recipe"]["options"]["box"] == BOX
    seen = read(folder)
    assert seen.dtype == written(result).dtype == np.uint16
    assert inside_db(layer(result, "clean"), clean, emblem()) > 48
    stays_outside(result, seen)
    assert psnr_db(again(result), seen / np.float32(65535)) > 80


def test_frames_that_do_not_show_the_mark_are_as_they_were(clean, tmp_path):
    alpha = np.zeros((T, H, W), np.float32)
    alpha[T // 2 :] = emblem()
    folder = write(tmp_path / "late", marked(clean, alpha, white()))
    result = unmark(folder, tmp_path / "out")
    assert inside_db(layer(result, "clean"), clean, alpha) > 48
    np.testing.assert_array_equal(written(result)[: T // 2], read(folder)[: T // 2])
    assert not layer(result, "alpha")[: T // 2].any()
    assert layer(result, "alpha")[T // 2 :].any((1, 2)).all()


def test_odd_sizes(tmp_path):
    size = {"height": 91, "width": 161}
    clean, alpha = moving(**size), emblem(**size)
    folder = write(tmp_path / "odd", marked(clean, alpha, white(**size)))
    result = unmark(folder, tmp_path / "out")
    assert inside_db(layer(result, "clean"), clean, alpha) > 45
    stays_outside(result, read(folder))


def test_a_mark_at_the_frame_s_border(clean, tmp_path):
    """A part of it is cut off."""
    alpha = emblem(x=100, y=72)
    folder = write(tmp_path / "border", marked(clean, alpha, white()))
    result = unmark(folder, tmp_path / "out")
    assert inside_db(layer(result, "clean"), clean, alpha) > 28
    assert alpha_error(result, alpha) < 0.03
    stays_outside(result, read(folder))


def test_a_box_around_all_of_the_picture_is_as_none(unmarked_proof, proof, tmp_path):
    result = unmark(proof, tmp_path, options={"box": [0, 0, W, H]})
    np.testing.assert_array_equal(written(result), written(unmarked_proof))


@pytest.mark.xfail(strict=True, reason="what a mark's edges enclose together with the frame's border is not its inside")
def test_an_opaque_plate_in_the_frame_s_corner(clean, tmp_path):
    alpha = plate(x=W - 28, y=H - 18)
    folder = write(tmp_path / "corner", marked(clean, alpha, red_and_blue(x=108)))
    result = unmark(folder, tmp_path / "out", options={"effort": 0.1})
    assert alpha_error(result, alpha) < 0.1
    assert inside_db(layer(result, "clean"), clean, alpha) > 28


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A clip that is looked at in half its size: frames, alpha and folder."""
    clean = moving((8, 4), height=160, width=256)
    alpha = cv2.resize(emblem(), (256, 160))
    return clean, alpha, write(tmp_path_factory.mktemp("large") / "large", marked(clean, alpha, white(160, 256)))


def test_a_working_size_smaller_than_the_frames(large, tmp_path):
    clean, alpha, folder = large
    result = unmark(folder, tmp_path, working_px=128)
    seen = read(folder)
    stays_outside(result, seen, least=0.7)
    assert psnr_db(again(result), seen / np.float32(255)) > 60
    assert inside_db(layer(result, "clean"), clean, alpha) > 20
    assert alpha_error(result, alpha) < 0.08


def test_an_opaque_mark_at_a_smaller_working_size(large, tmp_path):
    clean, _, _ = large
    alpha = np.zeros((160, 256), np.float32)
    alpha[61:97, 81:137] = 1
    result = unmark(
        write(tmp_path / "plate", marked(clean, alpha, white(160, 256))),
        tmp_path / "out",
        working_px=128,
        options={"effort": 0.1},
    )
    assert inside_db(layer(result, "clean"), clean, alpha) > 25


@pytest.mark.parametrize("pan", [(8, 3), (-6, 0)])
def test_a_clip_without_a_mark_comes_back_bit_by_bit(pan, tmp_path):
    folder = write(tmp_path / "plain", moving(pan))
    result = unmark(folder, tmp_path / "out")
    comes_back(result, read(folder))
    assert says(result, "frames 0 to 15: no mark was found: left as it was")
    assert says(result, "--box")
    assert result.report["quality"]["recomposition_psnr_db"] >= 99


def test_a_mark_over_a_still_scene_is_left_with_a_warning(clean, tmp_path):
    folder = write(tmp_path / "still", marked(np.repeat(clean[:1], 12, 0), emblem(), white()))
    result = unmark(folder, tmp_path / "out")
    comes_back(result, read(folder))
    assert says(result, "the picture stands still")


def test_a_mark_in_a_box_over_a_still_scene(clean, tmp_path):
    still = np.repeat(clean[:1], 12, 0)
    folder = write(tmp_path / "still", marked(still, emblem(), white()))
    result = unmark(folder, tmp_path / "out", options={"box": BOX, "effort": 0.1})
    covered = (emblem() > 0.02).astype(np.uint8) * np.uint8(255)
    inpainted = cv2.inpaint(np.ascontiguousarray(read(folder)[0]), covered, 5, cv2.INPAINT_TELEA) / np.float32(255)
    assert (
        inside_db(layer(result, "clean"), still, emblem())
        > inside_db(np.repeat(inpainted[None], 12, 0), still, emblem()) - 3
    )
    assert result.report["warnings"]


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_clips_of_a_few_frames_are_left_as_they_are(frames, clean, tmp_path):
    folder = write(tmp_path / "short", marked(clean[:frames], emblem(), white()))
    result = unmark(folder, tmp_path / "out")
    comes_back(result, read(folder))
    assert says(result, f"frames 0 to {frames - 1}: " if frames > 1 else "a single image")
    assert says(result, "left as it was")


@pytest.mark.parametrize(("height", "width"), [(16, 16), (2, 40)])
def test_tiny_frames(height, width, tmp_path):
    folder = write(tmp_path / "tiny", moving((3, 3), height=height, width=width))
    result = unmark(folder, tmp_path / "out")
    comes_back(result, read(folder))
    assert says(result, "left as it was")


@pytest.mark.parametrize(
    "wrong",
    [[1, 2, 3], [0, 0, 0, 5], [0, 0, 5, -1], ["a", 1, 2, 3], [W, 0, 5, 5], [0, H, 5, 5], [-20, 0, 20, 5], 7, "1,2,3,4"],
    ids=str,
)
def test_a_box_that_is_none_or_lies_outside_is_refused(wrong, proof, tmp_path):
    with pytest.raises(ddvideo.UsageError, match="box") as caught:
        unmark(proof, tmp_path, options={"box": wrong})
    assert caught.value.exit_code == 2
    assert not list(tmp_path.rglob("clean*"))


def test_a_box_of_what_is_no_number_is_refused(proof, tmp_path):
    with pytest.raises(ddvideo.UsageError, match="box"):
        unmark(proof, tmp_path, options={"box": [float("nan"), 0, 5, 5]})


def test_a_box_outside_of_the_picture_is_wrong_usage_on_the_command_line(proof, tmp_path, capsys):
    from ddvideo.cli.main import run

    line = ["dewatermark", str(proof), "-o", str(tmp_path), "--box", "500,0,20,20", "--device", "cpu", "-q"]
    assert run(line) == 2
    error = capsys.readouterr().err
    assert error.startswith("ddvideo: error: ")
    assert f"the box [500, 0, 20, 20] lies outside the picture of {W}x{H} pixels" in error
    assert len(error.splitlines()) <= 2
