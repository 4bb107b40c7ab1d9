"""Which files of a folder, a glob or a list are inputs: real folders, names as they come."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from ddvideo.errors import InputError, UsageError
from ddvideo.media.inputs import find_inputs

REPORT = json.dumps({"ddvideo": "0.1.0", "task": "segment"}, indent=2)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(source: object, out: Path = Path("/nowhere/out")) -> list[str]:
    """The inputs, as they are named from the working folder."""
    return [str(path) for path in find_inputs(str(source), out=out).inputs]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_walked_by_suffix_in_order_without_hidden_files(here):
    touch(here, "v/b.MP4", "v/a.mkv", "v/notes.txt", "v/.c.mp4", "v/.git/d.mp4", "v/sub/deep/e.webm", "v/sub/f.jpg")
    assert found("v") == ["v/a.mkv", "v/b.MP4", "v/sub/f.jpg", "v/sub/deep/e.webm"]


@pytest.mark.parametrize(
    ("names", "inputs"),
    [
        (["0001.png", "0002.png"], ["v/s"]),
        (["frame_1.jpg", "frame_2.jpg", "frame_10.jpg"], ["v/s"]),
        (["f0.png", "f1.png"], ["v/s"]),
        (["1.png", "2.png", "x.mp4", "notes.txt", ".hidden.png"], ["v/s", "v/s/x.mp4"]),
        (["IMG_0001.jpg", "IMG_0002.jpg"], ["v/s/IMG_0001.jpg", "v/s/IMG_0002.jpg"]),
        (["1.png", "cover.png"], ["v/s/1.png", "v/s/cover.png"]),
        (["1.png"], ["v/s/1.png"]),
    ],
)
def test_a_folder_of_frames_is_one_input_and_one_of_photographs_is_many(here, names, inputs):
    touch(here / "v" / "s", *names)
    assert found("v") == inputs
    assert found("v/*") == inputs
    assert sorted(found("v/**/*")) == sorted(inputs), "a frame is no input beside its folder"


def test_results_whole_or_in_the_making_are_no_inputs(here):
    touch(here, "v/a.mp4", "v/old/a/alpha.mp4", "v/old/a/foreground/0.png", "v/old/a/foreground/1.png")
    touch(here, "v/old/b/alpha.mp4", "v/old/b/.work/lock", "v/theirs/c.mp4")
    (here / "v/old/a/report.json").write_text(REPORT)
    (here / "v/theirs/report.json").write_text('{"made by": "another program"}')
    for source in ("v", "v/**/*.mp4", "v/**/*", "v/*"):
        assert sorted(found(source)) == ["v/a.mp4", "v/theirs/c.mp4"], source
    for source in ("v/old", "v/old/a", "v/old/*/*.mp4", "v/old/a/*.mp4", "v/old/a/*/*.png"):
        with pytest.raises(UsageError, match="no videos or images"):
            find_inputs(source, out=Path("out"))
    touch(here, "list.txt")
    (here / "list.txt").write_text("v/old/a/alpha.mp4")
    assert found("list.txt") == ["v/old/a/alpha.mp4"], "what is listed is meant"


def test_the_out_folder_inside_the_source_or_the_source_itself(here):
    touch(here, "v/a.mp4", "v/out/strange.mp4")
    for source in ("v", "v/**/*.mp4", "./v/../v"):
        assert [Path(name).name for name in found(source, Path("v/out"))] == ["a.mp4"]
    assert found("v", Path("v")) == ["v/a.mp4", "v/out/strange.mp4"]
    assert found("v/*.mp4", Path("v")) == ["v/a.mp4"]
    (here / "link").symlink_to(here / "v/out")
    assert found("v", Path("link")) == ["v/a.mp4"]


def test_links_are_followed_to_files_but_lead_in_no_circle(here):
    touch(here, "v/a.mp4", "elsewhere/b.mp4")
    (here / "v/again.mp4").symlink_to("a.mp4")
    (here / "v/b.mp4").symlink_to(here / "elsewhere/b.mp4")
    (here / "v/gone.mp4").symlink_to("nothing.mp4")
    (here / "v/self.mp4").symlink_to("self.mp4")
    for name in ("x", "y", "z"):
        (here / "v" / name).symlink_to(here / "v")
    begun = time.perf_counter()
    for source in ("v", "v/**/*.mp4", "v/**/*"):
        assert found(source) == ["v/a.mp4", "v/b.mp4", "v/gone.mp4", "v/self.mp4"], source
    assert time.perf_counter() - begun < 5, "three links back are 3 ** 40 ways around"


def test_globs_take_hidden_names_only_where_asked(here):
    touch(here, "a.mp4", ".b.mp4", ".d/c.mp4", "e/f.mp4", "e[1].mp4", "h.txt")
    assert found("*.mp4") == ["a.mp4", "e[1].mp4"]
    assert found("**/*.mp4") == ["a.mp4", "e/f.mp4", "e[1].mp4"]
    assert found(".*.mp4") == [".b.mp4"]
    assert found(".d/*") == [".d/c.mp4"]
    assert found(here / "*.mp4") == [str(here / "a.mp4"), str(here / "e[1].mp4")]
    assert found("e[1].mp4") == ["e[1].mp4"], "a file of that name comes before a pattern"
    with pytest.raises(UsageError, match="no videos or images"):
        find_inputs("*.txt", out=Path("out"))
    with pytest.raises(UsageError, match=r"a\*\*b"):
        find_inputs("a**b/*.mp4", out=Path("out"))


def test_a_list_has_comments_relative_paths_and_names_of_any_bytes(here):
    touch(here, "lists/a.mp4", "b c.mp4", "lists/frames/1.png")
    lines = [
        "# comment",
        "",
        "  a.mp4  ",
        "../b c.mp4",
        str(here / "lists/frames"),
        "missing.mp4",
        "./a.mp4",
        "./#x.mp4",
    ]
    data = b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\nodd-\xff.mp4\n"
    (here / "lists/list").write_bytes(data)
    assert [os.path.normpath(name) for name in found("lists/list")] == [
        "lists/a.mp4",
        "b c.mp4",
        str(here / "lists/frames"),
        "lists/missing.mp4",
        "lists/#x.mp4",
        "lists/odd-\udcff.mp4",
    ]


@pytest.mark.parametrize("data", [b"\0\0\1\xba binary", b"RIFF\x00\x00text"])
def test_a_binary_file_of_an_unknown_name_is_refused(here, data):
    (here / "x.dat").write_bytes(data)
    with pytest.raises(InputError, match=r"x\.dat: it is neither a video or image, nor a text file"):
        find_inputs("x.dat", out=Path("out"))


def test_sources_that_hold_nothing_or_are_not_there(here):
    (here / "empty").mkdir()
    (here / "list.txt").write_text("# nothing\n\n")
    for source in ("empty", "list.txt", "*.mov"):
        with pytest.raises(UsageError, match="no videos or images"):
            find_inputs(source, out=Path("out"))
    touch(here, "a.mp4")
    with pytest.raises(UsageError, match="the source is empty"):
        find_inputs("", out=Path("out"))
    with pytest.raises(UsageError, match=r"nothing\.txt: there is no such"):
        find_inputs("nothing.txt", out=Path("out"))
    assert found("a.mp4") == ["a.mp4"]


def test_an_unreadable_folder_counts_as_an_input_and_as_the_source_is_an_error(here, monkeypatch):
    touch(here, "v/a.mp4", "v/locked/b.mp4", "v/z.mp4")
    iterdir = Path.iterdir

    def refused(self):  # tests may run as root, whom no mode stops
        if self.name == "locked":
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert found("v") == ["v/a.mp4", "v/z.mp4", "v/locked"]
    with pytest.raises(InputError, match="cannot read v/locked: Permission denied"):
        find_inputs("v/locked", out=Path("out"))
