from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import cv2
import numpy as np
import pytest

from benchmarks.davis import DataError
from benchmarks.mark_cases import OPAQUE, STILLS, TRANSLUCENT, in_threes, translucent_cases
from benchmarks.mark_score import Found, Moment, Pooled, inpainted, scene_motion, score_removal
from benchmarks.marks import KINDS, Mark, compose, grown_box, make_mark
from benchmarks.once import ROOT
from benchmarks.score import ScoreError
from tests.test_benchmark_haze import confetti, unit

DATA = ROOT.parent / "shared" / "data"


def write_marks(root):
    """In place of the measured and the text mark: a soft disc, at most 131, and bars of black on white."""
    y, x = np.indices((96, 96)) - 47.5
    disc = np.clip(131 * (45 - np.hypot(y, x)) / 10, 0, 131).astype(np.uint8)
    page = np.full((512, 512), 255, np.uint8)
    for top in (96, 192, 288, 384):
        page[top : top + 24, 32:480] = 0
    for name, picture in (("marks/measured_alpha_96.png", disc), ("pairs/text_mark/watermark.png", page)):
        path = root / "watermark" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture)
    return disc, page


@pytest.fixture(scope="module")
def marks(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return root, *write_marks(root)


def square(alpha=0.5, colour=(1, 1, 1), height=40, width=60):
    """A mark with one alpha over a square of 10 pixels a side, at (20, 12)."""
    alphas = np.zeros((height, width), np.float32)
    alphas[12:22, 20:30] = alpha
    return Mark("square", alphas, np.broadcast_to(np.float32(colour), (height, width, 3)), (20, 12, 10, 10))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(360, 640), (320, 320), (301, 452)])
def test_a_mark_is_laid_over_by_the_forward_model(marks, kind, size):
    mark = make_mark(kind, 0.7, marks[0], *size)
    clean = confetti(*size)
    marked = compose(clean, mark)
    assert marked.dtype == np.uint8
    assert mark.alpha.shape == size
    assert mark.colour.shape == (*size, 3)
    assert mark.alpha.dtype == mark.colour.dtype == np.float32
    assert 0.69 < mark.alpha.max() <= 0.7 + 1e-6 or kind == "measured"
    assert mark.alpha.min() == 0
    assert 0 <= mark.colour.min() <= mark.colour.max() <= 1 + 1e-6
    np.testing.assert_array_equal(marked[mark.outside], clean[mark.outside])
    alpha = mark.alpha.astype(np.float64)[..., None]
    exact = (1 - alpha) * clean + 255 * alpha * mark.colour
    assert np.abs(marked - exact).max() <= 0.5 + 1e-3
    # The box is as tight as can be.
    x, y, width, height = mark.box
    seen = mark.alpha > 0.02
    assert seen[y : y + height, x : x + width].sum() == seen.sum()
    assert all(edge.any() for edge in (seen[y], seen[y + height - 1], seen[:, x], seen[:, x + width - 1]))


def test_each_mark_is_what_it_is_said_to_be(marks):
    root, disc, page = marks
    measured = make_mark("measured", 0.6, root, 360, 640)
    np.testing.assert_allclose(measured.alpha[244:340, 524:620], 0.6 * unit(disc), atol=1e-6)
    assert np.count_nonzero(measured.alpha) == np.count_nonzero(disc)
    assert (measured.colour[measured.inside] == 1).all()
    assert make_mark("measured", 1, root, 720, 1280).box[2] > 1.9 * measured.box[2]
    text = make_mark("text", 0.5, root, 512, 1000)
    small = cv2.resize(unit(255 - page), (256, 256), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(text.alpha[128:384, 372:628], 0.5 * small, atol=1e-6)
    logo = make_mark("logo", 0.8, root, 360, 640)
    assert logo.box == (20, 20, 90, 90)
    full = logo.colour[logo.alpha == logo.alpha.max()]
    red, blue = full[:, 0] > 0.8, full[:, 2] > 0.8
    assert min(red.sum(), blue.sum()) > 1000
    assert (red ^ blue).mean() > 0.98  # the rest is the smooth edge of one on the other
    assert 0.01 < np.mean((logo.alpha > 0.02) & (logo.alpha < 0.78)) / logo.inside.mean() < 0.2
    thin = make_mark("thin", 1, root, 360, 640)
    x, y, width, height = thin.box
    assert (x, y + height) == (20, 340)
    assert (100 < width < 200, 8 < height < 25) == (True, True)
    assert thin.inside.mean() < 0.01
    assert thin.opaque
    badge = make_mark("badge", 1, root, 360, 640)
    assert badge.box == (550, 20, 70, 50)
    assert (badge.alpha[20:70, 550:620] == 1).all()
    assert badge.inside.sum() == 3500
    assert np.ptp(badge.colour[badge.inside], axis=0).max() > 0.5  # a letter is in it
    assert [make_mark(*case, root, 360, 640).opaque for case in (*OPAQUE, *TRANSLUCENT)] == [True] * 2 + [False] * 7


def test_a_mark_that_cannot_be_made_says_why(marks, tmp_path):
    with pytest.raises(DataError, match="measured, 96x96, does not fit into 300x90"):
        make_mark("measured", 1, marks[0], 90, 300)
    with pytest.raises(DataError, match=r"measured_alpha_96\.png is missing"):
        make_mark("measured", 1, tmp_path, 360, 640)


def test_a_box_grows_as_far_as_the_frame_goes():
    assert grown_box(square(), 8) == (12, 4, 26, 26)
    assert grown_box(square(), 15) == (5, 0, 40, 37)
    assert grown_box(square(), 99) == (0, 0, 60, 40)


def test_the_rotation_covers_all_cases():
    names = [f"clip{k}" for k in range(8)]
    found = translucent_cases(names[::-1])
    assert found == translucent_cases(names)
    assert set(found) == set(names)
    counts = Counter(case for cases in found.values() for case in cases)
    assert set(counts) == set(TRANSLUCENT)
    assert min(counts.values()) >= 2
    assert all(len({kind for kind, _ in cases}) == 2 for cases in found.values())
    assert not any(set(found[one]) & set(found[two]) for one, two in pairwise(names))
    assert {kind for kind, _ in (*TRANSLUCENT, *OPAQUE, *STILLS)} == set(KINDS)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 8])
