from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from benchmarks import reflection_sections, separate
from benchmarks.davis import read_frame, write_clip
from benchmarks.material import pictures_of, unit, write_png
from benchmarks.mixtures import Pair, mixed
from benchmarks.once import RunError
from benchmarks.reflection_sections import Ask
from benchmarks.separate import main
from benchmarks.sheets import LIMIT_BYTES
from ddvideo.media import open_source
from ddvideo.store import result_names
from tests.benchmark_checks import assert_one_line, file_of_an_empty_measurement, run_without
from tests.test_benchmark_haze import confetti

FRAMES = 10
CLIP_PX = (64, 36)
SCORES = ("psnr_db", "ac_psnr_db", "ssim", "r_psnr_db", "r_ac_psnr_db")


@pytest.fixture(scope="module", autouse=True)
def small():
    """The same measurement of fewer and smaller clips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reflection_sections, "CLIP_PX", CLIP_PX)
        patch.setattr(reflection_sections, "CLEAR_FRAMES", 4)
        patch.setattr(reflection_sections, "STILL", (Pair("carp", "moon.png"), Pair("koi", "star.jpg")))
        patch.setattr(reflection_sections, "MOVING", (Pair("koi", "carp"),))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The evaluation data in small, with everything that the sections look for."""
    root = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("moon.png", "star.jpg")):
        write_png(root / "images" / name, confetti(60, 90, seed))
    for seed, name in enumerate(("carp", "koi"), 2):
        wide = confetti(72, 200, seed)
        for index in range(FRAMES):
            write_png(root / "davis" / "frames" / name / f"{index:05d}.jpg", wide[:, 2 * index : 2 * index + 128])
    for number in (1, 2, 3):
        moment = mixed(confetti(40, 40, 3 + number), np.float32(0.3) * unit(confetti(40, 40, 7 + number, cell=5)))
        for name in ("mixture", "transmission", "reflection"):
            write_png(root / "reflection" / "images" / f"{number:02d}_{name}.png", getattr(moment, name))
    glass = root / "reflection" / "real_video" / "glass_400x512.mp4"
    write_clip(glass, (confetti(64, 48, 20 + k) for k in range(5)))
    return root


class FakeRun:
    """In place of the pipeline: a twentieth of the input is the reflection, the rest is the transmission."""

    def __init__(self, fails=lambda out: False, warnings=()):
        self.calls, self.fails, self.warnings = [], fails, list(warnings)

    def __call__(self, inputs, out, options):
        self.calls.append((list(inputs), out, options))
        if self.fails(out):
            raise RunError("exit code 5: it did not work")
        return [self.write(path, out / name) for path, name in zip(inputs, result_names(inputs), strict=True)]

    def layers(self, path, index, picture):
        reflection = np.rint(picture / 20)
        return picture - reflection, reflection

    def write(self, path, folder):
        shutil.rmtree(folder, ignore_errors=True)
        with open_source(path) as source:
            for frame in source.frames():
                layers = self.layers(path, frame.index, frame.rgb)
                for name, picture in zip(("transmission", "reflection"), layers, strict=True):
                    many = folder / name / f"{frame.index:06d}.png"
                    write_png(folder / f"{name}.png" if source.info.kind == "image" else many, np.uint8(picture))
        report = {
            "quality": {"recomposition_psnr_db": 60.0},
            "seconds_per_frame": 0.25,
            "peak_rss_mib": 321,
            "timings_seconds": {"total": 1.0},
            "warnings": self.warnings,
            "recipe": {},
            "device": "cpu",
            "threads": 1,
        }
        (folder / "report.json").write_text(json.dumps(report))
        return folder


