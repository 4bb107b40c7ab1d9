"""Results never touch footage: not an input folder, not a file without a suffix, not the frames beside a clip."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddvideo.cli.main import run as command
from ddvideo.errors import UsageError
from ddvideo.pipeline import decompose, decompose_all
from ddvideo.store import Places, result_names
from tests.run.batch_fakes import batch, record
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute


def frames(folder, count=4):
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.random.default_rng(number).integers(0, 255, (32, 40, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
    return folder


def contents(folder):
    """Every file below a folder, with its bytes."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run(*paths, out, **more):
    return decompose(list(paths), task=SEGMENT, settings=SETTINGS, execute=fake_execute, out=out, **more)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("given", ["frames", "./frames", "frames/", "../here/frames", "link", "ABSOLUTE"])
@pytest.mark.parametrize("out", [".", "./", "../here", "side", "ABSOLUTE"])
def test_a_folder_of_frames_is_never_its_own_result_folder(here, given, out):
    frames(here / "frames")
    (here / "link").symlink_to("frames")
    (here / "side").symlink_to(here)
    given = str(here / "frames") if given == "ABSOLUTE" else given
    out = str(here) if out == "ABSOLUTE" else out
    before = contents(here / "frames")
    (result,) = run(given, out=out)
    assert result.folder.resolve() == here / ("link-2" if given == "link" else "frames-2")
    assert contents(here / "frames") == before
    assert sum(1 for _ in result.layers["alpha"].frames()) == 4
    (again,) = run(given, out=out)
    assert again.folder == result.folder, "a second start finds the same folder"
    assert not (here / f"{result.folder.name[:-2]}-3").exists()


@pytest.mark.parametrize("name", ["clip", "photo", "take.1.2"])
def test_a_file_is_never_its_own_result_folder(here, clips, name):
    file = here / Path(name).stem
    if name == "photo":
        shutil.copy(frames(here / "f") / "0000.png", file)
    else:
        shutil.copy(clips["short"], file)
    before = file.read_bytes()
    (result,) = run(file.name, out=".")
    assert result.folder.resolve() == here / (f"{file.name}-2" if file.stem == file.name else file.stem)
    assert file.read_bytes() == before


@pytest.mark.parametrize("out", ["frames", "frames/", "frames/x", "frames/x/y", "into", "into/x"])
@pytest.mark.parametrize("inputs", [["frames"], ["clip.mp4", "frames"], ["./frames/."]])
def test_results_inside_an_input_folder_are_wrong_usage_and_nothing_is_written(here, clips, inputs, out):
    frames(here / "frames")
    (here / "into").symlink_to("frames")
    shutil.copy(clips["short"], here / "clip.mp4")
    before = contents(here), sorted(here.rglob("*"))
    with pytest.raises(UsageError, match=r"results would be written into the input .*; choose a folder outside of it"):
        run(*inputs, out=out)
    with pytest.raises(UsageError, match="written into the input"):
        run(*inputs, out=out, dry_run=True)
    assert (contents(here), sorted(here.rglob("*"))) == before


