from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from benchmarks import curve
from benchmarks.curve import REFERENCE, main, points_of
from benchmarks.curve_plot import Point, draw_curve, ticks
from ddvideo.media import open_sink, open_source
from ddvideo.pipeline import decompose
from tests.benchmark_checks import assert_one_line
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

SECONDS = {"fast": 0.2, "balanced": 0.5, "quality": 2.0}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def davis(tmp_path_factory):
    """A bright square that goes to the right, and what is published of it."""
    root = tmp_path_factory.mktemp("davis")
    frames, masks = root / "frames" / "carp", root / "masks" / "carp"
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(4):
        mask = np.zeros((48, 64), np.uint8)
        mask[10:30, 5 + 3 * index : 25 + 3 * index] = 255
        assert cv2.imwrite(str(masks / f"{index:05d}.png"), mask)
        assert cv2.imwrite(str(frames / f"{index:05d}.jpg"), mask // 2 + 60)
    (root / "published_J.csv").write_text("sequence,u2netp_every_8th_frame\ncarp,0.6\nmean,0.6\n")
    return root


def run(clip, out, options):
    """The engine of the tests, whose matte is better the slower the preset."""
    settings = replace(SETTINGS, preset=options.preset)
    (result,) = decompose([clip], task=SEGMENT, out=out, settings=settings, execute=fake_execute, fresh=True)
    hidden = {"fast": 20, "balanced": 15, "quality": 0}[options.preset]  # rows
    with (
        open_source(clip) as source,
        open_sink(result.folder / "alpha.mp4", like=source.info, kind="alpha") as sink,
    ):
        for frame in source.frames():
            shown = (frame.rgb[..., 0] > 120) * np.uint8(255)
            shown[:hidden] = 0
            sink.write(shown, frame.pts_seconds, frame.duration_seconds)
    report = result.report | {"seconds_per_frame": SECONDS[options.preset]}
    (result.folder / "report.json").write_text(json.dumps(report))
    return result.folder


@pytest.fixture(scope="module")
def measured(davis, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    files = {"--json": out / "numbers.json", "--svg": out / "plot.svg"}
    line = ["--data", str(davis), "--out", str(out), *(str(part) for pair in files.items() for part in pair)]
    assert main(line, run) == 0
    return out, line


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_preset_is_a_point_with_its_own_numbers(measured):
    out, _ = measured
    told = json.loads((out / "numbers.json").read_text())
    points = {point.name: point for point in points_of(told)}
    assert {name: point.seconds for name, point in points.items()} == SECONDS
    assert points["fast"].j < points["balanced"].j < points["quality"].j
    assert points["quality"].j > 0.9
    assert points["balanced"].j == pytest.approx(0.75, abs=0.05)  # 15 of 20 rows
    reference = {"name": "u2netp", "seconds_per_frame": 0.49, "j": 0.6, "f": 0.755}
    assert told["reference"] == reference
    assert {*SECONDS, "u2netp J", "u2netp F", "seconds a frame"} <= set(texts((out / "plot.svg").read_text()))


def test_the_plot_is_drawn_again_from_the_numbers(measured, capsys):
    out, line = measured
    plot = out / "plot.svg"
    before = plot.read_bytes()
    plot.unlink()
    assert main([*line, "--redraw"], None) == 0
    assert plot.read_bytes() == before
    told = json.loads((out / "numbers.json").read_text())
    told["presets"]["fast"]["summary"]["full"]["j"]["mean"] += 0.1
    (out / "changed.json").write_text(json.dumps(told))
    assert main([*line, "--redraw", "--json", str(out / "changed.json")], None) == 0
    assert plot.read_bytes() != before


@pytest.mark.parametrize("text", [None, "no json", "{}", '{"presets": {}}', '{"presets": {"fast": {"summary": {}}}}'])
def test_what_cannot_be_drawn_is_told_in_a_line(text, tmp_path, capsys):
    file = tmp_path / "numbers.json"
    if text is not None:
        file.write_text(text)
    assert main(["--redraw", "--json", str(file), "--svg", str(tmp_path / "plot.svg")], None) == 2
    assert_one_line(capsys.readouterr(), "no preset was measured" if text == '{"presets": {}}' else "cannot be drawn")
    assert not (tmp_path / "plot.svg").exists()


def test_a_part_does_not_take_the_place_of_the_whole(davis, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(curve, "ROOT", tmp_path)
    assert main(["--data", str(davis), "--out", str(tmp_path / "out"), "--presets", "fast", "--frames", "3"], run) == 0
    assert (tmp_path / "out" / "segment-curve.json").is_file()
    assert (tmp_path / "out" / "segment-curve.svg").is_file()
    assert not (tmp_path / "docs").exists()
    assert not (tmp_path / "benchmarks").exists()
    said = capsys.readouterr().out
    assert "whole sequences" in said
    row = next(text for text in said.splitlines() if text.startswith("fast  "))
    assert row.split()[3] == "0.20"


def test_points_stand_where_their_numbers_say():
    points = [Point("b", 2.0, 0.8, 0.6), Point("a", 1.0, 0.7, None)]
    svg = ElementTree.fromstring(draw_curve(points, REFERENCE, "a < b"))
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in svg.iter(f"{SVG}circle")]
    (ax, aj), (bx, bj), (fx, bf) = circles
    assert (bx - 60) == pytest.approx(2 * (ax - 60))
    assert fx == bx
    assert bj < aj  # more is further up
    assert (bf - bj) == pytest.approx(2 * (aj - bj), abs=0.2)
    assert all(60 <= x <= 620 and 52 <= y <= 348 for x, y in circles)
    assert svg.find(f"{SVG}title").text == "a < b"


@pytest.mark.parametrize(("low", "high"), [(0, 0.3), (0.43, 0.97), (0, 12), (0.7, 0.7)])
def test_ticks_are_round_and_hold_what_is_shown(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert len(found) <= 9
    steps = np.diff(found)
    if high > low:
        assert len(found) >= 4
        assert steps == pytest.approx([steps[0]] * len(steps))
        digits = steps[0] / 10 ** np.floor(np.log10(steps[0]) + 1e-9)
        assert digits == pytest.approx(min((1, 2, 2.5, 5, 10), key=lambda nice: abs(nice - digits)))


def test_the_seeds_are_a_dashed_line_of_their_own(davis, tmp_path, capsys):
    def with_seeds(clip, out, options):
        """Without the coupled networks, the engine of the tests is twice as fast and knows less."""
        folder = run(clip, out, options if options.variant == "full" else replace(options, preset="fast"))
        if options.variant == "seeds":
            told = json.loads((folder / "report.json").read_text())
            told["seconds_per_frame"] = SECONDS[options.preset] / 2
            (folder / "report.json").write_text(json.dumps(told))
        return folder

    asked = ["--data", str(davis), "--out", str(tmp_path), "--presets", "balanced,quality", "--frames", "3", "--seeds"]
    assert main(asked, with_seeds) == 0
    told = json.loads((tmp_path / "segment-curve.json").read_text())
    seeds = {point.name: point for point in points_of(told, "seeds")}
    assert {name: point.seconds for name, point in seeds.items()} == {"balanced": 0.25, "quality": 1.0}
    assert all(seeds[point.name].j < point.j - 0.1 for point in points_of(told))
    svg = ElementTree.parse(tmp_path / "segment-curve.svg")
    assert len([path for path in svg.iter(f"{SVG}path") if path.get("stroke-dasharray") == "6 4"]) == 2
    assert len(list(svg.iter(f"{SVG}circle"))) == 8
    printed = capsys.readouterr().out
    row = next(text for text in printed.splitlines() if text.startswith("quality, seeds"))
    assert row.split()[-2] == "1.00"
    assert points_of({"presets": {"fast": {"summary": {"full": {}}}}}, "seeds") == []
