"""``ddvideo probe``, ``recipes`` and ``doctor``."""

from __future__ import annotations

import json
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import pytest

import ddvideo.media
from ddvideo.cli import doctor
from ddvideo.cli.main import run


@pytest.fixture
def probed(monkeypatch, info):
    """Lets ``probe`` see an input with these facts."""

    def see(**facts):
        monkeypatch.setattr(ddvideo.media, "probe", lambda path: info(path, **facts), raising=False)

    return see


def rows(text: str) -> dict[str, str]:
    return {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines()}


def test_probe_shows_a_table(probed, capsys):
    probed(
        audio=("aac",), rotation_degrees=90, sample_aspect_ratio=Fraction(4, 3), is_vfr=True, bit_depth=10,
        pix_fmt="yuv420p10le", colour_space="bt709", colour_range="limited",
    )  # fmt: skip
    assert run(["probe", "clips/a.mp4"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert rows(out) == {
        "path": "clips/a.mp4",
        "kind": "video",
        "size": "854 x 480 pixels, shown turned by 90 degrees, pixel aspect 4:3",
        "frames": "90",
        "rate": "29.97 frames a second (30000/1001) on average, frame durations differ",
        "duration": "3.0 s",
        "codec": "h264, yuv420p10le, 10 bit",
        "colour": "bt709, range limited",
        "audio": "aac",
    }


def test_probe_of_an_image_has_no_rate(probed, capsys):
    probed(kind="image", frames=1)
    assert run(["probe", "a.png"]) == 0
    assert {"rate", "duration"}.isdisjoint(rows(capsys.readouterr().out))


def test_probe_json_has_the_keys_of_the_report_and_warnings_stay_inside(probed, capsys):
    probed(warnings=("the file ends early",))
    assert run(["probe", "a.mp4", "--json"]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert facts["fps"] == pytest.approx(29.97003)
    assert facts["warnings"] == ["the file ends early"]
    assert {"path", "width", "height", "frames", "duration_seconds", "codec", "pix_fmt", "audio"} <= facts.keys()
    assert err == ""


def test_probe_escapes_tags_and_warnings(probed, capsys):
    probed(codec="\x1b[31mh264", warnings=("tag \x07\x1b]0;x",), audio=("\x9bm",))
    assert run(["probe", "\x1b[2J.mp4"]) == 0
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07", "\x9b"} & set(out + err)
    assert "ddvideo: warning: tag \\x07\\x1b]0;x" in err


def test_probe_of_a_sample_clip(clip_path, capsys):
    assert run(["probe", str(clip_path("mover")), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "video"
    assert facts["frames"] > 1
    assert Path(facts["path"]) == clip_path("mover")


def test_recipes_lists_presets(capsys):
    assert run(["recipes"]) == 0
    out = capsys.readouterr().out
    for recipe in ("segment", "dehaze"):
        assert f"\n{recipe}: " in f"\n{out}"
    for preset in ("fast ", "balanced (default) ", "quality "):
        assert f"\n  {preset}" in out


def test_recipes_json_has_every_setting(capsys):
    assert run(["recipes", "--json"]) == 0
    (segment,) = [recipe for recipe in json.loads(capsys.readouterr().out) if recipe["name"] == "segment"]
    assert segment["stages"] == ["segment"]
    assert [preset["name"] for preset in segment["presets"]] == ["fast", "balanced", "quality"]
    sizes = [preset["working_px"] for preset in segment["presets"]]
    assert sizes == sorted(sizes)
    assert {"chunk_frames", "overlap_frames", "key_frames", "options"} <= segment["presets"][0].keys()


def test_doctor_tells_the_machine_and_that_nothing_is_missing(capsys):
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["missing"] == []
    assert facts["versions"]["torch"] == metadata.version("torch")
    assert facts["cores"] >= facts["threads"] >= 1
    assert facts["encoders"] == ["libx264"]
    assert {"h264", "hevc", "png"} <= set(facts["decoders"])
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is missing"


def test_doctor_names_what_is_missing_and_still_ends_well(monkeypatch, capsys):
    real = metadata.version

    def without(name: str) -> str:
        if name in ("ray", "kornia"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    def broken() -> dict[str, object]:
        raise ImportError("libtorch.so is \x1b[31mgone")

    monkeypatch.setattr(doctor.metadata, "version", without)
    monkeypatch.setattr(doctor, "_compute", broken)
    monkeypatch.setattr(doctor, "ENCODERS", {"h264_nowhere": "mp4 layers cannot be written"})
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    for part in (
        "kornia is not installed: pip install kornia",
        "PyTorch does not load: libtorch.so is \\x1b[31mgone",
        "no h264_nowhere encoder: mp4 layers cannot be written",
        "ray is not installed: pip install ray",
        "not installed: pip install ray, for several workers",
    ):
        assert part in out
