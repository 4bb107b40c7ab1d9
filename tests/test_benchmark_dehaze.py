from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from benchmarks import dehaze, once
from benchmarks.davis import read_frame, write_clip
from benchmarks.dehaze import main
from benchmarks.haze_table import render_losses, render_section
from benchmarks.hazing import CYCLE, hazed, ramp_depth, transmission_of
from benchmarks.material import pictures_of
from benchmarks.once import RunError, RunOptions
from benchmarks.sheets import LIMIT_BYTES
from ddvideo.media import open_source, probe
from ddvideo.store import result_names
from tests.benchmark_checks import assert_one_line, run_without
from tests.test_benchmark_haze import AIRLIGHT, confetti

FRAMES = 9


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The evaluation data in small, with everything that the sections look for."""
    root = tmp_path_factory.mktemp("data")

    def write(name, picture):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture[..., ::-1])

    clear = confetti()
    write("dehaze/sots_indoor/clear/7.png", clear)
    for number, level in ((1, 0.8), (2, 0.5)):
        through = np.full(clear.shape[:2], level, np.float32)
        write(f"dehaze/sots_indoor/hazy/7_{number}.png", hazed(clear, through, AIRLIGHT))
    write("images/motorcycle_left.png", confetti(seed=1))
    write("images/wall.png", np.full((64, 64, 3), 90, np.uint8))
    np.savez(root / "images" / "motorcycle_disp.npz", np.linspace(2, 9, 120 * 160, dtype=np.float32).reshape(120, 160))
    for name in ("pier", "quay"):
        write(f"dehaze/airlight/{name}.jpg", clear)
    (root / "dehaze" / "airlight" / "airlight_rgb.json").write_text(
        json.dumps({"pier": [0.5, 0.6, 0.7], "quay": [0.8, 0.8, 0.5]})
    )
    wide = confetti(96, 400, seed=2)
    for index in range(FRAMES):
        for name in ("davis/frames/carp", "davis/frames/koi", "dehaze/real_video/haze"):
            write(f"{name}/{index:05d}.jpg", np.ascontiguousarray(wide[:, 2 * index : 2 * index + 128]))
    return root


class FakeRun:
    """In place of the pipeline: the radiance is the input, the map is 0.75, the airlight (0.8, 0.8, 0.8)."""

    def __init__(self, fails=lambda out, options: False):
        self.calls, self.fails = [], fails

    def __call__(self, inputs, out, options):
        self.calls.append((list(inputs), options))
        if self.fails(out, options):
            raise RunError("exit code 5: it did not work")
        return [self.write(path, out / name) for path, name in zip(inputs, result_names(inputs), strict=True)]

    def write(self, path, folder):
        with open_source(path) as source:
            info = source.info
            for frame in source.frames():
                layers = {"radiance": frame.rgb, "transmission_map": np.full(frame.rgb.shape[:2], 191.25)}
                for name, picture in layers.items():
                    still = folder / f"{name}.png" if info.kind == "image" else folder / name / f"{frame.index:06d}.png"
                    still.parent.mkdir(parents=True, exist_ok=True)
                    colours = picture[..., ::-1] if picture.ndim == 3 else np.rint(picture).astype(np.uint8)
                    assert cv2.imwrite(str(still), colours)
        report = {
            "airlight": [{"start": 0, "stop": info.frames, "rgb": [0.8, 0.8, 0.8]}],
            "quality": {"recomposition_psnr_db": 50.0},
            "seconds_per_frame": 0.25,
            "peak_rss_mib": 321,
            "timings_seconds": {"total": 1.0},
            "warnings": [],
            "recipe": {},
            "device": "cpu",
            "threads": 1,
        }
        (folder / "report.json").write_text(json.dumps(report))
        return folder


def test_a_whole_measurement(data, tmp_path, capsys):
    run = FakeRun()
    asked = ["--data", str(data), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "deep" / "numbers.json")]
    assert main([*asked, "--frames", str(FRAMES), "--preset", "fast", "--seed", "7"], run) == 0
    told = json.loads((tmp_path / "deep" / "numbers.json").read_text())
    assert told.keys() >= {"commit", "dirty", "date", "seed", "preset", "hardware", "versions", "settings"}
    assert (told["seed"], told["preset"], told["failures"], told["overrides"]) == (7, "fast", [], {})
    names = {section: [row["input"] for row in found["rows"]] for section, found in told["sections"].items()}
    assert names == {
        "indoor": ["7_1", "7_2"],
        "depth": ["motorcycle_left-080", "motorcycle_left-120", "motorcycle_left-160"],
        "clips": ["carp", "koi"],
        "clear": ["7", "motorcycle_left", "carp", "koi"],  # the grey wall is no colour photograph
        "airlight": ["pier", "quay"],
        "real": ["haze"],
    }
    rows = {
        section: {row["input"]: row["variants"] for row in found["rows"]} for section, found in told["sections"].items()
    }
    # The fake leaves the haze where it is: its numbers are those of the input.
    for variants in rows["indoor"].values():
        assert list(variants) == ["input", "dcp", "seeds", "full"]
        assert variants["full"]["psnr_db"] == variants["input"]["psnr_db"] < variants["dcp"]["psnr_db"]
        assert variants["full"]["ssim"] == variants["input"]["ssim"]
    assert rows["clear"]["7"]["full"]["psnr_db"] == rows["clear"]["koi"]["full"]["psnr_db"] == 100
    assert rows["airlight"]["pier"]["full"]["airlight_error"] == pytest.approx(0.2, abs=1e-6)
    assert rows["depth"]["motorcycle_left-120"]["full"]["airlight_error"] == pytest.approx(0.22 / 3, abs=1e-6)
    koi = rows["clips"]["koi"]
    through = transmission_of(ramp_depth("koi", 96, 128), CYCLE[1].beta)
    assert koi["full"]["t_mae"] == pytest.approx(np.abs(through - 0.75).mean(), abs=1e-3)
    assert koi["full"]["airlight_error"] == pytest.approx(0.35 / 3, abs=1e-6)
    assert koi["full"]["warped"] == pytest.approx(1, abs=1e-6)
    assert (koi["full"]["peak_rss_mib"], koi["full"]["recomposition_psnr_db"]) == (321, 50)
    # The true map and airlight leave what compression has made of the clip, and no haze.
    assert koi["ideal"]["psnr_db"] > max(25, koi["dcp"]["psnr_db"] + 5)
    assert koi["per-frame"]["psnr_db"] == pytest.approx(koi["full"]["shared"]["psnr_db"], abs=1e-6)
    assert koi["per-frame"]["flicker"] == pytest.approx(koi["full"]["shared"]["flicker"], abs=1e-6)
    assert rows["real"]["haze"].keys() == {"input", "dcp", "full"}
    clip = tmp_path / "out" / "clips" / "inputs" / "koi.mp4"
    assert (probe(clip).frames, probe(clip).codec) == (FRAMES, "h264")
    sheets = ["airlight", "clips-carp", "clips-koi", "depth", "indoor", "real-haze"]
    assert sorted(path.stem for path in (tmp_path / "out" / "sheets").iterdir()) == sheets
    assert all(path.stat().st_size < LIMIT_BYTES for path in (tmp_path / "out" / "sheets").iterdir())
    printed = capsys.readouterr().out
    assert "against PSNR of dcp: mean" in printed
    assert "WORSE on 2 of 2: 7_2 (-" in printed
    # What each run was asked for.
    assert {(options.task, options.preset, options.seed) for _, options in run.calls} == {("dehaze", "fast", 7)}
    frames = [sorted(int(path.stem) for path in inputs) for inputs, _ in run.calls if inputs[0].parent.name == "koi"]
    assert frames == [[0, 1, 2, 3, 4, 5, 8]]
    assert {options.variant for inputs, options in run.calls if inputs == [clip]} == {"full", "seeds"}


def test_a_part_is_kept_beside_its_results_and_a_failure_is_named(data, tmp_path, capsys):
    run = FakeRun(lambda out, options: out.name == "koi" and options.variant == "seeds")
    asked = ["--data", str(data), "--out", str(tmp_path), "--no-sheets", "--frames", "4", "--set", "weight=0.5"]
    assert main([*asked, "--sections", "clips", "--variants", "seeds,full"], run) == 1
    printed = capsys.readouterr()
    assert "FAILED clips koi (seeds): exit code 5: it did not work" in printed.out
    assert "koi: seeds failed" in printed.err
    told = json.loads((tmp_path / "dehaze-balanced.json").read_text())
    assert list(told["sections"]) == ["clips"]
    assert [list(row["variants"]) for row in told["sections"]["clips"]["rows"]] == [
        ["input", "ideal", "dcp", "seeds", "full"],
        ["input", "ideal", "dcp", "full"],
    ]
    assert told["overrides"] == {"weight": 0.5}
    assert {options.overrides for _, options in run.calls} == {(("weight", 0.5),)}
    assert not (tmp_path / "sheets").exists()


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        ([], True),
        (["--frames", "39"], False),
        (["--clips", "koi"], False),
        (["--set", "weight=1"], False),
        (["--variants", "full"], False),
        (["--sections", "clips"], False),
    ],
)
def test_only_a_whole_measurement_takes_its_place_in_the_repository(tmp_path, monkeypatch, asked, whole):
    monkeypatch.setattr(dehaze, "ROOT", tmp_path)
    monkeypatch.setattr(dehaze, "SECTIONS", {name: lambda ask: lambda bench: None for name in dehaze.SECTIONS})
    assert dehaze.main(["--preset", "fast", "--out", str(tmp_path / "out"), *asked], FakeRun()) == 0
    (file,) = tmp_path.rglob("*.json")
    folder = tmp_path / "benchmarks" / "results" if whole else tmp_path / "out"
    assert file == folder / "dehaze-fast.json"


def test_a_report_without_airlight_is_a_failure_and_no_crash(data, tmp_path, capsys):
    class Silent(FakeRun):
        def write(self, path, folder):
            super().write(path, folder)
            report = json.loads((folder / "report.json").read_text())
            (folder / "report.json").write_text(json.dumps(report | {"airlight": []}))
            return folder

    asked = ["--data", str(data), "--out", str(tmp_path), "--sections", "indoor", "--variants", "full"]
    assert main(asked, Silent()) == 1
    assert "FAILED indoor 7_1 (scoring): " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("dehaze/sots_indoor/clear/7.png", "7.png is missing"),
        ("dehaze/sots_indoor/hazy", "hazy"),
        ("images/motorcycle_disp.npz", "motorcycle_disp.npz is missing"),
        ("davis/frames", "no sequences"),
        ("dehaze/airlight/quay.jpg", "no photograph quay"),
        ("dehaze/real_video/haze", "haze"),
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
        (["--clips", "trout"], "trout"),
        (["--sections", "indoor,outdoor"], "outdoor"),
        (["--variants", "best"], "best"),
        (["--sections", "indoor", "--frames", "2"], "at least 3"),
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


def test_losses_are_named():
    def row(name, ours, theirs, warped):
        full = {"psnr_db": ours, "t_mae": 0.1, "warped": warped, "shared": {"psnr_db": ours + 1}}
        others = {"input": {"psnr_db": 10.0}, "dcp": {"psnr_db": theirs, "t_mae": 0.05}}
        ideal = {"warped": 1.1}
        by_frame = {"psnr_db": 9.0, "shared": {"psnr_db": 30.0}}
        return {"input": name, "variants": {**others, "ideal": ideal, "full": full, "per-frame": by_frame}}

    rows = [row("a", 20.0, 18.0, 0.9), row("b", 15.0, 18.0, 1.25)]
    assert render_losses("clips", rows).splitlines() == [
        "clips: differences of full, + is better:",
        "against PSNR of input: mean +7.500, on no input worse",
        "against PSNR of dcp: mean -0.500, WORSE on 1 of 2: b (-3.000)",
        "against PSNR of per-frame: mean -11.500, WORSE on 2 of 2: b (-14.000), a (-9.000)",
        "against t MAE of dcp: mean -0.0500, WORSE on 2 of 2: a (-0.0500), b (-0.0500)",
        "warped at most 1: NOT KEPT by b (1.250, ideal 1.100)",
    ]
    lines = render_section("clips", rows).splitlines()
    assert lines[2].split()[:3] == ["a", "input", "10.00"]
    assert [line.split()[:3] for line in lines if line.startswith("mean")] == [
        ["mean", "input", "10.00"],
        ["mean", "ideal", "-"],
        ["mean", "dcp", "18.00"],
        ["mean", "per-frame", "9.00"],
        ["mean", "full", "17.50"],
    ]


def test_several_inputs_share_a_process_and_options_reach_it(data, tmp_path, monkeypatch):
    seen = {}

    class Done:
        returncode = 0

    def process(command, **rest):
        seen["argv"] = command[len(once.CHILD) :]
        return Done()

    monkeypatch.setattr(once.subprocess, "run", process)
    inputs = sorted((data / "dehaze" / "sots_indoor" / "hazy").iterdir())
    options = RunOptions(task="dehaze", preset="fast", seed=3, variant="seeds", overrides=(("a", 1.5), ("b", "x y")))
    folders = once.all_in_own_process(inputs, tmp_path, options)
    assert folders == [tmp_path / "7_1", tmp_path / "7_2"]
    asked = {}
    monkeypatch.setattr(once, "_decompose", lambda *given: asked.setdefault("given", given) and [])
    assert once.main(seen["argv"]) == 0
    assert asked["given"] == (inputs, tmp_path, options)
    monkeypatch.setattr(once, "_decompose", lambda *given: [RunError("one of them")])
    assert once.main(seen["argv"]) == 1


def test_a_clip_is_written_from_pictures_as_from_files(data, tmp_path):
    files = sorted((data / "davis" / "frames" / "koi").iterdir())
    of_files = write_clip(tmp_path / "files.mp4", files)
    of_pictures = write_clip(tmp_path / "pictures.mp4", (read_frame(file) for file in files))
    assert of_files.read_bytes() == of_pictures.read_bytes()
    assert sum(1 for _ in pictures_of(of_files)) == FRAMES
