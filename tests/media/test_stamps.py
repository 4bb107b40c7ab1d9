"""Files whose times mislead: joined, repeated, missing, in decoding order, late. Frames and their order stay true."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

import av
import numpy as np
import pytest
from media_clips import natural, write_clip

from ddvideo.media import index, open_sink, open_source, probe
from ddvideo.media import video_source as module

FAST = {"preset": "veryfast", "crf": "16", "g": "8", "bf": "3", "x264-params": "b-adapt=0:scenecut=0"}
PER_FRAME = {"time_base": Fraction(1, 25), "step": 1}
TS = {"options": FAST, "time_base": Fraction(1, 90000), "step": 3600, "container": "mpegts"}
COUNT = 24
TICK = Fraction(1, 25)
VFR = list(accumulate([0, *[40, 20, 100, 40, 60, 20, 20, 150, 40] * 3]))[:COUNT]


@pytest.fixture(scope="module")
def frames():
    """24 frames of 96x80, each unlike the others."""
    return natural(COUNT, 96, 80, seed=2)


@pytest.fixture(params=["short", "long"], autouse=True)
def length(request, monkeypatch):
    """Every file is read as a short one, which is decoded to index it, and as a long one, whose packets count."""
    if request.param == "long":
        monkeypatch.setattr(index, "_SHORT_PIXELS", 0)
    module._inspect.cache_clear()
    return request.param


def read(path, start=0, stop=None):
    with open_source(path) as source:
        found = [(f.index, f.pts_seconds, f.duration_seconds, f.rgb) for f in source.frames(start, stop)]
    return found


def shown(found, frames):
    """Which original each frame is nearest to."""
    return [int(np.argmin([np.abs(item[3].astype(int) - one).mean() for one in frames])) for item in found]


def check(path, frames, order, *, seconds=None, told=()):
    """Frames, order, times, ranges and warnings of a file."""
    info, found = probe(path), read(path)
    assert info.frames == len(found) == len(order)
    assert shown(found, frames) == order
    assert [item[0] for item in found] == list(range(len(order)))
    times = [item[1] for item in found]
    assert all(b > a for a, b in pairwise(times))
    assert all(a[1] + a[2] == b[1] for a, b in pairwise(found))
    if seconds is not None:
        assert np.abs(np.array([float(t) for t in times]) - np.array(seconds, float)).max() < 1e-3
    assert len(info.warnings) == len(told), info.warnings
    for words, warning in zip(told, info.warnings, strict=True):
        assert words in warning
    for start in range(0, len(order) - 1, 5):
        for item, whole in zip(read(path, start, min(start + 3, len(order))), found[start:], strict=False):
            assert item[:3] == whole[:3]
            assert np.array_equal(item[3], whole[3]), f"range from {start}"
    return info


def even(count, start=0):
    return [float(start + n * TICK) for n in range(count)]


def join(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.fixture(scope="module")
def parts(frames, tmp_path_factory):
    """The clip as a transport stream at 0, at one hour, and as a program stream."""
    folder = tmp_path_factory.mktemp("parts")
    late = [3600 * 90000 + 3600 * n for n in range(COUNT)]
    return {
        "early": write_clip(folder / "early.ts", frames, **TS),
        "late": write_clip(folder / "late.ts", frames, pts=late, **TS),
        "mpeg2": write_clip(
            folder / "mpeg2.ts", frames, codec="mpeg2video", options={"bf": "2", "g": "8", "q": "2"},
            container="mpegts", **PER_FRAME,
        ),
        "program": write_clip(
            folder / "a.vob", frames, codec="mpeg2video", options={"bf": "2", "g": "8", "q": "2"}, container="vob",
            **PER_FRAME,
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    "names",
    [("early", "early"), ("early", "late"), ("late", "early"), ("early", "late", "early"), ("early",) * 4,
     ("mpeg2", "mpeg2"), ("program", "program"), ("program", "program", "program")],
    ids="-".join,
)  # fmt: skip
def test_joined_recordings_follow_on_each_other(names, parts, frames, tmp_path):
    path = join(tmp_path / f"joined{parts[names[0]].suffix}", *(parts[name] for name in names))
    order = list(range(COUNT)) * len(names)
    info = check(path, frames, order, seconds=even(len(order)), told=["clock starts anew at frame 24"])
    assert len(info.clock_parts) == len(names)
    assert f"of {len(order)}" in info.warnings[0]
    for number, (start, stop, shift) in enumerate(info.clock_parts):
        assert abs(float(start + shift - info.origin_seconds) - number * 0.96) < 1e-3
        assert abs(float(stop - start) - 0.96) < 1e-3


def test_a_late_range_of_joined_parts_is_reached_by_seeking(parts, frames, tmp_path, monkeypatch):
    path = join(tmp_path / "joined.ts", parts["early"], parts["late"], parts["early"])
    probe(path)
    decoded = []
    original = module.Decoding.frames
    monkeypatch.setattr(module.Decoding, "frames", lambda self: (decoded.append(1) or item for item in original(self)))
    found = read(path, 68, 71)
    assert shown(found, frames) == [20, 21, 22]
    assert len(decoded) <= 14, "two groups of pictures, not the whole file"


def test_a_joined_layer_is_written_with_its_new_times(parts, frames, tmp_path):
    path = join(tmp_path / "joined.ts", parts["late"], parts["early"])
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=source.info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    check(tmp_path / "out.mp4", frames, list(range(COUNT)) * 2, seconds=even(2 * COUNT))


REORDERED = {
    "h264.avi": {"options": FAST, **PER_FRAME},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2", "g": "8", "q": "2"}, **PER_FRAME},
    "plain.avi": {"options": FAST | {"bf": "0"}, **PER_FRAME},
}


@pytest.mark.parametrize("name", REORDERED)
def test_avi_has_no_presentation_times(name, frames, tmp_path):
    path = write_clip(tmp_path / name, frames, **REORDERED[name])
    info = check(path, frames, list(range(COUNT)), seconds=even(COUNT))
    assert (info.fps, info.start_seconds) == (25, 0)


def test_frames_that_stay_in_avi_are_no_missing_ones(frames, tmp_path):
    pts = [0, 1, 2, 3, 7, 8, 9, 10, 11, 16, 17, 18]
    for name, how in REORDERED.items():
        if name == "h264.avi":
            continue  # the container loses its times: they are those of packets in another order
        path = write_clip(tmp_path / name, frames[:12], pts=pts, **how)
        check(path, frames, list(range(12)), seconds=[n / 25 for n in pts])
    path = write_clip(tmp_path / "h264.avi", frames[:12], pts=pts, **REORDERED["h264.avi"])
    assert check(path, frames, list(range(12))).duration_seconds == pytest.approx(19 / 25)


def remux(source, out, stamp, **options):
    """Copy packets with the stamps (pts, dts) that ``stamp`` makes of their number and own stamps, in seconds."""
    with av.open(source) as file, av.open(out, "w", **options) as target:
        stream = file.streams.video[0]
        copy = target.add_stream_from_template(stream)
        base = Fraction(1, 90000)
        for number, packet in enumerate(p for p in file.demux(stream) if p.size):
            pts, dts = (None if t is None else t * packet.time_base for t in (packet.pts, packet.dts))
            pts, dts = stamp(number, pts, dts)
            packet.stream, packet.time_base = copy, base
            packet.pts, packet.dts = (None if t is None else round(t / base) for t in (pts, dts))
            packet.duration = 3600
            target.mux(packet)
    return out


@pytest.mark.parametrize("source", ["h264.avi", "mpeg4.avi"])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.mov"])
def test_stamps_in_decoding_order_are_told_from_real_ones(source, name, frames, tmp_path):
    path = write_clip(tmp_path / source, frames, **REORDERED[source])
    out = remux(path, tmp_path / name, lambda number, pts, dts: (number * TICK, number * TICK))
    check(out, frames, list(range(COUNT)), seconds=even(COUNT))


@pytest.mark.parametrize("wrong", [5, 17])
def test_a_wrong_stamp_in_decoding_order_costs_no_order(wrong, frames, tmp_path):
    path = write_clip(tmp_path / "h264.avi", frames, **REORDERED["h264.avi"])
    out = remux(path, tmp_path / "out.mkv", lambda n, pts, dts: ((n - (n == wrong)) * TICK, (n - (n == wrong)) * TICK))
    found = read(out)
    assert shown(found, frames) == list(range(COUNT))
    off = [abs(float(item[1]) - n / 25) for n, item in enumerate(found)]
    assert sum(value > 1e-3 for value in off) <= 1
    assert max(off) < 1 / 25


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4", "in.ts"])
@pytest.mark.parametrize("place", [7, 22])
def test_one_repeated_stamp_costs_its_frame_only(name, place, frames, tmp_path):
    seconds = [Fraction(t, 1000) for t in VFR]
    path = write_clip(tmp_path / "whole.mkv", frames, pts=VFR, time_base=Fraction(1, 1000), options=FAST | {"bf": "0"})
    told = [*seconds[:place], seconds[place - 1], *seconds[place + 1 :]]

    def stamp(number, pts, dts):
        """Presented a second late, so that times of decoding rise, as muxers want it."""
        late = Fraction(number, 1000) if name != "in.mkv" else 0
        return told[number] + 1, told[number] + late

    out = remux(path, tmp_path / name, stamp)
    info, found = probe(out), read(out)
    assert shown(found, frames) == list(range(COUNT))
    start = found[0][1]
    for number, item in enumerate(found):
        if number != place:
            assert abs(float(item[1] - start) - float(seconds[number])) < 1e-3, number
    assert seconds[place - 1] < found[place][1] - start < seconds[place + 1]
    assert [w for w in info.warnings if "1 of 24" in w and "wrong" in w], info.warnings


LATE = {
    "late.mkv": {},
    "late.ts": {"time_base": Fraction(1, 90000), "step": 3600, "container": "mpegts"},
    "late.mp4": {},
    "late.mov": {},
}


def test_fragments_that_start_late_start_at_zero(frames, tmp_path):
    """A part of a stream (DASH): its fragments tell a time, its header does not."""
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    path = write_clip(tmp_path / "in.mp4", frames, options=FAST | {"bf": "0"}, container_options=options)
    data = bytearray(path.read_bytes())
    with av.open(path) as file:
        offset = 5000 * file.streams.video[0].time_base.denominator
    at = data.find(b"tfdt")
    while at >= 0:
        assert data[at + 4] == 1
        data[at + 8 : at + 16] = (int.from_bytes(data[at + 8 : at + 16]) + offset).to_bytes(8)
        at = data.find(b"tfdt", at + 1)
    path.write_bytes(data)
    info = check(path, frames, list(range(COUNT)), seconds=even(COUNT))
    assert (info.start_seconds, info.origin_seconds) == (0, 5000)


@pytest.mark.parametrize("name", LATE)
def test_a_clip_that_starts_late_starts_at_zero(name, frames, tmp_path):
    how = {"time_base": Fraction(1, 600), "step": 24, "options": FAST, **LATE[name]}
    ticks = [int(5000 / how["time_base"]) + how["step"] * n for n in range(COUNT)]
    path = write_clip(tmp_path / name, frames, pts=ticks, **how)
    info = check(path, frames, list(range(COUNT)), seconds=even(COUNT))
    assert info.start_seconds == 0
    assert abs(float(info.origin_seconds) - 5000) < 2, "TS adds its own start-up time"
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    check(tmp_path / "out.mp4", frames, list(range(COUNT)), seconds=even(COUNT))


@pytest.mark.parametrize("rate", [24, 25, Fraction(30000, 1001), 60], ids=str)
@pytest.mark.parametrize("name", ["raw.h264", "raw.hevc", "raw.m2v"])
def test_raw_streams_have_their_own_rate(name, rate, frames, tmp_path):
    codec = {"raw.h264": "libx264", "raw.hevc": "libx265", "raw.m2v": "mpeg2video"}[name]
    options = {
        "libx264": FAST,
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:bframes=2:keyint=8"},
        "mpeg2video": {"bf": "2", "g": "8", "q": "2"},
    }[codec]
    path = tmp_path / name
    with av.open(path, "w", format={"raw.m2v": "mpeg2video"}.get(name, name[4:])) as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        stream.codec_context.time_base = 1 / Fraction(rate)
        for number, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, 1 / Fraction(rate)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    info = check(
        path, frames, list(range(COUNT)), seconds=[n / float(rate) for n in range(COUNT)], told=["holds no times"]
    )
    assert info.fps == rate


@pytest.mark.parametrize(
    ("size", "pix_fmt", "rate"),
    [((720, 576), "yuv420p", 25), ((720, 480), "yuv411p", Fraction(30000, 1001))],
)
def test_raw_dv_has_the_rate_of_its_system(size, pix_fmt, rate, length, tmp_path):
    if length == "long":
        pytest.skip("the same")
    images = natural(3, *size)
    with av.open(tmp_path / "in.dv", "w", format="dv") as file:
        stream = file.add_stream("dvvideo", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pix_fmt)))
        file.mux(stream.encode(None))
    info = probe(tmp_path / "in.dv")
    assert (info.frames, info.fps, info.codec) == (3, rate, "dvvideo")
    with open_source(tmp_path / "in.dv") as source:
        times = [frame.pts_seconds for frame in source.frames()]
    assert np.allclose([float(t) for t in times], [n / float(rate) for n in range(3)], atol=1e-4)


def test_sparse_stamps_of_a_program_stream(frames, tmp_path):
    """H.264 in MPEG-PS: many frames in one packet of the container, which has one time."""
    path = write_clip(tmp_path / "in.mpg", frames, options=FAST, container="mpeg", **PER_FRAME)
    found = read(path)
    assert shown(found, frames) == list(range(COUNT))
    assert np.allclose(np.diff([float(item[1]) for item in found]), 0.04, atol=1e-3)


def test_a_stream_that_begins_later_is_no_obstacle(parts, frames, tmp_path):
    """A broadcast whose sound begins after a while: PyAV does not know that stream."""
    loud = write_clip(tmp_path / "loud.ts", frames, audio="aac", **TS)
    path = join(tmp_path / "joined.ts", parts["early"], loud, parts["early"])
    check(path, frames, list(range(COUNT)) * 3, told=["clock starts anew"])


def test_a_leap_of_days_is_an_error_in_any_container(frames, tmp_path):
    path = write_clip(tmp_path / "in.mkv", frames, options=FAST | {"bf": "0"}, time_base=Fraction(1, 1000), step=40)
    days = 10 * 86400
    out = remux(path, tmp_path / "out.mkv", lambda n, pts, dts: (pts + days * (n >= 12), dts + days * (n >= 12)))
    check(out, frames, list(range(COUNT)), seconds=even(COUNT), told=["clock starts anew at frame 12"])
    with open_source(out) as source, open_sink(tmp_path / "layer.mp4", like=source.info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)


def test_a_long_pause_is_a_pause(frames, tmp_path):
    pts = [40 * n + 20_000 * (n >= 12) for n in range(COUNT)]
    for name in ("in.mkv", "in.mp4", "in.flv"):
        path = write_clip(tmp_path / name, frames, pts=pts, time_base=Fraction(1, 1000), options=FAST)
        found = read(path)
        assert np.allclose([float(item[1]) for item in found], [t / 1000 for t in pts], atol=2e-3), name


def test_frames_that_are_hours_apart_have_a_rate(frames, tmp_path):
    pts = [3_600_000 * n for n in range(5)]
    path = write_clip(
        tmp_path / "in.mkv",
        frames[:5],
        pts=pts,
        time_base=Fraction(1, 1000),
        options={"bf": "0", "preset": "ultrafast"},
    )
    info = check(path, frames, list(range(5)), seconds=[3600 * n for n in range(5)])
    assert 0 < info.fps < Fraction(1, 1000)
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    check(tmp_path / "out.mp4", frames, list(range(5)), seconds=[3600 * n for n in range(5)])


def test_uneven_times_and_b_frames_keep_the_last_frame(frames, tmp_path):
    for seed in range(6):
        steps = np.random.default_rng(seed).choice([40, 40, 80, 120, 280], 9)
        pts = np.cumsum([0, *steps[:-1]]).tolist()
        path = write_clip(tmp_path / "in.mkv", frames[:9], pts=pts, time_base=Fraction(1, 1000), options=FAST)
        with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=source.info) as sink:
            for frame, stays in zip(source.frames(), steps.tolist(), strict=True):
                sink.write(frame.rgb, frame.pts_seconds, Fraction(stays, 1000))
        found = read(tmp_path / "out.mp4")
        assert [item[1] * 1000 for item in found] == pts
        assert [item[2] * 1000 for item in found] == steps.tolist()
