"""Chroma comes out where it lay: planes of what is written against planes of what was read."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from media_clips import natural, write_clip

from ddvideo.media import open_sink, open_source, probe

LIGHT = {"preset": "veryfast", "qp": "4", "bf": "2"}
KINDS = {
    "left.mp4": ("left", {"options": LIGHT | {"chroma_sample_location": "left"}}),
    "center.mp4": ("center", {"options": LIGHT | {"chroma_sample_location": "center"}}),
    "topleft.mkv": ("topleft", {"options": LIGHT | {"chroma_sample_location": "topleft"}}),
    "bottom.mp4": ("bottom", {"options": LIGHT | {"chroma_sample_location": "bottom"}}),
    "untold.mp4": ("left", {"options": LIGHT}),
    "ten.mp4": ("topleft", {"pix_fmt": "yuv420p10le", "options": LIGHT | {"chroma_sample_location": "topleft"}}),
    "wide.mp4": ("left", {"pix_fmt": "yuv422p", "options": LIGHT}),
    "wide_ten.mp4": ("left", {"pix_fmt": "yuv422p10le", "options": LIGHT}),
    "jpeg.mov": ("center", {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"q": "2"}, "tagged": False}),
    "mpeg1.mpg": (
        "center",
        {"codec": "mpeg1video", "options": {"q": "2"}, "time_base": Fraction(1, 25), "step": 1, "container": "mpeg"},
    ),
    "vp9.webm": ("left", {"codec": "libvpx-vp9", "options": {"crf": "4", "cpu-used": "8", "deadline": "realtime"}}),
}


@pytest.fixture(scope="module")
def smooth():
    """Clips whose chroma is soft enough to survive the way through full resolution; so a shift is what differs."""
    return natural(3, 160, 96, seed=4)


def planes(path):
    """Luma and both chroma planes of every frame, as ``(T, H, W)`` each, 8-bit levels of limited range."""
    frames = []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            deep = frame.format.components[0].bits > 8
            kind, unit = (np.uint16, 4.0) if deep else (np.uint8, 1.0)
            rows = []
            for number, plane in enumerate(frame.planes):
                stored = np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width] / unit
                if frame.format.name.startswith("yuvj"):
                    stored = (stored - 128) * 224 / 255 + 128 if number else stored * 219 / 255 + 16
                rows.append(stored)
            frames.append(rows)
    return [np.array([rows[number] for rows in frames]) for number in range(3)]


def shift_px(before, after):
    """How far a plane moved, right and down, by least squares on its gradient (Lucas and Kanade 1981)."""
    inside = (slice(None), slice(4, -4), slice(4, -4))
    down, right = (np.gradient(before, axis=axis)[inside].ravel() for axis in (1, 2))
    moved = (before - after)[inside].ravel()
    return np.linalg.lstsq(np.stack([right, down], 1), moved, rcond=None)[0]


def again(path, out):
    info = probe(path)
    with open_source(path) as source, open_sink(out, like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    return info


@pytest.mark.parametrize("name", KINDS)
def test_chroma_stays_in_its_place(name, smooth, tmp_path):
    location, how = KINDS[name]
    path = write_clip(tmp_path / name, smooth, **how)
    assert probe(path).chroma_location == location
    out = path
    for number in (1, 2):  # shifts of two passes would add up
        before, out = out, tmp_path / f"out{number}.mp4"
        again(before, out)
        assert probe(out).chroma_location == location
        for one, two in zip(planes(path), planes(out), strict=True):
            assert np.abs(shift_px(one, two)).max() < 0.03, f"pass {number}"


@pytest.mark.parametrize("name", ["center.mp4", "topleft.mkv", "bottom.mp4"])
def test_the_measure_sees_a_wrong_place(name, smooth, tmp_path):
    """A layer read as if its chroma lay at the left is off by a quarter of a chroma pixel or more."""
    location, how = KINDS[name]
    path = write_clip(tmp_path / name, smooth, **how)
    other = write_clip(tmp_path / f"other_{name}", smooth, **how | {"options": LIGHT})
    info = probe(other)
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    shifts = [np.abs(shift_px(a, b)).max() for a, b in zip(planes(path), planes(tmp_path / "out.mp4"), strict=True)]
    assert shifts[0] < 0.03
    assert min(shifts[1:]) > 0.15, location


def test_wide_chroma_in_the_middle_is_moved_to_where_h264_has_it(smooth, tmp_path):
    """MJPEG has 4:2:2 chroma between two pixels; H.264 cannot say so."""
    how = {"codec": "mjpeg", "pix_fmt": "yuvj422p", "options": {"q": "2"}, "tagged": False}
    path = write_clip(tmp_path / "in.avi", smooth, **how)
    assert probe(path).chroma_location == "center"
    again(path, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").chroma_location == "left"
    with open_source(path) as one, open_source(tmp_path / "out.mp4") as two:
        before, after = (np.array([f.rgb.astype(float) for f in s.frames()]) for s in (one, two))
    for channel in (0, 2):
        shift = shift_px(before[..., channel] - before[..., 1], after[..., channel] - after[..., 1])
        assert np.abs(shift).max() < 0.04, "full-resolution pixels"


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuv444p10le", "gbrp"])
def test_full_chroma_has_no_place(pix_fmt, smooth, tmp_path):
    if pix_fmt == "gbrp":
        path = write_clip(
            tmp_path / "in.avi", smooth, codec="utvideo", pix_fmt="gbrp", options={"pred": "median"}, tagged=False
        )
    else:
        path = write_clip(tmp_path / "in.mkv", smooth, pix_fmt=pix_fmt, options=LIGHT)
    assert probe(path).chroma_location == "unspecified"
    again(path, tmp_path / "out.mp4")
    with open_source(path) as one, open_source(tmp_path / "out.mp4") as two:
        for a, b in zip(one.frames(), two.frames(), strict=True):
            top = np.iinfo(a.rgb.dtype).max
            assert np.square(a.rgb / top - b.rgb / top).mean() < 10**-4.3
