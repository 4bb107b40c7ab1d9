from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from benchmarks import dewatermark, mark_sections, once
from benchmarks.davis import load_sequences, read_frame, write_clip
from benchmarks.dewatermark import main
from benchmarks.mark_cases import STILLS, TRANSLUCENT, translucent_cases
from benchmarks.mark_score import Found, Moment
from benchmarks.mark_sheet import Panels
from benchmarks.marks import make_mark
from benchmarks.material import pictures_of, unit, write_png
from benchmarks.once import RunError, RunOptions
from benchmarks.recode import recoded
from benchmarks.sheets import LIMIT_BYTES
from ddvideo.media import open_source, probe
from ddvideo.metrics import psnr_db
from ddvideo.store import result_names
from tests.benchmark_checks import assert_one_line, file_of_an_empty_measurement, run_without
from tests.test_benchmark_haze import confetti
from tests.test_benchmark_marks import square, write_marks

FRAMES = 4
CLIP_PX, CROP_PX = (192, 108), 128
STILL_FRAMES = {"set1": ["blue", "red", "image1"], "set2": ["image2", "blue", "red"]}


@pytest.fixture(scope="module", autouse=True)
def small():
    """The same measurement at a size that takes no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mark_sections, "CLIP_PX", CLIP_PX)
        patch.setattr(mark_sections, "CROP_PX", CROP_PX)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The evaluation data in small, with everything that the sections look for."""
    root = tmp_path_factory.mktemp("data")
    write_marks(root)
    for seed, name in enumerate(("images/blue.png", "images/red.jpg"), 1):
        write_png(root / name, confetti(150, 180, seed))
    write_png(root / "images" / "brick.png", np.full((150, 180, 3), 90, np.uint8))
    write_png(root / "images" / "low.png", confetti(120, 180, 5))  # not high enough for a set
    for seed, name in enumerate(("image1", "image2"), 6):
        write_png(root / "watermark" / "pairs" / "text_mark" / f"{name}.png", confetti(130, 140, seed))
    for seed, name in enumerate(("carp", "koi"), 8):
        wide = cv2.GaussianBlur(confetti(240, 600, seed, cell=24) // 2 + 60, None, 3)  # colours that 4:2:0 can hold
        for index in range(FRAMES):
            frame = wide[:, 8 * index : 8 * index + 428].copy()
            frame[150:, :280] = wide[150:, :280]  # where the time code will be, the scene stands still
            write_png(root / "davis" / "frames" / name / f"{index:05d}.jpg", frame)
    return root


class FakeRun:
    """In place of the pipeline: the clean layer is the input, the mark is white, the alpha 0."""

    def __init__(self, fails=lambda out: False, warnings=()):
        self.calls, self.fails, self.warnings = [], fails, list(warnings)

    def __call__(self, inputs, out, options):
        self.calls.append((list(inputs), out, options))
        if self.fails(out):
            raise RunError("exit code 5: it did not work")
        (name,) = result_names(inputs[:1])
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        kind = probe(inputs[0]).kind
        for index, picture in enumerate(picture for path in inputs for picture in pictures_of(path)):
            for layer, values in zip(("clean", "mark", "alpha"), self.layers(out, index, picture), strict=True):
                still = kind == "image" and len(inputs) == 1
                path = folder / f"{layer}.png" if still else folder / layer / f"{index:06d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                levels = np.rint(255 * values).astype(np.uint8)
                assert cv2.imwrite(str(path), levels[..., ::-1] if levels.ndim == 3 else levels)
        report = {
            "quality": {"recomposition_psnr_db": 50.0},
            "seconds_per_frame": 0.25,
            "peak_rss_mib": 321,
            "timings_seconds": {"total": 1.0},
            "warnings": self.warnings,
            "recipe": {},
            "device": "cpu",
            "threads": 1,
        }
        (folder / "report.json").write_text(json.dumps(report))
        return [folder]

    def layers(self, out, index, picture):
        return unit(picture), np.ones(picture.shape), np.zeros(picture.shape[:2])


class Truth(FakeRun):
    """What was there before there was a mark, and the input where none is."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def layers(self, out, index, picture):
        name, kind, strength = out.name.rsplit("-", 2)
        mark = make_mark(kind, float(strength), self.data, *picture.shape[:2])
        if name in STILL_FRAMES:
            clean = mark_sections._middle(self.picture(STILL_FRAMES[name][index]))
        elif name in ("carp", "koi"):
            (sequence,) = load_sequences(self.data / "davis", [name], masks=False)
            clean = list(mark_sections._frames(sequence))[index]
        else:
            clean = self.picture(name)
        return unit(np.where(mark.outside[..., None], picture, clean)), mark.colour, mark.alpha

    def picture(self, stem):
        (path,) = self.data.glob(f"[iw]*/**/{stem}.*")
        return read_frame(path)


def test_a_whole_measurement(data, tmp_path, capsys):
    run = FakeRun(warnings=["no mark was found"])
    out = tmp_path / "out"
    asked = ["--data", str(data), "--out", str(out), "--json", str(tmp_path / "deep" / "numbers.json"), "--no-sheets"]
    assert main([*asked, "--preset", "fast", "--seed", "7"], run) == 0
    told = json.loads((tmp_path / "deep" / "numbers.json").read_text())
    assert told.keys() >= {"commit", "dirty", "date", "seed", "preset", "hardware", "versions", "settings", "targets"}
    assert (told["seed"], told["preset"], told["failures"], told["overrides"]) == (7, "fast", [], {})
    names = {section: [row["input"] for row in found["rows"]] for section, found in told["sections"].items()}
    rotation = translucent_cases(["carp", "koi"])
    assert names == {
        "translucent": [f"{name}-{kind}-{strength:g}" for name in rotation for kind, strength in rotation[name]],
        "opaque": ["carp-badge-1", "carp-thin-1", "koi-badge-1", "koi-thin-1"],
        "sets": [f"{name}-{kind}-{strength:g}" for name in STILL_FRAMES for kind, strength in STILLS],
        # The grey brick wall is no colour photograph.
        "single": ["blue-measured-1", "low-text-0.5", "red-logo-0.6", "image1-thin-0.7", "image2-measured-1"],
        "unmarked": ["carp", "koi"],
    }
    rows = {
        section: {row["input"]: row["variants"] for row in found["rows"]} for section, found in told["sections"].items()
    }
    # The fake leaves the mark where it is: its numbers are those of the input.
    for section in ("translucent", "opaque", "sets", "single"):
        for name, variants in rows[section].items():
            ideal = [] if "badge" in name else ["ideal"]  # in so small a frame, thin letters hide nothing wholly
            assert list(variants) == ["input", "inpaint", *ideal, "ours"], name
            ours = variants["ours"]
            assert ours["psnr_inside_db"] == pytest.approx(variants["input"]["psnr_inside_db"], abs=1e-4)
            assert (ours["psnr_outside_db"], ours["found"], ours["alpha_iou"]) == (100, False, 0)
            assert (ours["recomposition_psnr_db"], ours["seconds_per_frame"]) == (50, 0.25)
            assert not ideal or variants["ideal"]["psnr_inside_db"] > variants["input"]["psnr_inside_db"] + 5
            assert ("outside_lost_db" in ours) == (section in ("translucent", "opaque"))
    logo = make_mark("logo", 0.6, data, 150, 180)
    assert rows["single"]["red-logo-0.6"]["ours"]["alpha_mae"] == pytest.approx(logo.alpha[logo.inside].mean())
    badge = rows["opaque"]["koi-badge-1"]
    assert badge["ours"]["outside_lost_db"] == pytest.approx(badge["input"]["psnr_outside_db"] - 100)
    assert 35 < badge["input"]["psnr_outside_db"] < 60
    facts = {row["input"]: row for row in told["sections"]["opaque"]["rows"]}
    assert (facts["koi-badge-1"]["mark"], facts["koi-badge-1"]["frames"]) == ("badge-1", FRAMES)
    assert facts["koi-badge-1"]["motion_px"] == pytest.approx(8 * 192 / 428, abs=0.3)
    assert facts["koi-thin-1"]["motion_px"] < 0.3
    assert rows["unmarked"]["koi"]["ours"]["changed_db"] == 100
    assert rows["unmarked"]["koi"]["ours"]["warned"] is True
    clip = out / "opaque" / "inputs" / "koi-badge-1.mp4"
    assert (probe(clip).frames, probe(clip).codec, probe(clip).width) == (FRAMES, "h264", 192)
    printed = capsys.readouterr().out
    assert "translucent: targets\nPSNR inside in dB, mean at least 34: mean " in printed
    assert "MISSED; short of it are 4 of 4: carp-measured-0.6 (" in printed
    assert "against PSNR inside of inpaint: mean -" in printed
    # What each run was asked for.
    assert {(options.task, options.preset, options.seed) for _, _, options in run.calls} == {("dewatermark", "fast", 7)}
    for inputs, folder, options in run.calls:
        kind = folder.parent.parent.name
        assert options.together == (kind == "sets") == (len(inputs) == 3)
        assert [name for name, _ in options.overrides] == (["box"] if kind == "single" else [])
    boxes = {folder.name: dict(options.overrides).get("box") for _, folder, options in run.calls}
    x, y, width, height = logo.box
    assert boxes["red-logo-0.6"] == [x - 8, y - 8, width + 16, height + 16]
    crops = {read_frame(path).shape for inputs, _, options in run.calls if options.together for path in inputs}
    assert crops == {(CROP_PX, CROP_PX, 3)}
    assert not (out / "sheets").exists()


def test_sheets_show_each_frame_and_the_surroundings_of_its_mark(data, tmp_path):
    asked = ["--data", str(data), "--out", str(tmp_path), "--only", "video,single", "--sequences", "koi"]
    assert main(asked, Truth(data)) == 0
    told = json.loads((tmp_path / "dewatermark-balanced.json").read_text())["sections"]
    names = {f"{section}-{row['input']}" for section, found in told.items() for row in found["rows"]}
    found = {path.name.removesuffix(".png"): path for path in (tmp_path / "sheets").iterdir()}
    assert found.keys() == names
    assert len(names) == 4 + 5
    assert all(path.stat().st_size < LIMIT_BYTES for path in found.values())
    # Two frames, and of each the whole and a part: marked, result, truth, and the mark that was taken off.
    sheet = read_frame(found["opaque-koi-badge-1"])
    rows = [height + 4 for height in (180, round(320 * (15 + 6 + 16) / (21 + 6 + 16))) * 2]
    assert sheet.shape == (sum(rows), 4 * 324, 3)
    lines = np.split(sheet, np.cumsum(rows[:-1]))
    for line in (lines[1], lines[3]):
        marked, result, truth, mark = (line[30:, 324 * k : 324 * k + 320].astype(int) for k in range(4))
        assert np.abs(result - truth).mean() < 5 < 10 < np.abs(marked - truth).mean()
        assert 0.15 < (mark.max(axis=2) > 50).mean() < 0.3  # the badge, and black around it


def test_a_sheet_shows_marked_result_truth_and_what_was_taken_off(tmp_path):
    level = np.ones((40, 60, 3), np.float32)
    found = Found(0.6 * level, 0.8 * level, 0.5 * level[..., 0])
    moment = Moment(np.full((40, 60, 3), 50, np.uint8), np.full((40, 60, 3), 200, np.uint8), found)
    panels = Panels([1], square())
    assert list(panels.watch([moment] * 3)) == [moment] * 3
    panels.write(tmp_path / "sheet.png", "square")
    sheet = read_frame(tmp_path / "sheet.png")
    for row in (120, 217 + 120):
        assert [int(sheet[row, 324 * k + 300, 0]) for k in range(4)] == [50, 153, 200, 102]
    Panels([1], square()).write(tmp_path / "none.png", "nothing was kept")
    assert not (tmp_path / "none.png").exists()


def test_the_truth_meets_every_target(data, tmp_path, capsys):
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--only", "video,sets,single"]
    assert main(asked, Truth(data)) == 0
    told = json.loads((tmp_path / "dewatermark-balanced.json").read_text())
    for section, targets in told["targets"].items():
        assert targets
        assert all(target["met"] for target in targets), section
        for row in told["sections"][section]["rows"]:
            ours = row["variants"]["ours"]
            assert (ours["psnr_inside_db"], ours["psnr_outside_db"], ours["found"]) == (100, 100, True), row["input"]
            assert ours["alpha_mae"] < 0.003
    assert "MISSED" not in capsys.readouterr().out
    assert not (tmp_path / "sheets").exists()


def test_all_cases_is_the_whole_product(data, tmp_path):
    run = FakeRun(fails=lambda out: True)  # the clips alone
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--only", "video", "--sequences", "koi"]
    assert main([*asked, "--frames", "3", "--all-cases"], run) == 1
    clips = {path.stem for path in (tmp_path / "translucent" / "inputs").iterdir()}
    assert clips == {f"koi-{kind}-{strength:g}" for kind, strength in TRANSLUCENT}
    assert probe(tmp_path / "translucent" / "inputs" / "koi-text-0.3.mp4").frames == 3


def test_a_part_has_the_cases_of_the_whole(data, tmp_path):
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--only", "video", "--frames", "3"]
    assert main([*asked, "--sequences", "koi", "--set", "weight=0.5"], run := FakeRun()) == 0
    clips = {path.stem for path in (tmp_path / "translucent" / "inputs").iterdir()}
    assert clips == {f"koi-{kind}-{strength:g}" for kind, strength in translucent_cases(["carp", "koi"])["koi"]}
    assert {options.overrides for _, _, options in run.calls} == {(("weight", 0.5),)}


def test_clips_are_handed_over_in_the_quality_that_was_asked_for(data, tmp_path):
    asked = ["--data", str(data), "--no-sheets", "--only", "video,unmarked", "--frames", "3", "--sequences", "koi"]
    sizes, coded_db = {}, {}
    for crf in (0, 40):
        assert main([*asked, "--crf", str(crf), "--out", str(tmp_path / str(crf))], FakeRun()) == 0
        told = json.loads((tmp_path / str(crf) / "dewatermark-balanced.json").read_text())
        rows = told["sections"]["translucent"]["rows"]
        coded_db[told["crf"]] = [row["variants"]["input"]["psnr_coding_db"] for row in rows]
        sizes[crf] = (tmp_path / str(crf) / "unmarked" / "inputs" / "koi.mp4").stat().st_size
    assert min(coded_db[0]) > max(coded_db[40]) + 3
    assert sizes[0] > 3 * sizes[40]


def test_a_failure_is_named_and_the_baselines_are_told(data, tmp_path, capsys):
    run = FakeRun(lambda out: out.name == "blue-measured-1")
    assert main(["--data", str(data), "--out", str(tmp_path), "--only", "single"], run) == 1
    printed = capsys.readouterr()
    assert "FAILED single blue-measured-1 (ours): exit code 5: it did not work" in printed.out
    assert "blue-measured-1: ours failed" in printed.err
    told = json.loads((tmp_path / "dewatermark-balanced.json").read_text())
    assert [list(row["variants"]) for row in told["sections"]["single"]["rows"]][:2] == [
        ["input", "inpaint", "ideal"],
        ["input", "inpaint", "ideal", "ours"],
    ]


@pytest.mark.parametrize("broken", ["clean", "mark", "alpha"])
def test_a_layer_that_lacks_a_frame_or_is_missing_is_a_failure(data, tmp_path, capsys, broken):
    class Short(FakeRun):
        def __call__(self, inputs, out, options):
            (folder,) = super().__call__(inputs, out, options)
            if out.name.startswith("set1"):
                (folder / broken / "000002.png").unlink()
            else:
                shutil.rmtree(folder / broken)
            return [folder]

    assert main(["--data", str(data), "--out", str(tmp_path), "--only", "sets", "--no-sheets"], Short()) == 1
    printed = capsys.readouterr().out
    assert "FAILED sets set1-text-0.5 (scoring): a result has another number of frames" in printed
    assert f"FAILED sets set2-text-0.5 (scoring): {tmp_path}" in printed
    assert f"has no {broken}" in printed


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        ([], True),
        (["--frames", "9"], False),
        (["--sequences", "koi"], False),
        (["--set", "weight=1"], False),
        (["--all-cases"], False),
        (["--crf", "0"], False),
        (["--crf", "18"], True),
        (["--only", "video"], False),
    ],
)
def test_only_a_whole_measurement_takes_its_place_in_the_repository(tmp_path, monkeypatch, asked, whole):
    file = file_of_an_empty_measurement(monkeypatch, tmp_path, dewatermark, asked, FakeRun())
    folder = tmp_path / "benchmarks" / "results" if whole else tmp_path / "out"
    assert file == folder / "dewatermark-fast.json"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("davis/frames", "no sequences"),
        ("images", "no *.png or *.jpg"),
        ("watermark/marks/measured_alpha_96.png", "measured_alpha_96.png is missing"),
        ("watermark/pairs/text_mark/watermark.png", "watermark.png is missing"),
    ],
)
def test_missing_data_is_one_line_and_exit_code_2(data, tmp_path, capsys, gone, said):
    run = FakeRun()
    assert run_without(gone, data, tmp_path, main, run) == 2
    printed = capsys.readouterr()
    assert_one_line(printed, said)
    assert not (tmp_path / "out").exists()
    assert not run.calls


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--sequences", "trout"], "trout"),
        (["--only", "video,audio"], "audio"),
        (["--frames", "2"], "at least 3"),
        (["--crf", "52"], "0 to 51"),
        (["--set", "weight"], "--set"),
    ],
)
def test_wrong_usage_is_exit_code_2(data, tmp_path, capsys, asked, said):
    try:
        code = main(["--data", str(data), "--out", str(tmp_path / "out"), *asked], FakeRun())
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_images_that_go_together_are_one_input(data, tmp_path, monkeypatch):
    seen = {}

    class Done:
        returncode = 0

    def process(command, **rest):
        seen["argv"] = command[len(once.CHILD) :]
        return Done()

    def decompose(inputs, **asked):
        seen["inputs"], seen["asked"] = inputs, asked
        return []

    monkeypatch.setattr(once.subprocess, "run", process)
    inputs = sorted((data / "watermark" / "pairs" / "text_mark").glob("image*.png"))
    options = RunOptions(task="segment", preset="fast", together=True)
    assert once.all_in_own_process(inputs, tmp_path, options) == [tmp_path / "image1"]
    monkeypatch.setattr("ddvideo.pipeline.decompose", decompose)
    assert once.main(seen["argv"]) == 0
    assert seen["inputs"] == inputs
    assert seen["asked"]["together"] is True
    apart = RunOptions(task="segment", preset="fast")
    assert once.all_in_own_process(inputs, tmp_path, apart) == [tmp_path / "image1", tmp_path / "image2"]
    assert once.main(seen["argv"]) == 0
    assert "together" not in seen["asked"]
    monkeypatch.setattr(once, "_decompose", lambda *given: seen.setdefault("given", given) and [])
    boxed = RunOptions(task="dewatermark", together=True, overrides=(("box", [1, 2, 30, 40]),))
    once.all_in_own_process(inputs, tmp_path, boxed)
    assert once.main(seen["argv"]) == 0
    assert seen["given"] == (inputs, tmp_path, boxed)


def test_recoding_costs_what_writing_a_layer_costs(data, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", sorted((data / "davis" / "frames" / "koi").iterdir()))
    again = recoded(clip, tmp_path / "deep" / "again.mp4")
    with open_source(clip) as first, open_source(again) as second:
        pairs = [(unit(one.rgb), unit(two.rgb)) for one, two in zip(first.frames(), second.frames(), strict=True)]
    assert len(pairs) == FRAMES
    assert all(35 < psnr_db(two, one) < 100 for one, two in pairs)
