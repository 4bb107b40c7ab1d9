"""Footage of any kind goes through: every frame, its time, its chroma, and the sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_clips import natural, write_clip
from test_siting import planes, shift_px

from ddvideo.media import open_sink, open_source, probe

X264 = {"preset": "ultrafast", "qp": "2"}
CODECS = {
    ("libx264", "yuv420p"): X264,
    ("libx264", "yuv422p"): X264,
    ("libx264", "yuv444p"): X264,
    ("libx264", "yuv420p10le"): X264,
    ("mpeg2video", "yuv420p"): {"q": "1", "qmin": "1", "bf": "2"},
    ("mpeg4", "yuv420p"): {"q": "1", "qmin": "1", "bf": "2"},
    ("mjpeg", "yuvj420p"): {"q": "1", "qmin": "1"},
    ("mjpeg", "yuvj422p"): {"q": "1", "qmin": "1"},
    ("ffv1", "yuv420p"): {},
}
CONTAINERS = {
    "mp4": ({"libx264", "mpeg2video", "mpeg4", "mjpeg"}, [None, "aac", "mp3", "ac3", "alac"]),
    "mov": ({"libx264", "mpeg2video", "mpeg4", "mjpeg"}, [None, "aac", "pcm_s16le", "pcm_s24le", "pcm_mulaw"]),
    "mkv": ({"libx264", "mpeg2video", "mpeg4", "mjpeg", "ffv1"}, [None, "aac", "flac", "pcm_u8", "pcm_s24le", "mp2"]),
    "avi": ({"libx264", "mpeg4", "mjpeg", "ffv1"}, [None, "pcm_s16le", "ac3", "adpcm_ms"]),
    "ts": ({"libx264", "mpeg2video"}, [None, "aac", "mp2", "ac3"]),
}
BASES = [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 600), Fraction(1, 90000), Fraction(1, 1000)]
"""MP4, MOV and MKV keep uneven times in these; MKV rounds them to milliseconds, AVI and TS keep an even rate."""


@st.composite
def footage(draw):
    container = draw(st.sampled_from(sorted(CONTAINERS)))
    codecs, sounds = CONTAINERS[container]
    codec, pix_fmt = draw(st.sampled_from([kind for kind in CODECS if kind[0] in codecs]))
    even = pix_fmt != "yuv444p"
    width, height = (draw(st.integers(48, 65)) * 2 - (0 if even else draw(st.integers(0, 1))) for _ in range(2))
    is_uneven = container in ("mp4", "mov", "mkv") and codec in ("libx264", "mjpeg", "ffv1")
    base = draw(st.sampled_from(BASES)) if is_uneven else Fraction(1, 25)
    tick = max(1, round(Fraction(1, 50) / base))
    steps = draw(st.lists(st.integers(1, 4), min_size=7, max_size=7)) if is_uneven else [1] * 7
    return {
        "container": container,
        "codec": codec,
        "pix_fmt": pix_fmt,
        "size": (width, height),
        "time_base": base,
        "pts": list(accumulate([0, *(step * tick for step in steps)])),
        "audio": draw(st.sampled_from(sounds)),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("footage")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(footage())
def test_what_goes_in_comes_out(folder, kind):
    frames = natural(8, *kind["size"], seed=2)
    path = write_clip(
        folder / f"in.{kind['container']}",
        frames,
        codec=kind["codec"],
        pix_fmt=kind["pix_fmt"],
        pts=kind["pts"],
        time_base=kind["time_base"],
        step=max(1, round(Fraction(1, 25) / kind["time_base"])),
        options=CODECS[kind["codec"], kind["pix_fmt"]],
        audio=kind["audio"],
        tagged=not kind["pix_fmt"].startswith("yuvj"),
    )
    info = probe(path)
    with open_source(path) as source, open_sink(folder / "out.mp4", like=info, source=path, audio=True) as sink:
        read = list(source.frames())
        for frame in read:
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    result = probe(folder / "out.mp4")
    with open_source(folder / "out.mp4") as source:
        times = [frame.pts_seconds for frame in source.frames()]
    assert info.frames == result.frames == 8
    assert times == [frame.pts_seconds for frame in read]
    told = [tick * kind["time_base"] for tick in kind["pts"]]
    rounding = Fraction(1, 1000) if kind["container"] == "mkv" else Fraction(1, 90000)
    assert max(abs(time - times[0] - at) for time, at in zip(times, told, strict=True)) <= rounding
    assert [warning for warning in info.warnings if "times" in warning] == []
    assert bool(result.audio) == bool(kind["audio"]), "sound is there when it was"
    assert_chroma_stays(path, folder / "out.mp4", result.chroma_location)


def assert_chroma_stays(path, out, location):
    """Compare planes of the same layout; 4:2:2 is moved to where H.264 can say that it lies.

    Only the first frame is looked at: in later ones, faint chroma that moves lags behind a little, as coders save it.
    """
    with av.open(path) as one, av.open(out) as two:
        formats = [file.streams.video[0].codec_context.pix_fmt.replace("j", "") for file in (one, two)]
    if formats[0] != formats[1] or (formats[0].startswith("yuv422") and probe(path).chroma_location != location):
        return
    before, after = planes(path), planes(out)
    for number in range(3):
        height, width = before[number].shape[1:]
        shift = shift_px(before[number][:1], after[number][:1, :height, :width])
        assert np.abs(shift).max() < 0.03, "pixels of the plane"
