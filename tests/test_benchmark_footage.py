"""The benchmark of footage finds shifts that are there, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.footage import main, measure, shift_px


@pytest.mark.parametrize(("right", "down"), [(0.3, 0.0), (-0.25, 0.1), (0.05, -0.2), (0.0, 0.0)])
def test_a_known_shift_is_found(right, down):
    y, x = np.mgrid[:48, :64].astype(float)
    wave = [20 * np.sin(0.21 * (x - dx)) + 15 * np.cos(0.17 * (y - dy) + 0.1 * (x - dx)) for dx, dy in
            ((0, 0), (right, down))]  # fmt: skip
    assert shift_px(*wave) == pytest.approx(max((right, down), key=abs), abs=0.01)


def test_chroma_that_is_written_in_another_place_is_told(tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :96]
    waves = [128 + 50 * np.sin(0.15 * x + 0.11 * y + phase) for phase in rng.uniform(0, 6, 3)]
    row = measure("yuv420p", "left", [np.stack(waves, -1).round().astype(np.uint8)] * 2, tmp_path)
    assert (row["read_as"], row["written_as"]) == ("left", "left")
    assert row["unplaced_px"] == pytest.approx(-0.25, abs=0.05)
    assert abs(row["once_px"]) < 0.03


def test_the_benchmark_meets_its_goal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.footage.FORMATS", ("yuv420p10le",))
    monkeypatch.setattr("benchmarks.footage.PLACES", ("topleft",))
    assert main(["--json", str(tmp_path / "f.json")]) == 0
    assert "topleft" in capsys.readouterr().out
    assert (tmp_path / "f.json").is_file()
