from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks import once
from benchmarks.davis import DataError, load_published, load_sequences, read_frame, read_mask, write_clip
from benchmarks.length import length_check
from benchmarks.once import RunError, RunOptions
from benchmarks.score import ScoreError, score_alphas, score_sequence
from benchmarks.segment import main
from benchmarks.sheets import LIMIT_BYTES, chosen_frames, make_panels, write_sheet
from benchmarks.table import render_comparison, render_table
from ddvideo.media import open_source, probe, read_layer
from ddvideo.pipeline import decompose
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

FRAMES = 6


def fake_run(clip, out, options):
    """The pipeline with the engine of the tests, in this process."""
    settings = replace(SETTINGS, preset=options.preset, seed=options.seed)
    done = decompose([clip], task=SEGMENT, out=out, settings=settings, execute=fake_execute, fresh=True)
    return done[0].folder


def square(left, size=10):
    mask = np.zeros((240, 320), bool)
    mask[50 : 50 + size, left : left + size] = True
    return mask


def test_scores_by_hand():
    # Shifted by two columns, a square of 10 x 10 shares 80 of 120 pixels with itself.
    masks = [square(50), square(60), square(70), square(80)]
    alphas = [square(52), square(62), square(72), square(82)]
    score = score_alphas((a.astype(np.float32) for a in alphas), iter(masks))
    assert score.j == pytest.approx([80 / 120] * 2)
    assert score.f == [1, 1]  # 0.008 of the diagonal, 400, is 4 pixels
    exact = score_alphas((m.astype(np.float32) for m in masks), iter(masks))
    assert exact.j == exact.f == [1, 1]


def test_boundary_score_drops_beyond_the_tolerance():
    masks = [square(50, 60)] * 3
    scores = [score_alphas(iter([square(50 + k, 60).astype(np.float32)] * 3), iter(masks)).f[0] for k in (4, 5, 30)]
    assert scores[0] == 1
    assert 1 > scores[1] > scores[2] > 0


def test_first_and_last_frame_do_not_count():
    mask, nothing = square(50), np.zeros((240, 320), np.float32)
    good = mask.astype(np.float32)
    assert score_alphas(iter([nothing, good, good, nothing]), iter([mask] * 4)).j == [1, 1]
    assert score_alphas(iter([good, nothing, good, good]), iter([mask] * 4)).j == [0, 1]
    with pytest.raises(ScoreError, match="number of frames"):
        score_alphas(iter([good] * 3), iter([mask] * 4))
    with pytest.raises(ScoreError, match="three frames"):
        score_alphas(iter([good] * 2), iter([mask] * 2))


def test_alpha_is_cut_at_one_half_and_brought_to_the_size_of_the_mask():
    mask = square(50, 60)
    levels = np.where(mask, 0.51, 0.5).astype(np.float32)
    assert score_alphas(iter([levels] * 3), iter([mask] * 3)).j == [1]
    large = cv2.resize(mask.astype(np.float32), (640, 480), interpolation=cv2.INTER_NEAREST)
    assert score_alphas(iter([large] * 3), iter([mask] * 3)).j == [1]


def test_sequences_and_published_numbers_are_read(davis):
    assert [sequence.name for sequence in load_sequences(davis)] == ["carp", "koi"]
    (koi,) = load_sequences(davis, ["koi"], limit=5)
    assert [path.name for path in koi.frames] == [f"{k:05d}.jpg" for k in range(5)]
    assert read_mask(koi.masks[0]).any()
    assert load_published(davis) == {
        "FST": {"koi": 0.1},
        "NLC": {"koi": 0.99},
        "SAL": {"koi": 0.2},
        "u2netp": {"koi": 0.3},
    }
    with pytest.raises(DataError, match="no sequence trout; it has carp, koi"):
        load_sequences(davis, ["trout"])
    with pytest.raises(DataError, match="3 frames"):
        load_sequences(davis, limit=2)


