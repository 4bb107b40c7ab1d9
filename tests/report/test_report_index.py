"""The page of a batch: well formed, nothing from outside acts in it, and its links lead to the files."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ddvideo.errors import OutputError
from ddvideo.report.index import render_index, write_index

VOID = {"meta", "img", "br"}
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}\x1b[31m\u202e&amp;\n.mp4"
ODD = ["a b", "50% #1?x=1&y", 'it\'s "quoted"', "javascript:alert(1)", "Zoë 雪", "<b>", "https://x.org", "a:b;c"]


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
        assert len(dict(attrs)) == len(attrs)
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


def entry(name="clip", status="done", **changes):
    return {
        "input": f"/videos/{name}.mp4",
        "folder": name,
        "status": status,
        "frames": 90,
        "mark": "x",
        "thumbnail": status == "done",
        "seconds": 72.3,
        "warnings": [],
    } | changes


def batch(*entries, **changes):
    counts = dict.fromkeys(("waiting", "running", "done", "failed"), 0)
    for each in entries:
        counts[each["status"]] += 1
    return {"recipe": "segment", "preset": "fast", "running": False, "counts": counts, "items": entries} | changes


def test_each_input_has_its_picture_status_link_and_notes():
    failed = entry("bad", "failed", error="bad.mp4: damaged\ntry another", frames=0, seconds=None)
    page = Page(render_index(batch(entry(warnings=["nothing moves"]), failed, entry("next", "waiting", seconds=None))))
    told = " | ".join(page.text)
    for part in (
        "segment, fast | 1 waiting, 1 done, 1 failed", "clip.mp4 | done | 90 | 1 min 12 s | nothing moves",
        "bad.mp4 | failed | bad.mp4: damaged | try another", "next.mp4 | waiting | 90",
    ):  # fmt: skip
        assert part in told, part
    assert [link["href"] for link in page.all("a")] == ["clip/report.html"]
    assert [image["src"] for image in page.all("img")] == ["clip/thumbnail.jpg"]
    assert {row.get("class") for row in page.all("tr")} == {None, "done", "failed", "waiting"}
    assert "/videos/clip.mp4" in [cell.get("title") for cell in page.all("td")]


def test_a_result_without_a_picture_shows_none():
    assert Page(render_index(batch(entry(thumbnail=False)))).all("img") == []


@pytest.mark.parametrize("running", [True, False])
def test_the_page_renews_itself_only_while_the_batch_runs(running):
    page = Page(render_index(batch(entry(), entry("x", "waiting"), running=running)))
    assert any(meta.get("http-equiv") == "refresh" for meta in page.all("meta")) == running


def test_what_earlier_batches_did_there_is_told_below():
    others = [entry("old"), entry("lost", "failed"), entry("stopped", "waiting")]
    page = Page(render_index(batch(entry("new"), others=others)))
    assert [link["href"] for link in page.all("a")] == ["new/report.html", "old/report.html"]
    assert "1 done" in page.text, "they do not count"
    assert "old.mp4" in page.text
    assert not {"lost.mp4", "stopped.mp4"} & set(page.text), "nothing is there to see of them"


@pytest.mark.parametrize("place", ["input", "error", "warnings", "folder", "recipe", "source"])
def test_hostile_names_and_messages_stay_text(place):
    value = ["", EVIL] if place == "warnings" else EVIL
    if place in ("recipe", "source"):
        text = render_index(batch(entry(), **{place: value}))
    else:
        text = render_index(batch(entry("x", "failed" if place == "error" else "done", **{place: value})))
    page = Page(text)
    assert page.all("script") == []
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "49" not in text.replace("#49", "")
    assert {image["src"] for image in page.all("img")} <= {"x/thumbnail.jpg", "clip/thumbnail.jpg"} or place == "folder"


def test_it_loads_nothing_but_its_own_pictures():
    text = render_index(batch(*(entry(name) for name in ODD), running=True))
    page = Page(text)
    assert {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "form", "base"} == set()
    assert not re.search(r"url\(|@import", text)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    for address in [image["src"] for image in page.all("img")] + [link["href"] for link in page.all("a")]:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", ""), address


@pytest.mark.parametrize("name", [*ODD, "odd-\udcff"])
def test_links_lead_to_the_files_whatever_their_folder_is_called(tmp_path, name):
    folder = tmp_path / name.replace("/", "_")
    folder.mkdir()
    (folder / "report.html").write_text("the report")
    write_index(tmp_path / "index.html", batch(entry(name, folder=folder.name)))
    (link,) = Page((tmp_path / "index.html").read_text(encoding="utf-8")).all("a")
    assert (tmp_path / unquote(link["href"], errors="surrogateescape")).read_text() == "the report"


def test_a_page_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "index.html").mkdir()
    (tmp_path / "index.html" / "x").touch()
    with pytest.raises(OutputError, match=r"index\.html"):
        write_index(tmp_path / "index.html", batch())
    assert [path.name for path in Path(tmp_path).iterdir()] == ["index.html"]
