from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from benchmarks.davis import load_sequences
from benchmarks.image_cases import BASELINES, baselines, cases_of
from benchmarks.images import main
from benchmarks.once import RunError
from ddvideo.store import result_names
from tests.benchmark_checks import assert_one_line, run_without

FRAMES, H, W = 26, 200, 320
"""Images are the frames 8, 16 and 24; the object is red on grey, 40 wide and 30 high."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name in ("frames", "masks"):
        (root / "davis" / name / "koi").mkdir(parents=True)
    for index in range(FRAMES):
        picture, mask = np.full((H, W, 3), 110, np.uint8), np.zeros((H, W), np.uint8)
        mask[90:120, 100 + index : 140 + index] = 255
        picture[mask > 0] = (40, 40, 220)
        assert cv2.imwrite(str(root / "davis" / "frames" / "koi" / f"{index:05d}.jpg"), picture)
        assert cv2.imwrite(str(root / "davis" / "masks" / "koi" / f"{index:05d}.png"), mask)
    (root / "davis" / "published_J.csv").write_text("sequence,u2netp_every_8th_frame\nkoi,0.625\nmean,0.7\n")
    return root


class FakeRun:
    """In place of the pipeline: what is red is the foreground; the seeds of the first image of a call are empty."""

    def __init__(self, fails=()):
        self.calls, self.fails = [], fails

    def __call__(self, inputs, out, options):
        self.calls.append((options.variant, [path.stem for path in inputs]))
        if options.variant in self.fails:
            raise RunError("exit code 5: it did not work")
        folders = []
        for k, (path, name) in enumerate(zip(inputs, result_names(inputs), strict=True)):
            (out / name).mkdir(parents=True)
            picture = cv2.imread(str(path)).astype(int)
            alpha = (picture[..., 2] - picture[..., 1] > 60) & (options.variant == "full" or k > 0)
            assert cv2.imwrite(str(out / name / "alpha.png"), np.uint8(255 * alpha))
            report = {"quality": {"recomposition_psnr_db": 50.0}, "seconds_per_frame": 0.25, "peak_rss_mib": 321}
            report |= {"timings_seconds": {}, "warnings": [], "recipe": {}, "device": "cpu", "threads": 1}
            (out / name / "report.json").write_text(json.dumps(report))
            folders.append(out / name)
        return folders


def test_a_whole_measurement(data, tmp_path, capsys):
    run = FakeRun()
    asked = ["--data", str(data), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "numbers.json")]
    assert main([*asked, "--fit-every", "2"], run) == 0
    some = ["koi-00008", "koi-00024"]
    assert run.calls == [("seeds", ["koi-00008", "koi-00016", "koi-00024"]), ("full", some)] * 2
    sections = json.loads((tmp_path / "numbers.json").read_text())["sections"]
    for name in ("whole", "close"):
        (row,) = sections[name]["rows"]
        assert row["variants"]["seeds"]["j"] == pytest.approx(2 / 3, abs=0.02)
        assert row["variants"]["some"]["j"] == pytest.approx(1 / 2, abs=0.02)
        assert row["variants"]["full"]["j"] > 0.97
        assert [row["variants"][key]["images"] for key in ("walk", "seeds", "some", "full")] == [3, 3, 2, 2]
    assert sections["whole"]["rows"][0]["u2netp_j"] == 0.625
    assert "u2netp_j" not in sections["close"]["rows"][0]
    assert {path.name for path in (tmp_path / "out" / "sheets").iterdir()} == {"whole-koi.png", "close-koi.png"}
    printed = capsys.readouterr().out
    assert "a trained network, on these frames: mean 0.625" in printed
    assert "J of some: mean +0.5" in printed


def test_a_variant_that_fails_is_named_and_the_rest_measured(data, tmp_path, capsys):
    asked = ["--data", str(data), "--out", str(tmp_path), "--sections", "close", "--no-sheets"]
    assert main([*asked, "--json", str(tmp_path / "numbers.json")], FakeRun(fails=("full",))) == 1
    (row,) = json.loads((tmp_path / "numbers.json").read_text())["sections"]["close"]["rows"]
    assert set(row["variants"]) == {*BASELINES, "seeds", "some"}
    assert "FAILED close koi (full): exit code 5" in capsys.readouterr().out


def test_without_data_it_says_so(data, tmp_path, capsys):
    assert run_without("davis/frames", data, tmp_path, main, FakeRun()) == 2
    assert_one_line(capsys.readouterr(), "no sequences in")


def test_a_close_up_shows_the_object_at_half_its_width(data):
    (sequence,) = load_sequences(data / "davis")
    case = next(cases_of(sequence, "close"))
    assert case.name == "koi-00008"
    # 160 pixels at least, which is wider than twice the object; it is in the middle.
    assert case.picture.shape == (160, 160, 3)
    assert case.mask.sum() == 30 * 40
    rows, columns = np.nonzero(case.mask)
    assert abs(rows.mean() - 79.5) <= 1
    assert abs(columns.mean() - 79.5) <= 1


def test_the_baselines_are_mattes_of_the_picture_s_size(data):
    (sequence,) = load_sequences(data / "davis")
    case = next(cases_of(sequence, "whole"))
    found = baselines(case.picture)
    assert set(found) == set(BASELINES)
    assert all(matte.shape == (H, W) and np.isfinite(matte).all() for matte in found.values())
    assert found["centre"][H // 2, W // 2] > 0.5 > found["centre"][2, 2]
