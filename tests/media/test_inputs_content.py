"""Inputs are known by what they hold, and what is left out is named with the reason."""

from __future__ import annotations

import os
import random
import socket
import time
import wave
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_clips import natural, write_clip
from PIL import Image

from ddvideo.errors import UsageError
from ddvideo.media import open_source
from ddvideo.media.inputs import find_inputs

PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
MPEG2 = {"codec": "mpeg2video", "options": {"g": "12"}, "time_base": Fraction(1, 25), "step": 1}
TEXT = {
    "notes.txt": "What the clip shows: a fox.\n" * 20,
    "film.nfo": "┌──────┐\n│ FILM │\n└──────┘\n" * 20,
    "cuts.edl": "TITLE: x\n001 AX V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n",
    "clip.srt": "1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "clip.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n",
    "live.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nreal.mp4\n#EXT-X-ENDLIST\n",
    "all.ffconcat": "ffconcat version 1.0\nfile real.mp4\n",
    "meta.ffmeta": ";FFMETADATA1\ntitle=x\n",
    "lottie.json": '{"v": "5.5", "fr": 25, "w": 100, "h": 100, "layers": []}',
    "page.html": "<!DOCTYPE html><html><body><img src=x></body></html>",
    "logo.svg": '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "tool.py": "#!/usr/bin/env python\nprint('x')\n",
    "C0001M01.XML": '<?xml version="1.0" encoding="UTF-8"?><NonRealTimeMeta/>',
    "clip.xmp": '<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>',
    "player.ts": "export const frames: number = 25;\n",
    "mods.mts": "import { frames } from './player';\n",
    "Makefile": "all:\n\tmake clip\n",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v").mkdir()
    return tmp_path


def look(source="v", out="out"):
    """Names of the inputs, and the reasons for what is left out by its name."""
    found = find_inputs(str(source), out=Path(out))
    return [path.name for path in found.inputs], {item.path.name: item.reason for item in found.left_out}


def put(name, **how):
    """A clip in the folder ``v``, as it is written under another name first."""
    return write_clip(Path("v") / name, natural(4, 64, 48), **how)


@pytest.mark.parametrize(
    ("container", "how"),
    [
        ("mpegts", MPEG2),
        ("mpegts", {}),
        ("vob", MPEG2),
        ("mov", {}),
        ("mp4", {"audio": "aac"}),
        ("avi", {"codec": "mpeg4", "options": {"g": "12"}}),
        ("h264", {}),
        ("mpeg1video", MPEG2 | {"codec": "mpeg1video"}),
        ("mjpeg", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"g": "12"}}),
        ("matroska", {"codec": "ffv1", "options": {"g": "12"}}),
        ("asf", {"codec": "wmv2", "options": {"g": "12"}}),
        ("yuv4mpegpipe", {"codec": "wrapped_avframe", "options": {"g": "12"}}),
    ],
)
@pytest.mark.parametrize(
    "name", ["clip", "clip.mod", "clip.dat", "clip.TOD", "clip.txt", "clip.svg", "clip.jpg", "clip.ts", "0001"]
)
def test_a_video_of_any_name_is_an_input(container, how, name):
    put(name, container=container, **how)
    assert look() == ([name], {})
    if name not in ("clip.jpg", "clip.svg"):  # it counts, and whether it can be read is told when it is
        with open_source(Path("v") / name) as source:
            assert (source.info.width, source.info.height) == (64, 48)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("name", ["photo", "photo.dat", "photo.txt", "photo.jpg_large", "photo.mp4", "0001"])
def test_a_still_of_any_name_is_an_input(format, name):
    if format == "BMP" and "." in name:
        pytest.skip("two letters are too little to know it by")
    Image.fromarray(PICTURE).save(Path("v") / (name if format != "BMP" else f"{name}.bmp"), format=format)
    assert look() == ([name if format != "BMP" else f"{name}.bmp"], {})


@pytest.mark.parametrize("name", ["x.m2t", "x.qt", "x.apng", "x.mts", "x.vob", "x.dv", "x.mp4", "x.ts", "x.JPG"])
@pytest.mark.parametrize("data", [b"", b"\0" * 5000, random.Random(1).randbytes(5000)])
def test_what_has_a_name_of_footage_counts_though_it_is_broken(name, data):
    (Path("v") / name).write_bytes(data)
    assert look() == ([name], {})


@pytest.mark.parametrize("name", sorted(TEXT))
def test_text_is_no_input_whatever_ffmpeg_makes_of_it(name):
    put("real.mp4")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (Path("v") / name).write_text(TEXT[name], encoding=encoding)
        assert look() == (["real.mp4"], {name: "text"})


