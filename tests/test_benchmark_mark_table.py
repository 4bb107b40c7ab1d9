from __future__ import annotations

import pytest

from benchmarks.mark_table import judge, render_losses, render_section, render_targets


def row(name, inside, *, inpaint=20.0, motion=None, outside=60.0, found=True, seconds=0.5):
    ours = {"psnr_inside_db": inside, "psnr_outside_db": outside, "found": found, "seconds_per_frame": seconds}
    variants = {"input": {"psnr_inside_db": 10.0}, "inpaint": {"psnr_inside_db": inpaint}, "ours": ours}
    return {"input": name, "variants": variants} | ({} if motion is None else {"motion_px": motion})


def test_losses_and_missed_targets_are_named():
    rows = [
        row("a", 30.0, motion=3.0, found=False),
        row("b", 15.0, motion=0.4, outside=49.0, seconds=2.5),
        row("c", 27.0, motion=1.0),
    ]
    assert render_losses("opaque", rows).splitlines() == [
        "opaque: differences of ours, + is better:",
        "against PSNR inside of input: mean +14.000, on no input worse",
        "against PSNR inside of inpaint: mean +4.000, WORSE on 1 of 3: b (-5.000)",
    ]
    # Where the scene stands still, nobody can know what lies under the mark.
    assert render_targets("opaque", rows).splitlines() == [
        "opaque: targets",
        "PSNR inside in dB where the scene moves 1 px or more, mean at least 28: mean 28.50, met; "
        "short of it are 1 of 2: c (27.00)",
        "PSNR outside in dB, each at least 50: mean 56.3, MISSED; short of it are 1 of 3: b (49.0)",
        "found, each at least 1: mean 0.67, MISSED; short of it are 1 of 3: a (0.00)",
        "seconds a frame, mean at most 1: mean 1.17, MISSED; short of it are 1 of 3: b (2.50)",
    ]
    assert [target["met"] for target in judge("opaque", rows)] == [True, False, False, False]
    lines = render_section("opaque", rows).splitlines()
    assert lines[2].split()[:6] == ["a", "3.00", "-", "10.00", "20.00", "-"]
    assert lines[-1].split()[:7] == ["mean", "1.47", "-", "10.00", "20.00", "-", "24.00"]


@pytest.mark.parametrize(("section", "bound"), [("translucent", 34), ("sets", 32), ("single", 28)])
def test_the_targets_stand_at_their_bounds(section, bound):
    for inside, met in ((bound, True), (bound - 0.01, False)):
        first = judge(section, [row("a", inside)])[0]
        assert (first["bound"], first["met"], first["mean"]) == (bound, met, inside)


@pytest.mark.parametrize(("gain", "met"), [(0.5, True), (-0.5, False)])
def test_a_single_picture_is_to_be_better_than_inpainted(gain, met):
    pictures = [row("a", 30.0), row("b", 30.0)]
    for picture, change in zip(pictures, (-2, 2 + 2 * gain), strict=True):
        picture["variants"]["ours"]["above_inpaint_db"] = change
    (target,) = (target for target in judge("single", pictures) if "inpainting" in target["title"])
    assert (target["met"], target["mean"], list(target["short"])) == (met, gain, ["a"])


def test_without_a_result_there_is_nothing_to_judge():
    bare = [{"input": "a", "variants": {"input": {"psnr_inside_db": 10.0}}}]
    assert not judge("sets", bare)
    assert render_targets("sets", bare) == render_losses("sets", bare) == ""
    assert render_section("sets", bare).splitlines()[-1].split()[:4] == ["mean", "-", "10.00", "-"]