class Truth(FakeRun):
    """The true layers of stills and mixtures, and the input with nothing on it elsewhere."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def layers(self, path, index, picture):
        if path.stem.endswith("_mixture"):
            folder, number = path.parent, path.stem[:2]
            return tuple(read_frame(folder / f"{number}_{name}.png") for name in ("transmission", "reflection"))
        pair = {"carp-moon": ("still", 0), "koi-star": ("still", 1), "koi-carp": ("moving", 0)}.get(path.name)
        if pair is None:
            return picture, np.zeros_like(picture)
        ask = Ask(self.data, None, FRAMES, ["full"])
        section, number = pair
        moments = reflection_sections.SECTIONS[section](ask)[number].args[-1]
        moment = list(moments())[index]
        return moment.transmission, moment.reflection


def test_a_whole_measurement(data, tmp_path, capsys):
    run = FakeRun(warnings=["little moves"])
    out = tmp_path / "out"
    asked = ["--data", str(data), "--out", str(out), "--json", str(tmp_path / "deep" / "numbers.json")]
    assert main([*asked, "--frames", str(FRAMES), "--preset", "fast", "--seed", "7"], run) == 0
    told = json.loads((tmp_path / "deep" / "numbers.json").read_text())
    assert told.keys() >= {"commit", "dirty", "date", "seed", "preset", "hardware", "versions", "settings", "targets"}
    assert (told["seed"], told["preset"], told["failures"], told["overrides"]) == (7, "fast", [], {})
    assert told["variants"] == ["single", "full"]
    names = {section: [row["input"] for row in found["rows"]] for section, found in told["sections"].items()}
    assert names == {
        "still": ["carp-moon", "koi-star"],
        "moving": ["koi-carp"],
        "triples": ["01", "02", "03"],
        "clear": ["carp", "koi"],
        "real": ["glass"],
    }
    rows = {
        section: {row["input"]: row["variants"] for row in found["rows"]} for section, found in told["sections"].items()
    }
    for section in ("still", "moving"):
        for variants in rows[section].values():
            assert list(variants) == ["input", "minus", "mean", "single", "full"]
            full = variants["full"]
            # The fake treats every frame alike, so that single frames are those of the whole clip.
            assert [variants["single"][key] for key in SCORES] == [full["shared"][key] for key in SCORES]
            assert full["psnr_db"] != full["shared"]["psnr_db"]
            assert variants["input"]["leak_r_in_t"] == pytest.approx(1, abs=0.02)
            assert full["leak_r_in_t"] == pytest.approx(0.95, abs=0.02)
            assert full["leak_t_in_r"] == pytest.approx(0.05, abs=0.02)
            assert (full["seconds_per_frame"], full["recomposition_psnr_db"], full["warned"]) == (0.25, 60, 1)
            assert variants["mean"]["seconds_per_frame"] > 0
    assert list(rows["triples"]["02"]) == ["input", "minus", "full"]
    assert rows["triples"]["02"]["minus"]["r_mean"] == pytest.approx(0.12)
    assert list(rows["clear"]["koi"]) == list(rows["real"]["glass"]) == ["full"]
    frames = list(pictures_of(out / "clear" / "inputs" / "koi"))
    change = np.stack([np.rint(frame / 20) / 255 for frame in frames])
    koi = rows["clear"]["koi"]["full"]
    assert (len(frames), frames[0].shape) == (4, (*CLIP_PX[::-1], 3))
    assert koi["psnr_db"] == pytest.approx(-10 * np.log10(np.square(change).mean()), abs=1e-4)
    assert koi["r_mean"] == pytest.approx(change.mean(), abs=1e-6)
    assert "psnr_db" not in rows["real"]["glass"]["full"]
    assert rows["real"]["glass"]["full"]["r_mean"] > 0.01
    # Mixtures are handed over without any loss.
    handed = sorted((out / "still" / "inputs" / "koi-star").iterdir())
    assert [path.name for path in handed] == [f"{index:06d}.png" for index in range(FRAMES)]
    sheets = ["moving-koi-carp", "real-glass", "still-carp-moon", "still-koi-star", "triples"]
    assert sorted(path.stem for path in (out / "sheets").iterdir()) == sheets
    assert all(path.stat().st_size < LIMIT_BYTES for path in (out / "sheets").iterdir())
    printed = capsys.readouterr().out
    assert "still: targets\nAC-PSNR above the input's, in dB, mean at least 8: mean " in printed
    assert "moving: targets\nAC-PSNR above the input's, in dB, mean at least 2: mean " in printed
    assert "against AC-PSNR of mean: mean " in printed
    assert "PSNR against the input, in dB, each at least 40: mean 3" in printed
    # What each run was asked for.
    assert {(options.task, options.preset, options.seed) for _, _, options in run.calls} == {("separate", "fast", 7)}
    asked = {(out.parent.name, out.name): [path.name for path in inputs] for inputs, out, _ in run.calls}
    assert asked["single", "koi-star"] == ["000000.png", "000008.png"]
    assert asked["full", "koi-star"] == ["koi-star"]
    assert asked["full", "stills"] == [f"0{number}_mixture.png" for number in (1, 2, 3)]
    assert asked["full", "glass"] == ["glass_400x512.mp4"]


def test_the_truth_meets_every_target(data, tmp_path, capsys):
    asked = ["--data", str(data), "--out", str(tmp_path), "--variants", "full", "--frames", str(FRAMES), "--no-sheets"]
    assert main(asked, Truth(data)) == 0
    told = json.loads((tmp_path / "separate-balanced.json").read_text())
    assert [len(told["targets"][section]) for section in ("still", "moving", "triples", "clear")] == [5, 5, 3, 1]
    assert all(target["met"] for targets in told["targets"].values() for target in targets)
    for section in ("still", "moving", "triples"):
        for row in told["sections"][section]["rows"]:
            full = row["variants"]["full"]
            assert {full[key] for key in SCORES if key != "ssim"} == {100}, row["input"]
            assert (full["ssim"], full["leak_r_in_t"], full["swapped"]) == pytest.approx((1, 0, 0), abs=1e-6)
    printed = capsys.readouterr().out
    assert "MISSED" not in printed
    assert "WORSE" not in printed
    assert not (tmp_path / "sheets").exists()


def test_exchanged_layers_are_told(data, tmp_path, capsys):
    class Exchanged(Truth):
        def layers(self, path, index, picture):
            return super().layers(path, index, picture)[::-1]

    asked = ["--data", str(data), "--out", str(tmp_path), "--variants", "full", "--frames", "9", "--no-sheets"]
    assert main([*asked, "--sections", "moving,triples"], Exchanged(data)) == 0
    told = json.loads((tmp_path / "separate-balanced.json").read_text())
    swapped = [row["variants"]["full"]["swapped"] for found in told["sections"].values() for row in found["rows"]]
    assert swapped == [1] * 4
    assert (
        "swapped, each at most 0: mean 1.00, MISSED; short of it are 1 of 1: koi-carp (1.00)" in capsys.readouterr().out
    )


def test_a_sheet_shows_what_was_given_what_came_of_it_and_what_was_there(data, tmp_path):
    class Flat(FakeRun):
        def layers(self, path, index, picture):
            return np.full_like(picture, 200), np.full_like(picture, 40)

    asked = ["--data", str(data), "--out", str(tmp_path), "--variants", "full", "--frames", str(FRAMES)]
    assert main([*asked, "--sections", "still,real", "--clips", "koi"], Flat()) == 0
    sheet = read_frame(tmp_path / "sheets" / "still-koi-star.png")
    assert sheet.shape == (3 * 184, 5 * 324, 3)
    handed = sorted((tmp_path / "still" / "inputs" / "koi-star").iterdir())
    (moments,) = (step.args[-1] for step in reflection_sections.still(Ask(data, ["koi"], FRAMES, [])))
    moment = list(moments())[4]  # of 10 frames, the middle one that is shown
    assert (read_frame(handed[4]) == moment.mixture).all()
    line = sheet[184 + 30 : 184 + 180].astype(int)
    means = [line[:, 324 * k : 324 * k + 320].mean() for k in range(5)]
    cut = np.s_[6:]
    truths = [moment.mixture[cut].mean(), 200, moment.transmission[cut].mean(), 80, 2 * moment.reflection[cut].mean()]
    assert means == pytest.approx(truths, abs=3)
    real = read_frame(tmp_path / "sheets" / "real-glass.png")
    assert real.shape == (3 * (round(64 * 320 / 48) + 4), 3 * 324, 3)
    assert [int(real[300, 324 * k + 160, 0]) for k in (1, 2)] == pytest.approx([200, 80], abs=3)


def test_a_line_of_the_sheet_of_stills_is_one_still(data, tmp_path):
    asked = ["--data", str(data), "--out", str(tmp_path), "--variants", "full", "--sections", "triples"]
    assert main(asked, Truth(data)) == 0
    sheet = read_frame(tmp_path / "sheets" / "triples.png").astype(int)
    assert sheet.shape == (3 * 324, 5 * 324, 3)
    for number, line in enumerate(np.split(sheet, 3), 1):
        _, found, truth, mirrored, true_mirrored = (line[30:320, 324 * k : 324 * k + 320] for k in range(5))
        assert np.abs(found - truth).max() == np.abs(mirrored - true_mirrored).max() == 0
        picture = read_frame(data / "reflection" / "images" / f"{number:02d}_transmission.png")
        assert truth[-9:, -9:].mean(axis=(0, 1)) == pytest.approx(picture[-1, -1], abs=5)


def test_an_ablation_is_a_run_with_other_options(data, tmp_path):
    run = FakeRun()
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--frames", "4", "--set", "weight=0.5"]
    variants = "one-round,no-gaps,full,uncoupled,fixed-motion"
    assert main([*asked, "--sections", "moving,triples,clear", "--variants", variants], run) == 0
    told = json.loads((tmp_path / "separate-balanced.json").read_text())["sections"]
    every = ["uncoupled", "fixed-motion", "one-round", "no-gaps", "full"]
    assert list(told["moving"]["rows"][0]["variants"]) == ["input", "minus", "mean", *every]
    assert list(told["triples"]["rows"][0]["variants"]) == ["input", "minus", "uncoupled", "full"]
    assert list(told["clear"]["rows"][0]["variants"]) == ["full"]
    options = {out.parent.name: dict(options.overrides) for _, out, options in run.calls}
    assert options == {
        "uncoupled": {"weight": 0.5, "coupled": False},
        "fixed-motion": {"weight": 0.5, "learned_motion": False},
        "one-round": {"weight": 0.5, "rounds": 1},
        "no-gaps": {"weight": 0.5, "far": False},
        "full": {"weight": 0.5},
    }


def test_a_part_is_the_start_of_the_whole_and_leaves_nothing_of_it_behind(data, tmp_path):
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--sections", "still,moving", "--clips", "koi"]
    frames = {}
    for count in (FRAMES, 4):
        assert main([*asked, "--frames", str(count)], FakeRun()) == 0
        frames[count] = {
            section: [read_frame(path) for path in sorted((tmp_path / section / "inputs" / name).iterdir())]
            for section, name in (("still", "koi-star"), ("moving", "koi-carp"))
        }
    for section, part in frames[4].items():
        assert len(part) == 4
        assert (np.stack(part) == np.stack(frames[FRAMES][section][:4])).all()
    assert not list(tmp_path.glob("*/inputs/carp*"))


def test_a_failure_is_named_and_the_rest_goes_on(data, tmp_path, capsys):
    run = FakeRun(lambda out: out.name in ("carp-moon", "glass", "carp") and out.parent.name == "full")
    assert main(["--data", str(data), "--out", str(tmp_path), "--frames", str(FRAMES)], run) == 1
    printed = capsys.readouterr()
    assert "FAILED still carp-moon (full): exit code 5: it did not work" in printed.out
    assert "FAILED real glass (full): exit code 5: it did not work" in printed.out
    assert "carp: full failed" in printed.err
    told = json.loads((tmp_path / "separate-balanced.json").read_text())["sections"]
    assert [list(row["variants"]) for row in told["still"]["rows"]] == [
        ["input", "minus", "mean", "single"],
        ["input", "minus", "mean", "single", "full"],
    ]
    assert [row["input"] for row in told["clear"]["rows"]] == ["koi"]
    assert "real" not in told


@pytest.mark.parametrize("broken", ["transmission", "reflection"])
def test_a_layer_that_lacks_a_frame_or_is_missing_is_a_failure(data, tmp_path, capsys, broken):
    class Short(FakeRun):
        def write(self, path, folder):
            super().write(path, folder)
            if path.name == "carp-moon":
                (folder / broken / "000003.png").unlink()
            elif path.name == "02_mixture.png":
                (folder / f"{broken}.png").unlink()
            elif path.suffix == ".mp4":
                shutil.rmtree(folder / broken)
            return folder

    asked = ["--data", str(data), "--out", str(tmp_path), "--frames", str(FRAMES), "--variants", "full"]
    assert main([*asked, "--sections", "still,triples,real"], Short()) == 1
    printed = capsys.readouterr().out
    assert "FAILED still carp-moon (scoring): " in printed
    assert "FAILED triples 02 (scoring): " in printed
    assert "FAILED real glass (sheet): " in printed
    assert printed.count(f"has no {broken}") == 2
    told = json.loads((tmp_path / "separate-balanced.json").read_text())["sections"]
    assert [row["input"] for row in told["triples"]["rows"]] == ["01", "03"]


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        ([], True),
        (["--variants", "full,single,one-round"], True),
        (["--variants", "full"], False),
        (["--frames", "39"], False),
        (["--clips", "koi"], False),
        (["--set", "weight=1"], False),
        (["--sections", "still"], False),
    ],
)
def test_only_a_whole_measurement_takes_its_place_in_the_repository(tmp_path, monkeypatch, asked, whole):
    file = file_of_an_empty_measurement(monkeypatch, tmp_path, separate, asked, FakeRun())
    folder = tmp_path / "benchmarks" / "results" if whole else tmp_path / "out"
    assert file == folder / "separate-fast.json"


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("davis/frames", "no sequences"),
        ("davis/frames/carp", "carp"),
        ("images/star.jpg", "star.jpg is missing"),
        ("reflection/images", "no *_mixture.png"),
        ("reflection/images/02_reflection.png", "02_reflection.png is missing"),
        ("reflection/real_video/glass_400x512.mp4", "glass_400x512.mp4 is missing"),
    ],
)
def test_missing_data_is_one_line_and_exit_code_2(data, tmp_path, capsys, gone, said):
    run = FakeRun()
    assert run_without(gone, data, tmp_path, main, run) == 2
    assert_one_line(capsys.readouterr(), said)
    assert not (tmp_path / "out").exists()
    assert not run.calls


def test_a_reflected_sequence_that_is_too_short_is_told(data, tmp_path, capsys):
    assert run_without("davis/frames/carp/00008.jpg", data, tmp_path, main, FakeRun()) == 2
    assert_one_line(capsys.readouterr(), "carp has fewer frames than koi")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--clips", "trout"], "trout"),
        (["--sections", "still", "--clips", "trout"], "trout"),
        (["--sections", "still,loud"], "loud"),
        (["--variants", "best"], "best"),
        (["--frames", "2"], "at least 3"),
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
