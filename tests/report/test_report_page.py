from __future__ import annotations

import base64
import json
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ddvideo.errors import OutputError
from ddvideo.report import describe_input, render_page, write_report_html, write_report_json
from ddvideo.types import InputInfo

VOID = {"meta", "img", "br", "hr", "input", "link"}
PNG = b"\x89PNG\r\n\x1a\nnot a whole one"
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}\x1b[31m\u202e&amp;"


def make_report(**changes):
    report = {
        "ddvideo": "0.1.0",
        "task": "segment",
        "recipe": {"name": "segment", "preset": "fast", "working_px": 320, "options": {"steps": 120}},
        "seed": 3,
        "device": "cpu",
        "threads": 2,
        "input": {"path": "/clips/cat.mp4", "sha256": "ab" * 32, "width": 854, "height": 480, "frames": 90,
                  "fps": 29.97, "duration_seconds": 3.003, "codec": "h264", "pix_fmt": "yuv420p", "audio": ["aac"]},
        "runner": {"kind": "inprocess", "workers": 1},
        "shots": [{"start": 0, "stop": 60}, {"start": 60, "stop": 90}],
        "chunks": [
            {"index": 0, "start": 0, "stop": 60, "steps": 120, "seconds": 12.34, "loss": 0.0123, "attempts": 1},
            {"index": 1, "start": 60, "stop": 90, "steps": 121, "seconds": 8.0, "loss": None, "attempts": 2},
        ],
        "layers": [{"name": "alpha", "path": "out/cat/alpha.mp4", "codec": "h264", "pix_fmt": "gray"}],
        "quality": {"recomposition_psnr_db": 47.1234},
        "timings_seconds": {"probe": 0.1, "fit": 20.0, "encode": 10.0, "total": 72.3},
        "seconds_per_frame": 0.803,
        "peak_rss_mib": 1421.0,
        "warnings": ["nothing moves in shot 1"],
    }  # fmt: skip
    return report | changes


class Page(HTMLParser):
    """Checks that tags are closed in order and collects what matters."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style" and data.strip():
            self.text.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_page_tells_the_report():
    page = Page(render_page(make_report(), [(11, {"input": PNG, "alpha": PNG}), (33, {"input": PNG, "alpha": PNG})]))
    told = " | ".join(page.text)
    for part in (
        "cat.mp4", "47.12 dB", "854 × 480", "1 min 12 s", "0.80 s", "1.4 GiB", "nothing moves in shot 1", "alpha.mp4",
        "h264, gray", "recomposition PSNR", "12.3 s", "0.0123", "not known", "60:90", "ab" * 32, "options steps | 120",
        "2 shots above, 2 chunks below", "inprocess, 1 at once", "aac", "ddvideo 0.1.0", "33",
    ):  # fmt: skip
        assert part in told, part
    pictures = [attributes["src"] for attributes in page.all("img")]
    assert len(pictures) == 4
    for source in pictures:
        head, _, data = source.partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(data) == PNG
    assert [attributes["alt"] for attributes in page.all("img")][:2] == ["input of frame 11", "alpha of frame 11"]


def test_a_value_of_each_shot_is_told():
    airlight = [{"start": 0, "stop": 60, "rgb": [0.85, 0.9, 1.0]}, {"start": 60, "stop": 90, "rgb": [0.5, 0.25, 0.0]}]
    text = Page(render_page(make_report(airlight=airlight))).text
    assert "airlight of frames 0 to 59" in text
    assert "0.85, 0.9, 1" in text
    assert "airlight of frames 60 to 89" in text
    assert "0.5, 0.25, 0" in text


def test_page_needs_nothing_beside_itself_and_runs_nothing():
    text = render_page(make_report(), [(0, {"input": PNG})])
    page = Page(text)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"https?://|@import|url\(|\son\w+=", text)
    (policy,) = [attributes["content"] for attributes in page.all("meta") if attributes.get("http-equiv")]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert [attributes["href"] for attributes in page.all("a")] == ["./alpha.mp4"]


def test_bars_stand_where_the_spans_are():
    page = Page(render_page(make_report()))
    spans = [attributes["style"] for attributes in page.all("span") if "left" in (attributes.get("style") or "")]
    wanted = ["left: 0.000%; width: 66.667%", "left: 66.667%; width: 33.333%"]
    assert spans == wanted + wanted
    widths = [
        attributes["style"] for attributes in page.all("span") if (attributes.get("style") or "").startswith("width")
    ]
    assert widths == ["width: 0.5%", "width: 100.0%", "width: 50.0%"]


def hostile_report():
    """A report whose every text, and every key that comes from outside, is hostile."""

    def spoil(value):
        if isinstance(value, dict):
            return {key: spoil(item) for key, item in value.items()}
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return value + EVIL if isinstance(value, str) else value

    report = spoil(make_report())
    report["recipe"]["options"] = {EVIL: EVIL}
    report["quality"][EVIL] = EVIL
    return report


def test_hostile_text_stays_text_everywhere():
    clean = Page(render_page(make_report(), [(0, {"input": PNG})]))
    text = render_page(hostile_report(), [(0, {"input": PNG, EVIL: PNG})])
    page = Page(text)
    extra = {tag for tag, _ in page.tags} - {tag for tag, _ in clean.tags}
    assert extra == set()
    assert len(page.all("img")) == 2
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "49" not in re.findall(r"\b49\b", text)
    assert any("<script>alert(1)</script>" in part for part in page.text), "told, as text"
    assert any("\\x1b[31m\\u202e" in part for part in page.text)


@pytest.mark.parametrize(
    ("path", "href"),
    [
        ("out/javascript:alert(1).mp4", "./javascript%3Aalert%281%29.mp4"),
        ("out/a b#c?.mp4", "./a%20b%23c%3F.mp4"),
        ("out/\udcff.mp4", "./%FF.mp4"),
    ],
)
def test_links_lead_to_the_file_beside_the_page_only(path, href):
    page = Page(render_page(make_report(layers=[{"name": "alpha", "path": path}])))
    assert [attributes["href"] for attributes in page.all("a")] == [href]


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"input": {"path": ""}},
        make_report(chunks=[], shots=[], layers=[], quality={}, timings_seconds={}, warnings=[]),
        make_report(quality={"recomposition_psnr_db": float("inf")}, seconds_per_frame=float("nan"), peak_rss_mib=None),
        make_report(timings_seconds={"probe": 0.0, "total": 0.0}),
    ],
)
def test_a_report_with_less_still_makes_a_page(report):
    assert "<main>" in render_page(report)


def test_many_chunks_are_cut_off_with_a_note():
    chunk = make_report()["chunks"][0]
    text = render_page(make_report(chunks=[chunk | {"index": n} for n in range(1700)]))
    assert text.count("<td>0:60</td>") == 200
    assert "and 1500 more in report.json" in text


def test_files_are_written_whole_with_odd_names_and_numbers(tmp_path):
    report = make_report(warnings=["caf\udce9 \u202e 日本"], seconds_per_frame=float("nan"))
    write_report_html(tmp_path / "report.html", report)
    write_report_json(tmp_path / "report.json", report)
    data = (tmp_path / "report.json").read_bytes()
    assert data.isascii()
    told = json.loads(data, parse_constant=pytest.fail)
    assert told["warnings"] == report["warnings"]
    assert told["seconds_per_frame"] is None
    assert told | {"seconds_per_frame": 0, "warnings": 0} == report | {"seconds_per_frame": 0, "warnings": 0}
    assert "caf\\xe9 \\u202e 日本" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"report\.json"):
        write_report_json(tmp_path / "gone" / "report.json", {})


def test_input_facts_have_the_keys_of_the_contract():
    info = InputInfo(
        path=Path("a.mp4"), kind="video", width=854, height=480, frames=90, fps=Fraction(30000, 1001),
        duration_seconds=3.003, codec="h264", pix_fmt="yuv420p", audio=("aac",), sample_aspect_ratio=Fraction(4, 3),
    )  # fmt: skip
    facts = describe_input(info)
    contract = {"path", "width", "height", "frames", "fps", "duration_seconds", "codec", "pix_fmt", "audio"}
    assert contract <= facts.keys()
    assert facts["fps"] == pytest.approx(29.97003, abs=1e-5)
    assert (facts["fps_exact"], facts["sample_aspect_ratio"], facts["audio"]) == ("30000/1001", "4/3", ["aac"])
    json.dumps(facts)
