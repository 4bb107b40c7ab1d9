"""Any container, codec, size, clock and damage: count, order and times hold, and no error but our own."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import accumulate, pairwise

import av
import numpy as np
import pytest
from field_coded import field_coded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_clips import natural, write_clip

from ddvideo.errors import InputError
from ddvideo.media import index, open_sink, open_source, probe
from ddvideo.media import video_source as module

X264 = {"preset": "ultrafast", "crf": "12", "g": "6"}
CODECS = {
    "libx264": (("mp4", "mov", "mkv", "nut", "flv"), ("yuv420p", "yuv422p", "yuv444p"), X264),
    "libx265": (("mp4", "mov", "mkv"), ("yuv420p", "yuv420p10le"), {"preset": "ultrafast"}),
    "mpeg4": (("mp4", "mkv", "mov"), ("yuv420p",), {"qmin": "2", "qmax": "2", "g": "6"}),
    "ffv1": (("mkv", "nut"), ("yuv420p", "yuv422p", "yuv444p10le"), {"g": "4"}),
    "mjpeg": (("mov", "mkv"), ("yuvj420p", "yuvj444p"), {"qmin": "2", "qmax": "2"}),
    "prores_ks": (("mov", "mkv"), ("yuv422p10le", "yuv444p10le"), {}),
    "libvpx-vp9": (
        ("webm", "mkv", "mp4"),
        ("yuv420p", "yuv444p"),
        {"deadline": "realtime", "cpu-used": "8", "b": "4M"},
    ),
}
SIZES = [(96, 80), (64, 48), (90, 70), (34, 26)]
X265_SIZES = SIZES[:3]  # x265 writes past its memory in smaller frames
CLOCKS = [Fraction(1, 25), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 600)]
FRAMES = natural(12, 96, 80, seed=9)


@st.composite
def clips(draw):
    codec = draw(st.sampled_from(sorted(CODECS)))
    containers, formats, options = CODECS[codec]
    clock = draw(st.sampled_from(CLOCKS))
    step = max(1, round(Fraction(1, draw(st.sampled_from([10, 24, 25, 30, 60]))) / clock))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=0, max_size=11))
    b_frames = draw(st.sampled_from([0, 2, 3]))
    if codec in ("libx264", "mpeg4"):
        options = options | {"bf": str(b_frames)}
    if codec == "libx265":
        options = options | {"x265-params": f"log-level=none:keyint=6:bframes={b_frames}"}
    return {
        "container": draw(st.sampled_from(containers)),
        "size": draw(st.sampled_from(X265_SIZES if codec == "libx265" else SIZES)),
        "pts": list(accumulate([0, *(step * n for n in steps)])),
        "how": {"codec": codec, "pix_fmt": draw(st.sampled_from(formats)), "options": options, "time_base": clock},
        "is_long": draw(st.booleans()),
    }


def read(path):
    with open_source(path) as source:
        return source.info, list(source.frames())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(clip=clips())
def test_what_goes_in_comes_out(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    (width, height), pts, how = clip["size"], clip["pts"], clip["how"]
    frames = [image[:height, :width] for image in FRAMES[: len(pts)]]
    path = write_clip(folder / f"in.{clip['container']}", frames, pts=pts, tagged=how["codec"] != "mjpeg", **how)
    with pytest.MonkeyPatch.context() as patch:
        if clip["is_long"]:
            patch.setattr(index, "_SHORT_PIXELS", 0)
        module._inspect.cache_clear()
        info, found = read(path)
    assert info.warnings == ()
    assert [frame.index for frame in found] == list(range(len(pts)))
    for number, frame in enumerate(found):
        assert abs(float(frame.pts_seconds - found[0].pts_seconds) - float(pts[number] * how["time_base"])) < 1.1e-3
        picture = frame.rgb if frame.rgb.dtype == np.uint8 else frame.rgb >> 8
        assert int(np.argmin([np.abs(picture.astype(int) - one).mean() for one in frames])) == number
    with open_sink(folder / "out.mp4", like=info) as sink:
        for frame in found:
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    again, written = read(folder / "out.mp4")
    assert again.warnings == ()
    assert [frame.pts_seconds for frame in written] == [frame.pts_seconds for frame in found]
    assert [frame.duration_seconds for frame in written] == [frame.duration_seconds for frame in found]
    for one, two in zip(found, written, strict=True):
        top = np.iinfo(one.rgb.dtype).max
        assert np.square(one.rgb / top - two.rgb / top).mean() < 10**-3.8


DAMAGED = ["a.mp4", "a.mkv", "a.ts", "a.mpg", "a.avi", "a.flv", "a.webm", "a.mov", "a.h264", "joined.ts", "fields.ts"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file of every kind that damage is done to."""
    folder = tmp_path_factory.mktemp("whole")
    per_frame = {"time_base": Fraction(1, 25), "step": 1}
    mpeg = {"options": {"bf": "2", "g": "6"}, **per_frame}
    kinds = {
        "a.mp4": {"options": X264 | {"bf": "2"}, "audio": "aac"},
        "a.mkv": {"options": X264 | {"bf": "2"}},
        "a.ts": {"options": X264, "time_base": Fraction(1, 90000), "step": 3600, "container": "mpegts", "audio": "aac"},
        "a.mpg": {"codec": "mpeg2video", "container": "mpeg", **mpeg},
        "a.avi": {"codec": "mpeg4", **mpeg},
        "a.flv": {"codec": "flv", "options": {"g": "6"}, "time_base": Fraction(1, 1000), "step": 40},
        "a.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
        "a.mov": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=6"}},
        "a.h264": {"options": X264, "container": "h264"},
    }
    data = {name: write_clip(folder / name, FRAMES, **how).read_bytes() for name, how in kinds.items()}
    data["joined.ts"] = data["a.ts"] * 2
    data["fields.ts"] = _field_coded(folder)
    return data


