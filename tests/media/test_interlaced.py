"""Interlaced footage: deinterlaced unless told otherwise, and kept line by line where told so."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from field_coded import field_coded
from media_clips import natural, write_clip

from ddvideo.media import index, open_sink, open_source, probe
from ddvideo.media import video_source as module
from ddvideo.media.colour import Colour, RgbWriter
from ddvideo.media.filters import FilterChain

COUNT = 8
TOLD = "the input is interlaced: its frames are"
DV = (720, 576)
KINDS = {
    "tff.mp4": ("libx264", "tff", {"preset": "veryfast", "qp": "6", "bf": "2", "g": "4", "x264-params": "tff=1"}),
    "bff.mp4": ("libx264", "bff", {"preset": "veryfast", "qp": "6", "bf": "2", "g": "4", "x264-params": "bff=1"}),
    "tff.mkv": ("libx264", "tff", {"preset": "veryfast", "qp": "6", "bf": "0", "g": "4", "x264-params": "tff=1"}),
    "bff.ts": ("libx264", "bff", {"preset": "veryfast", "qp": "6", "bf": "2", "g": "4", "x264-params": "bff=1"}),
    "tff.mpg": ("mpeg2video", "tff", {"qmin": "1", "qmax": "1", "bf": "2", "g": "4", "flags": "+ildct+ilme"}),
    "bff.mov": ("mpeg2video", "bff", {"qmin": "1", "qmax": "1", "bf": "2", "g": "4", "flags": "+ildct+ilme"}),
    "prores.mov": ("prores_ks", "tff", {"flags": "+ildct+ilme", "profile": "3"}),
}


def psnr(one, two):
    top = np.iinfo(one.dtype).max
    return -10 * np.log10(np.square(one / top - two / np.iinfo(two.dtype).max).mean() + 1e-12)


def combing(picture):
    """How much lines differ from both lines beside them, against lines two apart."""
    grey = picture.astype(float).mean(-1)
    return (
        np.abs(2 * grey[2:-2] - grey[1:-3] - grey[3:-1]).mean() / np.abs(2 * grey[2:-2] - grey[:-4] - grey[4:]).mean()
    )


def weave(moments, order):
    """Frames whose fields are two moments each; the one that is shown first is the earlier."""
    frames = []
    for early, late in zip(moments[::2], moments[1::2], strict=True):
        frame = late.copy()
        first = 0 if order == "tff" else 1
        frame[first::2] = early[first::2]
        frames.append(frame)
    return frames


def write_interlaced(path, frames, codec, order, options, pix_fmt="yuv420p"):
    """Encode frames whose chroma belongs to fields."""
    height, width = frames[0].shape[:2]
    to_yuv = RgbWriter(Colour(space=5, full_range=False, by_field=True), pix_fmt)
    marked = FilterChain([("setfield", order)])
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_context.colorspace, stream.codec_context.color_range = 5, 1
        for number, image in enumerate(frames):
            picture = marked.push(to_yuv(image))[0]
            picture.pts, picture.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def moments():
    """Two moments a frame, of a clip that moves by several pixels from one to the next."""
    return natural(2 * COUNT, 192, 128, seed=3)


@pytest.fixture(scope="module", params=KINDS)
def clip(request, moments, tmp_path_factory):
    codec, order, options = KINDS[request.param]
    woven = weave(moments, order)
    path = tmp_path_factory.mktemp("interlaced") / request.param
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    return write_interlaced(path, woven, codec, order, options, pix_fmt), order, woven


def read(path, interlaced, start=0, stop=None):
    with open_source(path, interlaced=interlaced) as source:
        return list(source.frames(start, stop))


def test_frames_are_deinterlaced_unless_told_otherwise(clip, moments):
    path, order, woven = clip
    info, found = probe(path), read(path, "deinterlace")
    assert info.field_order == order
    assert info.is_deinterlaced
    assert not info.is_interlaced
    assert [w for w in info.warnings if w.startswith(TOLD)] == [f"{TOLD} deinterlaced (--interlaced keep leaves them)"]
    assert info.frames == len(found) == COUNT
    assert [float(f.pts_seconds - found[0].pts_seconds) for f in found] == pytest.approx([n / 25 for n in range(COUNT)])
    own, other = (slice(0, None, 2), slice(1, None, 2)) if order == "tff" else (slice(1, None, 2), slice(0, None, 2))
    for number, frame in enumerate(found):
        truth = moments[2 * number]
        assert combing(woven[number]) > 1.3 * combing(truth)
        assert combing(frame.rgb) < 1.1 * combing(truth)
        assert psnr(frame.rgb[own], truth[own]) > 36, "the lines of the first field are kept"
        assert psnr(frame.rgb[other], truth[other]) > 26, "the others are of the same moment"
        assert psnr(frame.rgb, truth) > psnr(woven[number], truth) + 3


def test_any_range_is_that_of_a_whole_reading(clip):
    path, _, _ = clip
    for how in ("deinterlace", "keep"):
        whole = read(path, how)
        for start, stop in [(0, 1), (1, 3), (3, 4), (3, 6), (4, 8), (7, 8)]:
            for frame, same in zip(read(path, how, start, stop), whole[start:stop], strict=True):
                assert np.array_equal(frame.rgb, same.rgb), f"{how} {start}:{stop}"
                assert frame.pts_seconds == same.pts_seconds


def test_kept_frames_keep_their_lines(clip, tmp_path):
    path, order, woven = clip
    info = probe(path, interlaced="keep")
    assert (info.field_order, info.is_deinterlaced, info.is_interlaced) == (order, False, True)
    assert info.warnings[-1] == f"{TOLD} left as they are"
    found = read(path, "keep")
    for frame, image in zip(found, woven, strict=True):
        assert psnr(frame.rgb, image) > 36
    with open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in found:
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    assert probe(tmp_path / "out.mp4").field_order == order
    for frame, one in zip(read(tmp_path / "out.mp4", "keep"), found, strict=True):
        assert psnr(frame.rgb, one.rgb) > 40
        assert frame.pts_seconds == one.pts_seconds


def test_alpha_layers_of_kept_frames_are_tagged_too(moments, tmp_path):
    path = write_interlaced(tmp_path / "in.mp4", weave(moments, "bff"), *KINDS["bff.mp4"])
    info = probe(path, interlaced="keep")
    with open_sink(tmp_path / "alpha.mp4", like=info, kind="alpha") as sink:
        for frame in read(path, "keep"):
            sink.write(frame.rgb[..., 1])
    assert probe(tmp_path / "alpha.mp4").field_order == "bff"


@pytest.mark.parametrize("order", ["bff"])
def test_dv_is_interlaced(order, tmp_path):
    moments = natural(6, *DV)
    path = write_interlaced(tmp_path / "in.avi", weave(moments, order), "dvvideo", order, {})
    info, found = probe(path), read(path, "deinterlace")
    assert (info.field_order, info.is_deinterlaced, info.frames) == (order, True, 3)
    for frame, truth in zip(found, moments[::2], strict=True):
        assert combing(frame.rgb) < 1.15 * combing(truth)


def test_layers_of_deinterlaced_input_are_progressive(clip, tmp_path):
    path, _, _ = clip
    info = probe(path)
    with open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in read(path, "deinterlace"):
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    again = probe(tmp_path / "out.mp4")
    assert (again.field_order, again.warnings) == ("progressive", ())


@pytest.mark.parametrize("name", ["a.mp4", "a.mpg", "a.mov"])
def test_progressive_frames_are_left_alone(name, moments, tmp_path):
    how = {
        "a.mp4": {},
        "a.mpg": {"codec": "mpeg2video", "options": {"q": "2"}, "time_base": Fraction(1, 25), "step": 1},
        "a.mov": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"q": "2"}, "tagged": False},
    }[name]
    path = write_clip(tmp_path / name, moments[:6], **how)
    for how in ("deinterlace", "keep"):
        info = probe(path, interlaced=how)
        assert (info.field_order, info.is_deinterlaced, info.is_interlaced) == ("progressive", False, False)
        assert not [w for w in info.warnings if "interlaced" in w]
    for one, two in zip(read(path, "deinterlace"), read(path, "keep"), strict=True):
        assert np.array_equal(one.rgb, two.rgb)


def test_one_interlaced_frame_is_enough(moments, tmp_path):
    path = write_interlaced(tmp_path / "in.mp4", weave(moments[:2], "tff"), *KINDS["tff.mp4"])
    (frame,) = read(path, "deinterlace")
    assert combing(frame.rgb) < 1.15 * combing(moments[0])


@pytest.fixture(params=["short", "long"])
def length(request, monkeypatch):
    if request.param == "long":
        monkeypatch.setattr(index, "_SHORT_PIXELS", 0)
    module._inspect.cache_clear()


@pytest.fixture(scope="module")
def planes():
    """Luma and chroma of 26 frames of 64x64, each unlike the others."""
    found = []
    for image in natural(26, 64, 64, seed=5):
        stored = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p").to_ndarray()
        found.append((stored[:64], stored[64:80].reshape(32, 32), stored[80:].reshape(32, 32)))
    return found


def write_fields(path, planes, how, order):
    """PAFF as containers hold it: ``how`` is ``frame`` (both fields in one packet) or ``both`` (each with its time)."""
    coded = field_coded(planes, top_first=order == "tff")
    raw = path.with_suffix(".h264")
    raw.write_bytes(b"".join(first + second for _, first, second in coded))
    if path.suffix == ".h264":
        return path
    with av.open(raw) as source, av.open(path, "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        for place, (number, first, second) in enumerate(coded):
            pts, dts = (number + 2) * 3600 + 9000, place * 3600 + 9000
            parts = (
                [(first + second, pts, dts)]
                if how == "frame"
                else [(first, pts, dts), (second, pts + 1800, dts + 1800)]
            )
            for data, shown, decoded in parts:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 90000)
                packet.pts, packet.dts = shown, decoded
                packet.is_keyframe = b"\0\0\1\x65" in data
                file.mux(packet)
    return path


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.ts", "both"),
        ("a.ts", "frame"),
        ("a.mkv", "both"),
        ("a.mkv", "frame"),
        ("a.mp4", "frame"),
        ("a.h264", "frame"),
    ],
)
@pytest.mark.usefixtures("length")
def test_a_picture_a_field(name, how, order, planes, tmp_path):
    """H.264 whose fields are pictures of their own (AVCHD): two packets make one frame."""
    path = write_fields(tmp_path / name, planes, how, order)
    info = probe(path, interlaced="keep")
    assert (info.frames, info.fps, info.field_order) == (26, 25, order)
    assert not [w for w in info.warnings if "decoded" in w or "damaged" in w or "cut off" in w]
    with open_source(path, interlaced="keep") as source:
        for number, decoded in source._walk(range(26)):
            assert np.array_equal(decoded.to_ndarray()[:64], planes[number][0]), f"frame {number} is exact"
        whole = list(source.frames())
        assert np.allclose(np.diff([float(f.pts_seconds) for f in whole]), 0.04, atol=1e-3)
        for start in range(0, 24, 3):
            for frame, same in zip(source.frames(start, start + 3), whole[start:], strict=False):
                assert np.array_equal(frame.rgb, same.rgb)
                assert frame.pts_seconds == same.pts_seconds


@pytest.mark.usefixtures("length")
def test_joined_and_cut_recordings_of_fields(planes, tmp_path):
    data = write_fields(tmp_path / "a.ts", planes, "both", "tff").read_bytes()
    (tmp_path / "joined.ts").write_bytes(data * 2)
    info = probe(tmp_path / "joined.ts", interlaced="keep")
    assert (info.frames, info.fps) == (52, 25)
    assert "clock starts anew at frame 26 of 52" in info.warnings[0]
    with open_source(tmp_path / "joined.ts", interlaced="keep") as source:
        for number, decoded in source._walk(range(20, 40)):
            assert np.array_equal(decoded.to_ndarray()[:64], planes[number % 26][0])
    (tmp_path / "cut.ts").write_bytes(data[188 * 120 :])  # in the middle of the first group, maybe of a frame
    with open_source(tmp_path / "cut.ts", interlaced="keep") as source:
        for _, decoded in source._walk(range(4, source.info.frames)):
            luma = decoded.to_ndarray()[:64]
            assert any(np.array_equal(luma, one[0]) for one in planes)
