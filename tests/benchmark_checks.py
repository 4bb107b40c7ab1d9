"""What the tests of several measurements check alike."""

from __future__ import annotations

import shutil


def run_without(gone, data, tmp_path, main, run):
    """Run a measurement on data of which a part is gone; returns its exit code. Results would go to ``out``."""
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    shutil.rmtree(copy / gone) if (copy / gone).is_dir() else (copy / gone).unlink()
    return main(["--data", str(copy), "--out", str(tmp_path / "out")], run)


def assert_one_line(printed, said):
    """One line on standard error says it, and nothing else is printed."""
    assert printed.err.count("\n") == 1
    assert said in printed.err
    assert not printed.out


def file_of_an_empty_measurement(monkeypatch, tmp_path, benchmark, asked, run):
    """Where the numbers of a measurement go whose sections measure nothing; the repository is ``tmp_path``."""
    monkeypatch.setattr(benchmark, "ROOT", tmp_path)
    monkeypatch.setattr(benchmark, "SECTIONS", {name: lambda ask: [lambda bench: None] for name in benchmark.SECTIONS})
    assert benchmark.main(["--preset", "fast", "--out", str(tmp_path / "out"), *asked], run) == 0
    (file,) = tmp_path.rglob("*.json")
    return file
