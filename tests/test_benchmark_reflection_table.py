from __future__ import annotations

import pytest

from benchmarks.reflection_table import judge, render_losses, render_section, render_targets


def row(name, gain, *, above=3.0, seconds=1.0, swapped=0.0, single=20.0):
    minus = {"psnr_db": 15.0, "ac_psnr_db": 20.0}
    full = {"psnr_db": 15.0 + above, "ac_psnr_db": 20.0 + gain, "swapped": swapped, "seconds_per_frame": seconds}
    full["shared"] = {"ac_psnr_db": 21.0 + gain}
    by_frame = {"ac_psnr_db": single, "shared": {"ac_psnr_db": single}}
    return {
        "input": name,
        "variants": {"input": {"ac_psnr_db": 20.0}, "minus": minus, "single": by_frame, "full": full},
    }


def test_losses_and_missed_targets_are_named():
    rows = [
        row("a", 10.0),
        row("b", -1.0, above=-3.0, seconds=4.0, swapped=1.0),
        row("c", 12.0, above=5.0, single=40.0),
    ]
    assert render_losses("still", rows).splitlines() == [
        "still: differences of full, + is better:",
        "against PSNR of minus: mean +1.667, WORSE on 1 of 3: b (-3.000)",
        "against AC-PSNR of input: mean +7.000, WORSE on 1 of 3: b (-1.000)",
        "against AC-PSNR of minus: mean +7.000, WORSE on 1 of 3: b (-1.000)",
        "against AC-PSNR of single: mean +1.333, WORSE on 1 of 3: c (-7.000)",
    ]
    assert render_targets("still", rows).splitlines() == [
        "still: targets",
        "AC-PSNR above the input's, in dB, mean at least 8: mean 7.00, MISSED; short of it are 1 of 3: b (-1.00)",
        "AC-PSNR above the input's, in dB, each at least 0: mean 7.00, MISSED; short of it are 1 of 3: b (-1.00)",
        "PSNR above that of minus, in dB, mean at least 2: mean 1.67, MISSED; short of it are 1 of 3: b (-3.00)",
        "swapped, each at most 0: mean 0.33, MISSED; short of it are 1 of 3: b (1.00)",
        "seconds a frame, mean at most 2: mean 2.00, met; short of it are 1 of 3: b (4.00)",
    ]
    lines = render_section("still", rows).splitlines()
    assert lines[2].split()[:4] == ["a", "input", "-", "20.00"]
    assert [line.split()[:4] for line in lines if line.startswith("mean")][-1] == ["mean", "full", "16.67", "27.00"]
    assert lines[-1] == "single: every 8th frame; it is compared on those alone"


@pytest.mark.parametrize(
    ("section", "gain", "met"),
    [
        ("still", 8.0, [True, True]),
        ("still", 7.9, [False, True]),
        ("moving", 2.0, [True, True]),
        ("moving", 1.9, [False, True]),
        ("moving", -0.1, [False, False]),
        ("triples", 1.0, [True, True]),
        ("triples", 0.9, [False, True]),
        ("triples", -0.6, [False, False]),
        ("triples", -0.4, [False, True]),
    ],
)
def test_the_targets_stand_at_their_bounds(section, gain, met):
    assert [target["met"] for target in judge(section, [row("a", gain)])][:2] == met


@pytest.mark.parametrize(
    ("section", "above", "met"),
    [("still", 2, True), ("still", 1.9, False), ("triples", 0, True), ("triples", -1, False)],
)
def test_a_grey_taken_off_is_to_be_surpassed(section, above, met):
    (target,) = (target for target in judge(section, [row("a", 10, above=above)]) if "minus" in target["title"])
    assert target["met"] == met


def test_what_is_clear_is_to_stay():
    for level, met in ((40.0, True), (39.9, False)):
        (target,) = judge("clear", [{"input": "a", "variants": {"full": {"psnr_db": level}}}])
        assert target["met"] == met
    assert not judge("real", [{"input": "a", "variants": {"full": {"r_mean": 0.1}}}])
    assert render_losses("clear", [{"input": "a", "variants": {"full": {"psnr_db": 40.0}}}]) == ""
