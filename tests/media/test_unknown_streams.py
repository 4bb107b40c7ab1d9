"""Streams in codecs that FFmpeg does not know: what can be read is read, and the rest is told."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from boxes import rename
from media_clips import natural, write_clip

from ddvideo.errors import InputError
from ddvideo.media import open_sink, open_source, probe, read_layer
from ddvideo.pipeline import decompose, decompose_all
from tests.run.run_fakes import SEGMENT, SETTINGS, fake_execute

H264 = {"preset": "veryfast", "crf": "16"}


@pytest.fixture(scope="module")
def frames():
    return natural(6, 96, 80, seed=8)


def of_unknown_kind(path, old, new=b"zzzz"):
    """The file with a stream of another code of four letters, and without the descriptor that tells it once more."""
    rename(path, old, new)
    return rename(path, b"esds", b"xxxx") if old in (b"mp4a", b"mp4v") else path


def one_line(error):
    text = str(error.value)
    assert len(text.splitlines()) == 1
    return text


def of_codec(path, old, new):
    """A Matroska file in which the name of a codec is changed for one of the same length."""
    data = path.read_bytes()
    assert data.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize("name", ["in.mp4", "in.mov"])
@pytest.mark.parametrize("code", [b"apac", b"zzzz", b"\0\1\2\3"])
def test_unknown_sound_is_left_out_and_told(name, code, frames, tmp_path):
    path = of_unknown_kind(write_clip(tmp_path / name, frames, audio="aac", options=H264), b"mp4a", code)
    info = probe(path)
    assert (info.frames, info.audio) == (6, ("unknown",))
    assert [w for w in info.warnings if "sound" in w and "left out" in w]
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=info, source=path, audio=True) as sink:
        for frame, truth in zip(source.frames(), frames, strict=True):
            assert np.abs(frame.rgb.astype(int) - truth).mean() < 6
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    assert probe(tmp_path / "out.mp4").frames == 6


def test_unknown_sound_of_matroska(frames, tmp_path):
    path = of_codec(write_clip(tmp_path / "in.mkv", frames, audio="aac", options=H264), b"A_AAC", b"A_XYZ")
    info = probe(path)
    assert info.frames == 6
    assert [w for w in info.warnings if "sound" in w]


@pytest.mark.parametrize("name", ["in.mp4", "in.mov"])
@pytest.mark.parametrize("code", [b"zzzz", b"dav9"])
def test_unknown_pictures_are_refused_in_one_line(name, code, frames, tmp_path):
    path = of_unknown_kind(write_clip(tmp_path / name, frames, options=H264), b"avc1", code)
    with pytest.raises(InputError, match="codec that FFmpeg does not know") as error:
        probe(path)
    assert name in one_line(error)


def test_unknown_pictures_of_matroska(frames, tmp_path):
    path = of_codec(write_clip(tmp_path / "in.mkv", frames, options=H264), b"V_MPEG4/ISO/AVC", b"V_MPEG9/ISO/XYZ")
    with pytest.raises(InputError) as error:
        probe(path)
    assert "in.mkv" in one_line(error)


def two_pictures(path, frames):
    """A clip with two video streams: the small one is the default, the large one H.264."""
    with av.open(path, "w") as file:
        streams = [file.add_stream(codec, rate=25) for codec in ("mpeg4", "libx264")]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 25)
        for number, image in enumerate(frames):
            for stream in streams:
                picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                file.mux(stream.encode(picture))
        for stream in streams:
            file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("old", "left"), [(b"mp4v", "h264"), (b"avc1", "mpeg4")])
def test_of_two_pictures_the_known_one_is_read(old, left, frames, tmp_path):
    path = of_unknown_kind(two_pictures(tmp_path / "in.mp4", frames), old)
    info = probe(path)
    assert (info.codec, info.frames) == (left, 6)
    assert [w for w in info.warnings if "video" in w and "left out" in w]
    with open_source(path) as source:
        assert len(list(source.frames(2, 5))) == 3


def test_titles_in_any_encoding_are_no_obstacle(frames, tmp_path):
    with av.open(tmp_path / "in.mp4", "w") as file:
        file.metadata["title"] = "Caf\u00e9 XYZ"
        stream = file.add_stream("libx264", rate=25, options=H264)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for image in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode(None))
    data = (tmp_path / "in.mp4").read_bytes()
    assert b"Caf\xc3\xa9" in data
    (tmp_path / "in.mp4").write_bytes(data.replace(b"Caf\xc3\xa9", b"Caf\xe9 "))
    assert probe(tmp_path / "in.mp4").frames == 6


def test_the_other_inputs_are_done(frames, tmp_path):
    """What cannot be read costs its own results only."""
    folder = tmp_path / "clips"
    folder.mkdir()
    unknown = of_unknown_kind(write_clip(folder / "a.mp4", frames, options=H264), b"avc1", b"zzzz")
    mute = of_unknown_kind(write_clip(folder / "b.mp4", frames, audio="aac", options=H264), b"mp4a", b"apac")
    good = write_clip(folder / "c.mp4", frames, options=H264)
    told = {"task": SEGMENT, "settings": SETTINGS, "execute": fake_execute}
    results = decompose([unknown, mute, good], out=tmp_path / "one", **told)
    assert [result.error is None for result in results] == [False, True, True]
    assert isinstance(results[0].error, InputError)
    items, _ = decompose_all(str(folder), out=tmp_path / "two", **told)
    assert {item.path.name: item.status for item in items} == {"a.mp4": "failed", "b.mp4": "done", "c.mp4": "done"}
    for name in ("one", "two"):
        assert len(list(read_layer(tmp_path / name / "b" / "foreground.mp4"))) == 6
        report = json.loads((tmp_path / name / "b" / "report.json").read_text(encoding="utf-8"))
        assert [w for w in report["warnings"] if "left out" in w]