def test_the_command_says_so_in_one_line_from_within_the_folder(here, monkeypatch, capsys):
    monkeypatch.chdir(frames(here / "frames"))
    before = contents(here)
    for line in (["segment", "."], ["batch", ".", "--task", "segment"], ["batch", "../frames", "--task", "segment"]):
        assert command([*line, "--device", "cpu"]) == 2
        (told,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert told.startswith("ddvideo: error: ddvideo-out: results would be written into the input ")
    assert contents(here) == before
    assert not (here / "frames" / "ddvideo-out").exists()


def test_frames_beside_the_clip_that_they_were_taken_from_are_left_alone(here, clips):
    shutil.copy(clips["short"], here / "clip.mp4")
    before = frames(here / "clip") and contents(here / "clip")
    for _ in range(2):
        (result,) = run("clip.mp4", out=".")
        assert result.folder == Path("clip-2")
    assert contents(here / "clip") == before
    frames(here / "clip-3")
    assert run("clip.mp4", out=".")[0].folder == Path("clip-2")


@pytest.mark.parametrize("name", ["foreground.mp4", "foreground", "foreground/deep/clip.mp4"])
def test_a_folder_that_holds_an_input_takes_no_results(here, clips, name):
    path = here / "foreground" / name
    path.parent.mkdir(parents=True)
    frames(path) if "." not in name else shutil.copy(clips["short"], path)
    (here / "foreground" / "report.json").write_text('{"ddvideo": "0.1.0"}')
    given = contents(path) or path.read_bytes()
    other = shutil.copy(clips["short"], here / "foreground.mp4")
    results = run(path, other, out=".")
    assert [result.error for result in results] == [None, None]
    assert Path("foreground") not in {result.folder for result in results}
    assert (contents(path) or path.read_bytes()) == given


def test_results_may_go_where_ours_or_none_are(here, clips):
    shutil.copy(clips["short"], here / "clip.mp4")
    (here / "out" / "clip" / "empty").mkdir(parents=True)
    (here / "out" / "clip" / ".DS_Store").touch()
    for _ in range(2):
        assert run("clip.mp4", out="out")[0].folder == Path("out/clip")
    assert run("clip.mp4", out=here / "out")[0].folder == here / "out" / "clip"


def test_many_names_are_found_quickly_and_each_is_free(here):
    frames(here / "x")
    frames(here / "x-2")
    inputs = [Path(f"{folder}/x") for folder in range(300)] + [here / "x"]
    places = Places(Path(), inputs)
    names = result_names(inputs, places.is_free)
    assert len(set(names)) == 301
    assert not {"x", "x-2"} & set(names)


def test_a_batch_into_its_source_leaves_the_frames_in_there_alone(here, clips, engine):
    frames(here / "v" / "frames")
    shutil.copy(clips["short"], here / "v" / "a.mp4")
    before = contents(here / "v" / "frames")
    for start in range(3):
        items = batch(here / "v", here / "v", engine, fresh=start == 2)
        assert {name: item.root.name for name, item in items.items()} == {"frames": "frames-2", "a.mp4": "a"}
        assert [item.was_done for item in items.values()] == [start == 1] * 2
    assert contents(here / "v" / "frames") == before
    assert {entry["folder"] for entry in record(here / "v")["items"]} == {"frames-2", "a"}


def test_a_record_that_names_an_input_is_not_followed(here, engine):
    frames(here / "v" / "frames")
    batch(here / "v", here / "v", engine)
    told = record(here / "v")
    told["items"][0]["folder"] = "frames"
    (here / "v" / "batch.json").write_text(json.dumps(told))
    before = contents(here / "v" / "frames")
    (item,) = batch(here / "v", here / "v", engine).values()
    assert item.root.name == "frames-2"
    assert contents(here / "v" / "frames") == before


@pytest.mark.parametrize(
    ("source", "out"), [("v/frames", "v/frames"), ("v", "v/frames"), ("v", "v/frames/out"), ("v/*", "v/frames/out")]
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_batch_into_a_folder_of_frames_is_wrong_usage(here, engine, source, out, dry_run):
    frames(here / "v" / "frames")
    before = sorted(here.rglob("*"))
    with pytest.raises(UsageError, match=r"written into the input .*frames; choose"):
        decompose_all(source, out=out, task=SEGMENT, settings=SETTINGS, execute=engine, dry_run=dry_run)
    assert sorted(here.rglob("*")) == before


def test_a_folder_is_known_by_what_it_is_not_by_its_name(here, monkeypatch):
    """As on a disk that takes ``Frames`` and ``frames`` for one."""
    frames(here / "frames")
    real = os.stat

    def folded(path, **how):
        return real(str(path).replace("FRAMES", "frames"), **how)

    monkeypatch.setattr(Path, "stat", lambda self, **how: folded(self, **how))
    assert result_names([Path("FRAMES")], Places(Path(), [Path("frames")]).is_free) == ["FRAMES-2"]
