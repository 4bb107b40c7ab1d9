"""Any range of frames is what a decode from the start gives, in every kind of file."""

from __future__ import annotations

import gc
import hashlib
import os
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest

from ddvideo.errors import UsageError
from ddvideo.media import open_source, probe
from ddvideo.media import video_source as module
from ddvideo.types import InputInfo

VFR = list(accumulate([0, *[24, 12, 60, 24, 36, 12, 12, 90, 24] * 6]))[:48]
X264 = {"preset": "veryfast", "crf": "18", "g": "12", "bf": "3"}
OPEN_GOP = {**X264, "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}
FAST_VPX = {"deadline": "realtime", "auto-alt-ref": "1", "lag-in-frames": "16", "g": "20", "b": "500k", "cpu-used": "4"}
PER_FRAME = {"time_base": Fraction(1, 25), "step": 1}
KINDS = {
    "b_frames.mp4": {"options": X264},
    "vfr.mp4": {"pts": VFR, "options": X264},
    "vfr.mkv": {"pts": VFR, "options": X264},
    "late_start.mp4": {
        "pts": [t + 77 for t in VFR],
        "options": X264,
        "container_options": {"movie_timescale": "600"},
    },
    "open_gop.mp4": {"options": OPEN_GOP},
    "open_gop.mkv": {"options": OPEN_GOP},
    "pyramid.ts": {"options": OPEN_GOP, "time_base": Fraction(1, 90000), "step": 3600},
    "intra_refresh.mkv": {"options": {**X264, "x264-params": "intra-refresh=1:bframes=0"}},
    "hevc.mp4": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "keyint=12:bframes=3:log-level=none"},
    },
    "vp8_hidden.webm": {"codec": "libvpx", "options": FAST_VPX},
    "vp9.webm": {"codec": "libvpx-vp9", "options": FAST_VPX},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "12"}, **PER_FRAME},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2", "g": "12"}, "container": "mpeg", **PER_FRAME},
    "raw.h264": {"options": X264, "container": "h264"},
    "intra.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"q": "2"}, "tagged": False},
}


def digests(path, start=0, stop=None):
    with open_source(path) as source:
        return [
            (frame.index, frame.pts_seconds, frame.duration_seconds, hashlib.sha256(frame.rgb.tobytes()).hexdigest())
            for frame in source.frames(start, stop)
        ]


@pytest.mark.parametrize("name", KINDS)
def test_every_range_equals_a_sequential_decode(name, make, clip):
    path = make(name, clip, **KINDS[name])
    whole = digests(path)
    assert [item[0] for item in whole] == list(range(48))
    assert len({item[3] for item in whole}) == 48, "every frame differs from every other"
    times = [item[1] for item in whole]
    assert all(b > a for a, b in pairwise(times))
    assert all(a[1] + a[2] == b[1] for a, b in pairwise(whole))
    for start, stop in [(0, 1), (5, 9), (11, 14), (12, 13), (13, 37), (23, 26), (24, 25), (35, 36), (47, 48), (20, 20)]:
        assert digests(path, start, stop) == whole[start:stop], f"frames {start}:{stop}"


@pytest.mark.parametrize("name", ["b_frames.mp4", "vfr.mp4", "late_start.mp4", "hevc.mp4"])
def test_times_are_those_that_were_written(name, make, clip):
    how = KINDS[name]
    path = make(name, clip, **how)
    pts = how.get("pts", [24 * i for i in range(48)])
    assert [item[1] for item in digests(path)] == [Fraction(t, 600) for t in pts]


def test_frames_show_what_was_written(make, clip):
    path = make("vfr.mp4", clip, **KINDS["vfr.mp4"])
    with open_source(path) as source:
        for frame in source.frames():
            errors = [np.abs(frame.rgb.astype(int) - other).mean() for other in clip]
            assert int(np.argmin(errors)) == frame.index


@pytest.mark.parametrize("name", ["b_frames.mp4", "vfr.mkv"])
def test_a_late_range_is_reached_by_seeking(name, make, clip, monkeypatch):
    path = make(name, clip, **KINDS[name])
    probe(path)  # which decodes a short file to index it
    decoded = []
    original = module.Decoding.frames
    monkeypatch.setattr(module.Decoding, "frames", lambda self: (decoded.append(1) or item for item in original(self)))
    digests(path, 40, 42)
    assert len(decoded) <= 18, "one group of pictures, not the whole file"


def test_info_tells_timing(make, clip):
    even = probe(make("b_frames.mp4", clip, **KINDS["b_frames.mp4"]))
    assert (even.frames, even.fps, even.is_vfr, even.duration_seconds) == (48, 25, False, 48 / 25)
    uneven = probe(make("vfr.mp4", clip, **KINDS["vfr.mp4"]))
    assert uneven.is_vfr
    assert isinstance(uneven, InputInfo)
    assert not probe(make("ms.mkv", clip, step=20)).is_vfr, "30 fps in milliseconds is even but for rounding"


def test_a_range_outside_is_refused(make, clip):
    with open_source(make("a.mp4", clip)) as source:
        for start, stop in [(-1, 3), (3, 2), (0, 49)]:
            with pytest.raises(UsageError, match="48 frames"):
                source.frames(start, stop)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts descriptors


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
def test_abandoned_iterators_leave_nothing_open(make, clip):
    path = make("a.mp4", clip)
    probe(path)
    gc.collect()
    before = open_files()
    for _ in range(5):
        frames = open_source(path).frames(3)
        next(frames)
    with open_source(path) as source:
        kept = source.frames()
        next(kept)
    assert open_files() == before + 1, "leaving the source closes kept; the one of the loop is still held"
    assert list(kept) == []
    del frames
    assert open_files() == before
    with pytest.raises(UsageError, match="closed"):
        source.frames()