def test_sets_of_three_use_every_picture(count):
    sets = in_threes(list(range(count)))
    assert all(len(set(three)) == 3 for three in sets)
    assert {item for three in sets for item in three} == set(range(count))
    assert len(sets) == math.ceil(count / 3)


def moment(mark, clean=None, *, result=None, alpha=None):
    """A frame that was marked, and a result of it; the truth where none is told."""
    clean = confetti(*mark.alpha.shape) if clean is None else clean
    found = Found(
        unit(clean) if result is None else result, mark.colour, mark.alpha if alpha is None else np.float32(alpha)
    )
    return Moment(compose(clean, mark), clean, found)


def test_a_perfect_result_has_perfect_scores():
    told = score_removal([moment(square()), moment(square())], square())
    assert told["ours"].pop("above_inpaint_db") == 100 - told["inpaint"]["psnr_inside_db"]
    assert told["ours"] == {
        "psnr_inside_db": 100,
        "psnr_outside_db": 100,
        "alpha_mae": 0,
        "alpha_iou": 1,
        "alpha_covered": 1,
        "found": True,
    }
    # What rounding to 8 bits leaves is doubled by taking off half a mark.
    assert 45 < told["ideal"]["psnr_inside_db"] < 60


def test_an_unchanged_input_scores_as_the_input():
    mark = square(0.5, (1, 1, 1))
    clean = np.zeros((40, 60, 3), np.uint8)
    given = moment(mark, clean, result=unit(compose(clean, mark)), alpha=np.zeros((40, 60)))
    told = score_removal([given], mark)
    assert told["ours"]["psnr_inside_db"] == told["input"]["psnr_inside_db"]
    assert told["input"]["psnr_inside_db"] == pytest.approx(-20 * math.log10(128 / 255), abs=1e-6)
    assert told["ours"]["psnr_outside_db"] == 100
    assert told["ours"]["alpha_mae"] == pytest.approx(0.5)
    assert (told["ours"]["alpha_iou"], told["ours"]["alpha_covered"], told["ours"]["found"]) == (0, 0, False)
    # All around is black, and so is what inpainting puts in.
    assert told["inpaint"]["psnr_inside_db"] == 100
    assert told["inpaint"]["seconds_per_frame"] > 0


@pytest.mark.parametrize(("share", "found"), [(0.52, True), (0.48, False)])
def test_half_of_the_alpha_counts_as_found(share, found):
    mark = square(0.4)
    told = score_removal([moment(mark, alpha=share * mark.alpha)], mark)["ours"]
    assert told["alpha_mae"] == pytest.approx(0.4 * (1 - share), abs=1e-6)
    assert told["alpha_iou"] == 1
    assert told["found"] is found


@pytest.mark.parametrize(("columns", "found"), [(20, True), (21, False)])
def test_a_mark_found_far_and_wide_is_not_found(columns, found):
    mark = square()
    alpha = mark.alpha.copy()
    alpha[12:22, 20 : 20 + columns] = 0.5
    told = score_removal([moment(mark, alpha=alpha)], mark)["ours"]
    assert told["alpha_iou"] == pytest.approx(10 / columns)
    assert (told["alpha_mae"], told["alpha_covered"], told["found"]) == (0, 1, found)