def _field_coded(folder):
    planes = []
    for image in natural(12, 64, 64, seed=1):
        stored = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p").to_ndarray()
        planes.append((stored[:64], stored[64:80].reshape(32, 32), stored[80:].reshape(32, 32)))
    (folder / "raw.h264").write_bytes(b"".join(a + b for _, a, b in field_coded(planes)))
    with av.open(folder / "raw.h264") as source, av.open(folder / "fields.ts", "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        for place, (number, first, second) in enumerate(field_coded(planes)):
            packet = av.Packet(first + second)
            packet.stream, packet.time_base = stream, Fraction(1, 90000)
            packet.pts, packet.dts = (number + 2) * 3600, place * 3600
            file.mux(packet)
    return (folder / "fields.ts").read_bytes()


def damage(data, rng):
    """One of the ways in which files break."""
    at, length = rng.randrange(len(data)), rng.randrange(1, 1500)
    data = bytearray(data)
    match rng.choice(["bit", "bytes", "header", "end", "hole", "gap"]):
        case "bit":
            data[at] ^= 1 << rng.randrange(8)
        case "bytes":
            for _ in range(30):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case "header":
            for _ in range(3):
                data[rng.randrange(min(len(data), 1200))] = rng.randrange(256)
        case "end":
            del data[at:]
        case "hole":
            data[at : at + length] = bytes(len(data[at : at + length]))
        case "gap":
            del data[at : at + length]
    return bytes(data)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_are_read_as_far_as_they_go_or_refused_in_one_line(name, whole, tmp_path):
    rng = random.Random(name)
    path = tmp_path / name
    refused = []
    for _ in range(14):
        path.unlink(missing_ok=True)
        path.write_bytes(damage(whole[name], rng))
        module._inspect.cache_clear()
        try:
            info, found = read(path)
            again, _ = read(path)
        except InputError as error:
            refused.append(str(error))
            continue
        assert info == again
        assert info.frames == len(found) > 0
        assert [frame.index for frame in found] == list(range(info.frames))
        assert all(a.pts_seconds < b.pts_seconds for a, b in pairwise(found))
        assert all(frame.duration_seconds > 0 for frame in found)
        assert info.fps > 0
        assert {frame.rgb.shape for frame in found} == {(info.height, info.width, 3)}
        with open_sink(tmp_path / "out.mp4", like=info) as sink:
            for frame in found:
                sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
        assert probe(tmp_path / "out.mp4").frames == info.frames
    assert len(refused) < 14
    assert all(len(text.splitlines()) == 1 and name in text for text in refused)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi", "a.flv"])
def test_of_a_damaged_file_every_reading_gives_the_same(name, whole, tmp_path):
    """Pixels that a decoder makes up for those that are lost are the same ones each time, in any range."""
    data = bytearray(whole[name])
    with av.open(_written(tmp_path / name, data)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    at, size = packets[4]
    data[at + size // 3 : at + size // 3 + 40] = bytes(40)
    path = _written(tmp_path / f"damaged_{name}", data)
    _, whole_reading = read(path)
    for _ in range(2):
        with open_source(path) as source:
            for start in range(0, 10, 2):
                for frame, same in zip(source.frames(start, start + 3), whole_reading[start:], strict=False):
                    assert np.array_equal(frame.rgb, same.rgb)


def _written(path, data):
    path.write_bytes(data)
    return path