def test_the_clip_shows_the_frames(davis, tmp_path):
    (koi,) = load_sequences(davis, ["koi"])
    clip = write_clip(tmp_path / "koi.mp4", koi.frames)
    info = probe(clip)
    assert (info.width, info.height, info.frames, info.fps) == (320, 180, FRAMES, 25)
    assert (info.codec, info.pix_fmt, info.is_vfr) == ("h264", "yuv420p", False)
    assert write_clip(tmp_path / "again.mp4", koi.frames).read_bytes() == clip.read_bytes()
    with open_source(clip) as source:
        for frame, path in zip(source.frames(), koi.frames, strict=True):
            error = frame.rgb.astype(float) - read_frame(path)
            assert np.abs(error.mean(axis=(0, 1))).max() < 1.5
            assert 10 * np.log10(255**2 / np.square(error).mean()) > 30


def test_flicker_is_that_of_a_matte_that_does_not_follow(davis, tmp_path):
    """The truth moves with the fish; one that blinks does not."""
    (koi,) = load_sequences(davis, ["koi"])
    clip = write_clip(tmp_path / "koi.mp4", koi.frames)
    for name in ("steady", "blinking"):
        (tmp_path / name).mkdir()
        for index, path in enumerate(koi.masks):
            level = 0.5 if name == "blinking" and index % 2 else 1
            assert cv2.imwrite(str(tmp_path / name / path.name), read_mask(path) * np.uint8(255 * level))
    scores = score_sequence(clip, koi, {name: tmp_path / name for name in ("steady", "blinking")})
    steady, blinking = (np.mean(scores[name].flicker) for name in ("steady", "blinking"))
    assert len(scores["steady"].flicker) == FRAMES - 1
    assert steady == pytest.approx(np.mean(scores["truth"].flicker))
    area = np.mean([read_mask(path).mean() for path in koi.masks])
    assert steady < 0.15 * area
    assert blinking == pytest.approx(0.5 * area, rel=0.2)


def test_a_whole_measurement(davis, tmp_path, capsys):
    asked = ["--data", str(davis), "--out", str(tmp_path / "out"), "--json", str(tmp_path / "deep" / "numbers.json")]
    assert main([*asked, "--sequences", "koi", "--preset", "fast", "--seed", "7"], fake_run) == 0
    told = json.loads((tmp_path / "deep" / "numbers.json").read_text())
    assert told.keys() >= {"commit", "dirty", "date", "seed", "preset", "hardware", "versions", "settings", "summary"}
    assert (told["seed"], told["preset"], told["failures"]) == (7, "fast", [])
    assert told["hardware"].keys() >= {"cpu", "cores", "memory_mib", "threads"}
    assert told["versions"].keys() >= {"torch", "av", "opencv-python-headless"}
    assert told["settings"]["full"]["recipe"]["preset"] == "fast"
    (koi,) = told["sequences"]
    assert (koi["sequence"], koi["frames"]) == ("koi", FRAMES)
    assert koi["published_j"] == {"FST": 0.1, "NLC": 0.99, "SAL": 0.2, "u2netp": 0.3}
    for variant in ("full", "seeds"):
        row = koi["variants"][variant]
        assert row.keys() >= {"j", "f", "flicker", "j_over_frames", "timings_seconds", "warnings", "peak_rss_mib"}
        assert row["recomposition_psnr_db"] > 40
        # What the engine of the tests gives is known: alpha is the frame's brightness.
        masks = [read_mask(path) for path in sorted((davis / "masks" / "koi").iterdir())][1:-1]
        with open_source(tmp_path / "out" / "clips" / "koi.mp4") as source:
            alphas = [frame.rgb.mean(axis=2) / 255 for frame in source.frames()][1:-1]
        j = np.mean([(m & (a > 0.5)).sum() / (m | (a > 0.5)).sum() for a, m in zip(alphas, masks, strict=True)])
        assert row["j"] == pytest.approx(j, abs=0.01)
        assert told["summary"][variant]["j"]["mean"] == pytest.approx(row["j"], abs=1e-4)  # both show the same
    for name, rows in (("koi", 6), ("overview", 1)):
        sheet = tmp_path / "out" / "sheets" / f"{name}.png"
        assert sheet.stat().st_size < LIMIT_BYTES
        assert cv2.imread(str(sheet)).shape[0] == pytest.approx(rows * 184, rel=0.3)
    printed = capsys.readouterr().out
    assert "J seeds" in printed
    assert "against J of NLC" in printed
    assert "WORSE on 1 of 1: koi (-" in printed


