"""What is wrong with a file is told in one clear line, or as a warning where frames can still be had."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import DATA, natural, write_layer

from ddvideo.errors import InputError, OutputError, ShapeError
from ddvideo.media import open_sink, open_source, probe


def one_line(error) -> str:
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def test_inputs_that_are_no_video_say_so(tmp_path, make, clip):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello, I am no video at all\n" * 50)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no frames here")
    whole = make("whole.mp4", clip[:4]).read_bytes()
    (tmp_path / "no_moov.mp4").write_bytes(whole[: len(whole) // 2])
    with av.open(tmp_path / "sound.m4a", "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    for name, word in [
        ("missing.mp4", "no such file"),
        ("empty.mp4", "empty"),
        ("text.mp4", "not a video"),
        ("no_moov.mp4", "damaged"),
        ("sound.m4a", "only sound"),
        ("folder", "no frames"),
    ]:
        with pytest.raises(InputError, match=word) as error:
            probe(tmp_path / name)
        assert name in one_line(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path, make, clip):
    path = make("a.mp4", clip[:2])
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        probe(path)


def test_a_name_that_looks_like_a_protocol_is_a_file(make, clip, tmp_path):
    path = make("a.mp4", clip[:2]).rename(tmp_path / "concat:a|b.mp4")
    assert probe(path).frames == 2


@pytest.mark.parametrize("keep", [0.4, 0.75, 0.95])
def test_a_truncated_mkv_is_noticed(keep, make, clip):
    path = make("a.mkv", clip, options={"preset": "veryfast", "crf": "12"})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    info = probe(path)
    assert 0 < info.frames < 48
    assert "cut off" in info.warnings[0]
    with open_source(path) as source:
        assert len(list(source.frames())) == info.frames


def test_a_truncated_mp4_with_its_header_in_front_is_noticed(make, clip):
    path = make("a.mp4", clip, container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    info = probe(path)
    assert 10 < info.frames < 48
    assert "promises 48 frames" in info.warnings[0]


def damage(path: Path, clip_size: int) -> None:
    """Overwrite one packet's picture data in the middle of the file."""
    with av.open(path) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    at, size = packets[20]
    data = bytearray(path.read_bytes())
    data[at + 4 : at + min(size, 400)] = bytes(min(size, 400) - 4)
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_that_cannot_be_decoded_are_told_and_filled(name, make, clip):
    path = make(name, clip, options={"preset": "veryfast", "crf": "18", "bf": "0"})
    damage(path, len(clip))
    info = probe(path)
    assert info.frames == 48
    assert any("20" in w and ("cannot be decoded" in w or "damaged" in w) for w in info.warnings)
    with open_source(path) as source:
        frames = list(source.frames())
        assert source.warnings == info.warnings
    assert [frame.index for frame in frames] == list(range(48))
    with open_source(path) as source:
        assert np.array_equal(next(source.frames(20, 21)).rgb, frames[20].rgb)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the evaluation data folder is absent")
def test_the_corrupted_clip_gives_all_that_can_be_decoded():
    info = probe(DATA / "corrupted.mp4")
    assert info.frames == 50
    assert "1 of 50 frames cannot be decoded and repeat the frame before: 30" in info.warnings
    with open_source(DATA / "corrupted.mp4") as source:
        frames = [frame.rgb for frame in source.frames(28, 33)]
    assert [np.array_equal(a, b) for a, b in pairwise(frames)] == [False, True, False, False]


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the evaluation data folder is absent")
@pytest.mark.parametrize("path", sorted(DATA.glob("*")) if DATA.is_dir() else [], ids=lambda path: path.name)
def test_every_real_file_is_read_to_its_end(path):
    info = probe(path)
    assert bool(info.warnings) == (path.name == "corrupted.mp4")
    with open_source(path) as source:
        last = list(source.frames(info.frames - 1))
    assert (last[0].index, last[0].rgb.shape) == (info.frames - 1, (info.height, info.width, 3))


def test_an_absurd_size_is_refused_before_memory_is_taken(tmp_path):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60000).to_bytes(4) + (60000).to_bytes(4) + b"\x08\x02\0\0\0"
    (tmp_path / "huge.png").write_bytes(header + bytes(100) + b"IEND")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="60000x60000"):
        probe(tmp_path / "huge.png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


class FullDisk:
    """A file on a disk that fills after some bytes."""

    def __init__(self, file, room: list[int], code: int) -> None:
        self._file, self._room, self._code = file, room, code

    def write(self, data) -> int:
        self._room[0] -= len(data)
        if self._room[0] < 0:
            raise OSError(self._code, os.strerror(self._code))
        return self._file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 3000, 60_000])
@pytest.mark.parametrize(("code", "word"), [(errno.ENOSPC, "no space left"), (errno.EIO, "reports an error")])
def test_a_disk_that_fills_is_told_and_leaves_nothing(room, code, word, make, clip, tmp_path, monkeypatch):
    path = make("in.mp4", clip)
    info = probe(path)
    real = Path.open

    def small(self, mode="r", *args, **kwargs):
        file = real(self, mode, *args, **kwargs)
        return FullDisk(file, left, code) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", small)
    for name, how in [("out.mp4", "mp4"), ("frames", "png")]:
        left = [room]
        with pytest.raises(OutputError, match=word) as error:
            write_layer(tmp_path / "results" / name, clip, like=info, format=how)
        assert name in one_line(error)
    assert list((tmp_path / "results").iterdir()) == []


def test_the_system_s_own_limit_is_told(make, clip, tmp_path):
    """A real failing write, in a process of its own: the size limit of files."""
    path = make("in.mp4", clip)
    code = f"""
import resource, sys
from ddvideo.errors import OutputError
from ddvideo.media import open_sink, open_source, probe
info = probe({str(path)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    with open_source({str(path)!r}) as source, open_sink({str(tmp_path / "o" / "out.mp4")!r}, like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb)
except OutputError as error:
    sys.exit(str(error))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60, check=False
    )
    assert done.stderr.strip().splitlines() == [
        f"{tmp_path / 'o' / 'out.mp4'}: cannot be written: the file would become larger than the system allows"
    ]
    assert list((tmp_path / "o").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:2]))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        open_sink(tmp_path / "file" / "out.mp4", like=info)


def test_an_error_while_writing_keeps_the_older_result(make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:2]))
    out = tmp_path / "out.mp4"
    out.write_text("an older result")
    with pytest.raises(ShapeError):
        write_layer(out, [clip[0], clip[0][1:]], like=info)
    assert out.read_text() == "an older result"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_natural_is_natural():
    """The synthetic clips have the spectrum of photographs: power falls about as 1 / f ** 2."""
    plane = natural(1, 256, 256)[0].astype(float).mean(-1)
    power = np.abs(np.fft.rfft2(plane - plane.mean())) ** 2
    fy, fx = np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None]
    radius = np.hypot(fy, fx)
    bands = [(0.02, 0.04), (0.2, 0.3)]
    low, high = (power[(radius >= a) & (radius < b)].mean() for a, b in bands)
    slope = np.log(low / high) / np.log(0.25 / 0.03)
    assert 1.5 < slope < 3.2