@pytest.mark.parametrize("suffix", [".nfo", ".txt", ".ans", ".diz", ".dat", ".log"])
def test_text_art_in_an_old_code_page_is_no_input(suffix):
    put("real.mp4")
    (Path("v") / f"art{suffix}").write_bytes(bytes([0xDA, *[0xC4] * 40, 0xBF, 13, 10]) * 30)
    inputs, left_out = look()
    assert inputs == ["real.mp4"]
    assert left_out[f"art{suffix}"] in ("text", "no picture that can be read")


def _jpeg():
    return cv2.imencode(".jpg", PICTURE)[1].tobytes()


BINARIES = {
    "a.pdf": lambda: (
        b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Filter /DCTDecode >>\nstream\n" + _jpeg() + b"\nendstream"
    ),
    "a.bin": lambda: random.Random(2).randbytes(50_000),
    "zero": lambda: bytes(50_000),
    "ones": lambda: b"\xff" * 50_000,
    "a.rgb": lambda: random.Random(3).randbytes(64 * 48 * 3),
    "a.yuv": lambda: random.Random(4).randbytes(64 * 48 * 3),
    "a.raw": lambda: random.Random(5).randbytes(64 * 48 * 3),
    "a.v210": lambda: random.Random(6).randbytes(64 * 48 * 3),
    "a.cdg": lambda: random.Random(7).randbytes(96 * 50),
    "VIDEO_TS.IFO": lambda: b"DVDVIDEO-VMG" + bytes(4000),
    "VIDEO_TS.BUP": lambda: b"DVDVIDEO-VMG" + bytes(4000),
    "Thumbs.db": lambda: bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500) + _jpeg(),
    "song.mod": lambda: b"song".ljust(1080, b"\0") + b"M.K." + random.Random(8).randbytes(4000),
    "library": lambda: b"\x7fELF\2\1\1" + random.Random(9).randbytes(9000) + _jpeg() * 20,
}


@pytest.mark.parametrize("name", sorted(BINARIES))
def test_what_holds_no_picture_is_left_out_by_name(name):
    put("real.mp4")
    (Path("v") / name).write_bytes(BINARIES[name]())
    inputs, left_out = look()
    assert inputs == ["real.mp4"]
    assert list(left_out) == [name]
    assert left_out[name] in ("no picture that can be read", "only sound")


@pytest.mark.parametrize("suffix", [".zip", ".docx", "", ".cbz"])
@pytest.mark.parametrize("inside", ["still", "video", "stream"])
def test_an_archive_is_no_input_though_there_are_pictures_in_it(suffix, inside):
    put("real.mp4")
    write_clip(Path("stream.mpg"), natural(4, 64, 48), container="vob", **MPEG2)
    data = {"still": _jpeg(), "video": Path("v/real.mp4").read_bytes(), "stream": Path("stream.mpg").read_bytes()}
    with zipfile.ZipFile(Path("v") / f"archive{suffix}", "w") as file:
        for number in range(20):
            file.writestr(f"word/media/{number}", data[inside])
    assert look() == (["real.mp4"], {f"archive{suffix}": "no picture that can be read"})