def test_found_looks_at_the_mean_of_the_frames_and_the_error_at_each():
    mark = square(0.4)
    told = score_removal([moment(mark, alpha=share * mark.alpha) for share in (0, 2)], mark)["ours"]
    assert told["alpha_mae"] == pytest.approx(0.4, abs=1e-6)
    assert (told["found"], told["alpha_covered"]) == (True, 1)
    told = score_removal([moment(mark, alpha=0.3 * mark.alpha) for _ in range(2)], mark)["ours"]
    assert (told["found"], told["alpha_covered"]) == (False, 0)


def test_the_error_is_pooled_over_the_frames_and_inside_and_outside_are_apart():
    mark = square(1, (0, 0, 0))
    clean = np.full((40, 60, 3), 102, np.uint8)
    inside, outside = unit(clean), unit(clean)
    inside[mark.inside] += 0.1
    outside[mark.outside] += 0.2
    told = score_removal([moment(mark, clean, result=result) for result in (unit(clean), inside, outside)], mark)
    assert told["ours"]["psnr_inside_db"] == pytest.approx(-10 * math.log10(0.1**2 / 3), abs=1e-3)
    assert told["ours"]["psnr_outside_db"] == pytest.approx(-10 * math.log10(0.2**2 / 3), abs=1e-3)
    assert "ideal" not in told  # nothing is to be seen through this mark


def test_outside_is_compared_to_what_was_given():
    mark = square()
    clean = confetti(40, 60)
    given = np.where(mark.outside[..., None], clean // 2, compose(clean, mark))
    for result, at_least, at_most in ((given, 100, 100), (clean, 0, 20)):
        told = score_removal([Moment(given, clean, Found(unit(result), mark.colour, mark.alpha))], mark)["ours"]
        assert at_least <= told["psnr_outside_db"] <= at_most


def test_what_compression_took_is_told_apart_from_the_mark():
    mark = square()
    clean = np.full((40, 60, 3), 102, np.uint8)
    given = np.where(mark.outside[..., None], clean + np.uint8(51), compose(clean, mark))
    told = score_removal([Moment(given, clean), Moment(given, clean)], mark)["input"]
    assert told["psnr_coding_db"] == pytest.approx(-20 * math.log10(0.2), abs=1e-3)


def test_faint_parts_of_a_mark_count_neither_inside_nor_outside():
    mark = square()
    mark.alpha[0, 0] = 0.015
    result = unit(confetti(40, 60))
    result[0, 0] = 1 - result[0, 0]
    told = score_removal([moment(mark, result=result)], mark)["ours"]
    assert (told["psnr_inside_db"], told["psnr_outside_db"]) == (100, 100)


def test_without_a_result_the_others_are_told():
    mark = square()
    told = score_removal([Moment(compose(confetti(40, 60), mark), confetti(40, 60))], mark)
    assert told.keys() == {"input", "inpaint", "ideal"}


def test_a_result_of_another_size_is_an_error():
    mark = square()
    with pytest.raises(ScoreError, match="a result is"):
        score_removal([moment(mark, result=np.zeros((20, 30, 3), np.float32))], mark)
    with pytest.raises(ScoreError, match="the alpha is"):
        score_removal([moment(mark, alpha=np.zeros((20, 30)))], mark)
    with pytest.raises(ScoreError):
        Pooled().add(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), np.ones((2, 2), np.bool_))


def test_inpainting_fills_the_mask_alone():
    mark = square(1, (1, 0, 0))
    clean = np.full((40, 60, 3), (30, 90, 150), np.uint8)
    filled = inpainted(compose(clean, mark), mark.inside)
    np.testing.assert_array_equal(filled[mark.outside], clean[mark.outside])
    assert np.abs(filled[mark.inside].astype(int) - (30, 90, 150)).max() <= 3


def test_motion_is_that_under_the_mark():
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (96, 400)).astype(np.float32), None, 3)
    wide = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)[..., None].repeat(3, 2)
    frames = []
    for index in range(4):
        # The left half stands, the right half moves by 3 pixels a frame.
        frames.append(np.hstack([wide[:, :120], wide[:, 140 + 3 * index : 260 + 3 * index]]))
    left, right = (np.zeros((96, 240), np.bool_) for _ in range(2))
    left[30:60, 30:70] = right[30:60, 160:200] = True
    assert scene_motion(frames, left) == pytest.approx(0, abs=0.1)
    assert scene_motion(frames, right) == pytest.approx(3, abs=0.2)
    assert scene_motion(frames[:1], left) is None


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "watermark").is_dir(), reason="needs the evaluation data beside the checkout")
def test_the_measured_mark_is_faint():
    mark = make_mark("measured", 1, DATA, 360, 640)
    assert mark.alpha.max() == pytest.approx(0.51, abs=0.005)
    assert mark.box == (524, 244, 96, 96)
