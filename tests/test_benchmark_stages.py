"""The benchmark of stages: its rows grow, and a row without a stage is really without it."""

from __future__ import annotations

import itertools
import json

from benchmarks.stages import NEUTRAL, STAGES, main


def test_every_stage_adds_something_to_the_one_before():
    assert STAGES[0].silent == set(NEUTRAL), "the first has motion alone"
    assert STAGES[-1].silent == STAGES[-1].keeps == frozenset(), "the last has everything"
    for before, after in itertools.pairwise(STAGES):
        assert after.silent <= before.silent
        assert after.keeps <= before.keeps
        assert after.phases >= before.phases
        assert (after.silent, after.keeps, after.phases) != (before.silent, before.keeps, before.phases)


def test_a_table_and_a_file_of_all_rows(davis, tmp_path, capsys):
    file = tmp_path / "stages.json"
    assert (
        main(
            [
                "--data",
                str(davis),
                "--sequences",
                "koi",
                "--preset",
                "fast",
                "--out",
                str(tmp_path),
                "--json",
                str(file),
            ]
        )
        == 0
    )
    told = json.loads(file.read_text())
    stages = told["sequences"][0]["stages"]
    assert list(stages) == list(told["summary"]) == [stage.name for stage in STAGES]
    assert stages["+ mask network"]["j"] > 0.8
    # The koi stands out by its looks, so that motion alone is another row.
    assert stages["motion seed, voted"] != stages["+ mask network"]
    printed = capsys.readouterr().out
    assert all(stage.name in printed for stage in STAGES)


def test_without_data_one_line_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("benchmark: ")