@pytest.mark.parametrize("name", ["song.wav", "song", "song.dat"])
def test_sound_is_no_input_and_neither_is_its_cover(name):
    put("real.mp4")
    with wave.open(str(Path("v") / name), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(random.Random(1).randbytes(16000))
    with av.open("v/cover.mp3", "w") as container:
        sound, cover = container.add_stream("mp3", rate=48000), container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(PICTURE).reformat(format="yuvj420p")))
        container.mux(cover.encode(None))
        for block in range(20):
            samples = np.zeros((1, 1152 * 2), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48000, block * 1152
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with av.open("v/cover.mp3") as container:
        assert container.streams.video, "the cover is there, and is no moving picture"
    assert look() == (["real.mp4"], {name: "only sound", "cover.mp3": "only sound"})


@pytest.mark.parametrize(
    ("clip", "beside", "reason"),
    [
        ("MVI_0001.AVI", "MVI_0001.THM", "thumbnail of MVI_0001.AVI"),
        ("mvi_0001.mov", "MVI_0001.thm", "thumbnail of mvi_0001.mov"),
        ("MOV01.MOD", "MOV01.THM", "thumbnail of MOV01.MOD"),
        ("GX010001.MP4", "GL010001.LRV", "low-resolution copy of GX010001.MP4"),
        ("GH010001.MP4", "GH010001.LRV", "low-resolution copy of GH010001.MP4"),
        ("DJI_0001.MP4", "DJI_0001.LRF", "low-resolution copy of DJI_0001.MP4"),
    ],
)
def test_what_a_camera_writes_beside_a_clip_is_left_out_while_the_clip_is_there(clip, beside, reason):
    path = put(clip, container="mp4")
    copy = Path("v") / beside
    copy.write_bytes(_jpeg() if beside.lower().endswith("thm") else path.read_bytes())
    for source in ("v", "v/*", "v/**/*"):
        assert look(source) == ([clip], {beside: reason})
    path.rename(Path("v") / "other.mp4")
    assert look() == (sorted([beside, "other.mp4"]), {})


@pytest.mark.parametrize("name", ["favicon.ico", "favicon", "favicon.dat"])
def test_icons_are_no_footage(name):
    put("real.mp4")
    Image.fromarray(PICTURE).save(Path("v") / name, format="ICO")
    assert look() == (["real.mp4"], {name: "icon"})


def test_raw_photographs_are_told_as_what_they_are():
    Image.fromarray(PICTURE).save("v/photo.jpg")
    for suffix in (".dng", ".NEF", ".CR2"):
        Image.fromarray(PICTURE[:12, :16]).save(f"v/photo{suffix}", format="TIFF")
    assert look() == (["photo.jpg"], dict.fromkeys(("photo.dng", "photo.NEF", "photo.CR2"), "raw photograph"))


def test_what_is_passed_over_for_other_reasons_is_told_too(here):
    put("a.mp4")
    for name in ("v/.hidden.mp4", "v/.git/x", "v/old/alpha.mp4", "v/out/strange.mp4", "v/empty", "elsewhere/b.mp4"):
        path = here / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (here / "v/old/report.json").write_text('{"ddvideo": "0.1.0"}')
    (here / "v/far").symlink_to(here / "elsewhere")
    (here / "v/gone").symlink_to("nothing")
    (here / "v/gone.mp4").symlink_to("nothing.mp4")
    os.mkfifo(here / "v/pipe.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(here / "v")
        server.bind("socket")
        os.chdir(here)
        inputs, left_out = look(out="v/out")
    assert inputs == ["a.mp4", "gone.mp4"]
    assert left_out == {
        ".hidden.mp4": "hidden",
        ".git": "hidden",
        "old": "result of an earlier run",
        "out": "folder of results",
        "empty": "empty",
        "far": "link to a folder",
        "gone": "link to nowhere",
        "pipe.mp4": "neither a file nor a folder",
        "socket": "neither a file nor a folder",
    }


def test_a_file_that_cannot_be_opened_is_left_out_and_ends_nothing(monkeypatch):
    put("a.mp4")
    for name in ("locked", "locked.mp4"):
        (Path("v") / name).write_bytes(b"x" * 100)
    right = Path.open

    def refused(self, *how, **more):  # tests may run as root, whom no mode stops
        if self.stem == "locked":
            raise PermissionError(13, "Permission denied", str(self))
        return right(self, *how, **more)

    monkeypatch.setattr(Path, "open", refused)
    assert look() == (["a.mp4", "locked.mp4"], {"locked": "cannot be read (Permission denied)"})


@pytest.mark.parametrize("source", ["v", "v/*", "v/**/*"])
def test_numbered_stills_without_a_suffix_are_frames_of_one_video(source):
    for number in range(3):
        folder = Path("v/s")
        folder.mkdir(exist_ok=True)
        Image.fromarray(PICTURE).save(folder / f"{number:04d}", format=("PNG", "JPEG", "TIFF")[number])
    (folder / "0003").write_text("no picture")
    inputs, left_out = look(source)
    assert inputs == ["s"]
    assert left_out == {"0003": "text"}
    with open_source(folder) as opened:
        assert (opened.info.frames, len(list(opened.frames()))) == (3, 3)


def test_a_still_among_frames_that_is_none_of_them_counts_on_its_own():
    folder = Path("v/s")
    folder.mkdir()
    for name in ("0001.png", "0002.png", "scan.dat"):
        Image.fromarray(PICTURE).save(folder / name, format="PNG")
    assert look() == (["s", "scan.dat"], {})


def test_a_list_is_known_by_its_content_and_so_is_a_single_clip():
    put("clip", container="mpegts", **MPEG2)
    assert look("v/clip") == (["clip"], {})
    for name in ("list", "list.ts", "list.log"):
        Path(name).write_text("v/clip\nv/missing.txt\n")
        assert look(name) == (["clip", "missing.txt"], {}), "what is listed is meant"


def test_a_source_without_inputs_says_what_it_holds():
    for name in ("a.txt", "b.txt", "c.py"):
        (Path("v") / name).write_text("text\n" * 10)
    Path("v/.hidden.mp4").touch()
    with pytest.raises(UsageError, match=r"^v: no videos or images in there; left out: text \(3\), hidden \(1\)$"):
        find_inputs("v", out=Path("out"))


def test_thousands_of_files_cost_little():
    for number in range(1500):
        (Path("v") / f"{number}.txt").write_text("text\n" * 100)
        (Path("v") / f"{number}.bin").write_bytes(random.Random(number).randbytes(2000))
        (Path("v") / f"clip-{number}.mp4").write_bytes(b"broken")
    begun = time.perf_counter()
    inputs, left_out = look()
    assert (len(inputs), len(left_out)) == (1500, 3000)
    assert time.perf_counter() - begun < 30, "about two seconds on an idle machine"