def blinking_stills(inputs, out, options):
    """Single frames whose alpha is the frame's brightness in every other one, and half of it in between."""
    folders = []
    for k, path in enumerate(inputs):
        folder = out / path.stem
        folder.mkdir(parents=True)
        alpha = read_frame(path).mean(axis=2) * (1 if k % 2 == 0 else 0.5)
        assert cv2.imwrite(str(folder / "alpha.png"), alpha.astype(np.uint8))
        report = {"quality": {"recomposition_psnr_db": 50}, "seconds_per_frame": 2.0, "peak_rss_mib": 300}
        (folder / "report.json").write_text(json.dumps(report | {"warnings": ["a guess"], "timings_seconds": {}}))
        folders.append(folder)
    return folders


def test_frames_one_by_one_are_compared_on_the_frames_they_are(davis, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["--data", str(davis), "--sequences", "koi", "--out", str(out), "--no-sheets", "--per-frame", "4"]
    assert main([*asked, "--json", str(tmp_path / "numbers.json")], fake_run, blinking_stills) == 0
    (koi,) = json.loads((tmp_path / "numbers.json").read_text())["sequences"]
    assert list(koi["variants"]) == ["full", "seeds", "per-frame"]
    assert koi["shared"]["frames"] == 4
    single, full = koi["variants"]["per-frame"], koi["variants"]["full"]
    assert single["seconds_per_frame"] == 2
    # The pictures that were given are the frames of the clip, and no more of them than were asked for.
    pictures = sorted((out / "per-frame" / "pictures" / "koi").iterdir())
    with open_source(out / "clips" / "koi.mp4") as source:
        for path, frame in zip(pictures, source.frames(0, 4), strict=True):
            assert np.array_equal(read_frame(path), frame.rgb)
    # Half of the brightness goes from one frame to the next; the engine of the tests loses none.
    with open_source(out / "clips" / "koi.mp4") as source:
        level = np.mean([frame.rgb.mean() / 255 for frame in source.frames(0, 4)])
    assert single["shared"]["flicker"] == pytest.approx(level / 2, rel=0.15)
    assert full["shared"]["flicker"] < 0.2 * single["shared"]["flicker"]
    # On these frames, each is what it would be if the sequence had no more.
    clip, (short,) = out / "clips" / "koi.mp4", load_sequences(davis, ["koi"], limit=4)
    alphas = list(read_layer(out / "full" / "koi" / "alpha.mp4"))[:4]
    by_hand = score_alphas(iter(alphas), (read_mask(mask) for mask in short.masks))
    assert full["shared"]["j"] == pytest.approx(np.mean(by_hand.j), abs=1e-4)
    assert full["shared"]["j"] != full["j"]
    with pytest.raises(ScoreError, match="number of frames"):
        score_sequence(clip, short, {"full": out / "full" / "koi" / "alpha.mp4"})
    printed = capsys.readouterr().out
    assert "against flicker of per-frame: mean +" in printed
    assert "first frames" in printed


def test_frames_one_by_one_that_fail_leave_the_rest(davis, tmp_path, capsys):
    def fails(inputs, out, options):
        raise RunError("exit code 5: it did not work")

    asked = ["--data", str(davis), "--sequences", "koi", "--frames", "4", "--no-sheets", "--variant", "full"]
    assert main([*asked, "--per-frame", "3", "--out", str(tmp_path)], fake_run, fails) == 1
    (koi,) = json.loads((tmp_path / "segment-balanced.json").read_text())["sequences"]
    assert list(koi["variants"]) == ["full"]
    printed = capsys.readouterr().out
    assert "FAILED koi (per-frame): exit code 5: it did not work" in printed
    assert "differences on these frames" not in printed


def test_a_sequence_that_fails_is_named_and_the_rest_goes_on(davis, tmp_path, capsys):
    def fails(clip, out, options):
        if clip.stem == "carp" and options.variant == "full":
            raise RunError("exit code 5: it did not work")
        return fake_run(clip, out, options)

    asked = ["--data", str(davis), "--out", str(tmp_path), "--no-sheets", "--frames", "4"]
    assert main(asked, fails) == 1
    printed = capsys.readouterr()
    assert "FAILED carp (full): exit code 5: it did not work" in printed.out
    assert "carp: full failed" in printed.err
    # Only a part was measured: its numbers lie with its results, not with those of the repository.
    told = json.loads((tmp_path / "segment-balanced.json").read_text())
    assert told["failures"] == [{"sequence": "carp", "what": "full", "reason": "exit code 5: it did not work"}]
    assert [list(row["variants"]) for row in told["sequences"]] == [["seeds"], ["full", "seeds"]]
    assert not (tmp_path / "sheets").exists()


@pytest.mark.parametrize("asked", [["--data", "nowhere"], ["--sequences", "trout"], ["--length-check", "trout"]])
def test_missing_data_is_one_line_and_exit_code_2(davis, tmp_path, monkeypatch, capsys, asked):
    monkeypatch.chdir(tmp_path)
    assert main(["--data", str(davis), *asked], fake_run) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert ("nowhere" if "nowhere" in asked else "trout") in printed.err
    assert not printed.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--frames", "--per-frame"])
def test_too_few_frames_are_wrong_usage(capsys, option):
    with pytest.raises(SystemExit) as stopped:
        main([option, "2"], fake_run)
    assert stopped.value.code == 2
    assert "at least 3" in capsys.readouterr().err


@pytest.mark.parametrize(("growth", "code"), [(1.09, 0), (1.12, 1)])
def test_length_check_compares_one_clip_to_four_times_as_much(davis, tmp_path, capsys, growth, code):
    (koi,) = load_sequences(davis, ["koi"], limit=4)
    clips = []

    def run(clip, out, options):
        folder = out / clip.stem
        folder.mkdir(parents=True)
        report = {"peak_rss_mib": 500 * (growth if clips else 1), "seconds_per_frame": 0.5, "chunks": []}
        report["chunks"] = [{"start": 0, "stop": 4}]
        (folder / "report.json").write_text(json.dumps(report))
        clips.append(clip)
        return folder

    assert length_check(koi, tmp_path, RunOptions(), run) == code
    assert ("NOT KEPT" in capsys.readouterr().out) == bool(code)
    assert json.loads((tmp_path / "length-koi.json").read_text())["growth"] == growth
    assert [probe(clip).frames for clip in clips] == [4, 16]
    truth = np.stack([read_frame(path).astype(float) for path in koi.frames])
    with open_source(clips[1]) as source:
        shown = [int(np.abs(truth - frame.rgb).mean(axis=(1, 2, 3)).argmin()) for frame in source.frames()]
    assert shown == [0, 1, 2, 3, 3, 2, 1, 0] * 2


def test_table_and_comparison_by_hand():
    def row(name, j, seeds, published):
        full = {"j": j, "f": j, "flicker": 0.01, "seconds_per_frame": 1.5, "peak_rss_mib": 700}
        return {
            "sequence": name,
            "variants": {"full": full, "seeds": {"j": seeds, "f": 0.5, "flicker": 0.02}},
            "published_j": published,
        }

    rows = [row("a", 0.8, 0.7, {"FST": 0.9, "NLC": 0.1}), row("b", 0.6, 0.7, {"FST": 0.65, "NLC": 0.2})]
    lines = render_table(rows, "full").splitlines()
    assert lines[0].split()[:3] == ["sequence", "J", "F"]
    assert lines[2].split() == [
        "a",
        "0.800",
        "0.800",
        "0.0100",
        "1.50",
        "-",
        "700",
        "0.700",
        "0.500",
        "0.900",
        "0.100",
        "-",
    ]
    assert lines[-1].split()[:2] == ["mean", "0.700"]
    assert len({len(line) for line in lines}) == 1
    assert render_comparison(rows, "full").splitlines()[1:] == [
        "against J of the seeds alone: mean +0.000, WORSE on 1 of 2: b (-0.100)",
        "against F of the seeds alone: mean +0.200, on no sequence worse",
        "against flicker of the seeds: mean +0.0100, on no sequence worse",
        "against J of FST: mean -0.075, WORSE on 2 of 2: a (-0.100), b (-0.050)",
        "against J of NLC: mean +0.550, on no sequence worse",
    ]


def test_panels_show_what_is_too_much_and_what_is_missing(davis, tmp_path):
    (koi,) = load_sequences(davis, ["koi"])
    folder = fake_run(write_clip(tmp_path / "koi.mp4", koi.frames), tmp_path, RunOptions())
    panels = make_panels(koi, {name: folder / f"{name}.mp4" for name in ("alpha", "foreground", "background")})
    assert {len(pictures) for pictures in panels.values()} == {len(chosen_frames(FRAMES))}
    index = chosen_frames(FRAMES)[0]
    (errors,) = [pictures[0] for name, pictures in panels.items() if name.startswith("errors")]
    alpha = list(read_layer(folder / "alpha.mp4"))[index] > 0.5
    inside = cv2.erode(read_mask(koi.masks[index]).view(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    outside = ~cv2.dilate(read_mask(koi.masks[index]).view(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    red, blue = errors[..., 0] > errors[..., 2].astype(int) + 60, errors[..., 2] > errors[..., 0].astype(int) + 60
    assert np.array_equal(blue[inside], ~alpha[inside])
    assert np.array_equal(red[outside], alpha[outside])
    assert chosen_frames(70) == sorted(set(chosen_frames(70)))
    assert len(chosen_frames(70)) == 6
    assert not {0, 69} & set(chosen_frames(70))


def test_a_sheet_that_is_too_large_is_made_to_fit(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    path = write_sheet(tmp_path / "noise.png", noise)
    assert path.stat().st_size < LIMIT_BYTES


CHILD = (
    "import sys; from tests.run.run_driver import install; install(); import ddvideo.hardware; "
    # The real one imports torch, which takes longer than all the rest.
    "ddvideo.hardware.resolve_device = lambda name: 'cpu'; "
    "from benchmarks.once import main; sys.exit(main())"
)


def test_a_run_has_a_process_of_its_own(davis, tmp_path, monkeypatch):
    (koi,) = load_sequences(davis, ["koi"], limit=4)
    clip = write_clip(tmp_path / "koi.mp4", koi.frames)
    monkeypatch.setattr(once, "CHILD", (sys.executable, "-c", CHILD))
    reports = {}
    for variant in ("full", "seeds"):
        folder = once.in_own_process(clip, tmp_path / variant, RunOptions(preset="fast", seed=3, variant=variant))
        assert len(list(read_layer(folder / "alpha.mp4"))) == 4
        reports[variant] = json.loads((folder / "report.json").read_text())
    assert {report["seed"] for report in reports.values()} == {3}
    assert "coupled" not in reports["full"]["recipe"]["options"]
    assert reports["seeds"]["recipe"]["options"]["coupled"] is False
    clip.write_bytes(b"no video")
    with pytest.raises(RunError, match=r"exit code 3: .*koi\.mp4"):
        once.in_own_process(clip, tmp_path / "full", RunOptions())


def test_make_bench_finds_its_module(davis, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    from tests.test_house import ROOT

    shown = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m benchmarks.segment" in shown
    code = "import benchmarks.segment as module; print(module.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ROOT / "benchmarks" / "segment.py")
