"""Sound in the written films: copied where MP4 takes it, else coded anew; always in step with the pictures."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from sound_clips import BURSTS, Sound, again, codecs, onsets, samples, write_film

from ddvideo.media import open_sink, open_source, probe, sound_warnings
from ddvideo.media.tracks import plan_tracks

FILM = {".avi": "mpeg4", ".asf": "mpeg4", ".webm": "libvpx", ".flv": "flv"}
VORBIS = {"options": {"strict": "-2"}}


def make(folder, name, *sounds, **how):
    path = folder / name
    return write_film(path, sounds, codec=FILM.get(path.suffix, "libx264"), **how)


def packets(path, track=0):
    with av.open(path) as file:
        return [(p.pts * p.time_base, bytes(p)) for p in file.demux(file.streams.audio[track]) if p.size]


def picture_times(path):
    with av.open(path) as file:
        stream = file.streams.video[0]
        times = [(p.pts, p.dts, p.duration, p.size) for p in file.demux(stream) if p.size]
        return stream.time_base, stream.duration, times


LOSSLESS = [
    ("a.avi", Sound("pcm_s16le"), "alac", 16),
    ("a.avi", Sound("pcm_u8"), "alac", 16),
    ("a.avi", Sound("pcm_s24le"), "alac", 24),
    ("a.avi", Sound("pcm_s16le", layout="mono", rate=8000), "alac", 16),
    ("a.avi", Sound("pcm_s16le", layout="5.1(side)"), "alac", 16),
    ("a.mov", Sound("pcm_s16be", layout="5.1"), "alac", 16),
    ("a.mov", Sound("pcm_s24be", rate=96000), "alac", 24),
    ("a.mov", Sound("pcm_f32le"), "alac", 24),
    ("a.mov", Sound("pcm_s16le", layout="7.1"), "flac", 16),
    ("a.mov", Sound("pcm_s24le", layout="6.1"), "flac", 24),
    ("a.mkv", Sound("wavpack"), "alac", 16),
    ("a.mkv", Sound("tta"), "alac", 16),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sound", "codec", "bits"), LOSSLESS, ids=lambda value: getattr(value, "codec", value))
def test_lossless_sound_stays_lossless_in_what_mp4_players_take(name, sound, codec, bits, tmp_path):
    path = make(tmp_path, name, sound)
    sink = again(path, tmp_path / "out.mp4")
    assert codecs(tmp_path / "out.mp4") == [codec]
    assert tuple(sink.warnings) == sound_warnings(path)
    assert [f"coded anew as {codec.upper()}" in line and sound.codec in line for line in sink.warnings] == [True]
    (before, rate, _), (after, same, begin) = samples(path), samples(tmp_path / "out.mp4")
    assert (rate, begin) == (same, 0)
    assert np.abs(after - before).max() <= (2 ** (1 - bits) if sound.codec == "pcm_f32le" else 0)
    assert np.allclose(onsets(tmp_path / "out.mp4"), BURSTS, atol=1e-4)
    with av.open(tmp_path / "out.mp4") as file:
        context = file.streams.audio[0].codec_context
        assert context.layout.nb_channels == av.AudioLayout(sound.layout).nb_channels
        assert context.format.bytes == (2 if bits == 16 else 4)


def test_more_channels_than_any_codec_of_mp4_holds_are_copied_and_told(tmp_path):
    path = make(tmp_path, "a.mov", Sound("pcm_s16le", layout="hexadecagonal"))
    sink = again(path, tmp_path / "out.mp4")
    assert codecs(tmp_path / "out.mp4") == ["pcm_s16le"]
    assert ["few players" in line for line in sink.warnings] == [True]
    assert packets(tmp_path / "out.mp4")[0] == packets(path)[0]


LOSSY = [
    ("a.avi", Sound("adpcm_ms", layout="mono")),
    ("a.avi", Sound("adpcm_ima_wav")),
    ("a.asf", Sound("wmav2", options={"b": "128000"})),
    ("a.mkv", Sound("vorbis", **VORBIS)),
    ("a.webm", Sound("vorbis", **VORBIS)),
    ("a.mov", Sound("pcm_mulaw", rate=8000, layout="mono")),
    ("a.avi", Sound("pcm_alaw", rate=11000, layout="mono")),
    ("a.mkv", Sound("mp2")),
    ("a.ts", Sound("mp2")),
    ("a.mkv", Sound("libmp3lame", rate=11025)),
]


@pytest.mark.parametrize(("name", "sound"), LOSSY, ids=lambda value: getattr(value, "codec", value))
def test_lossy_sound_that_players_do_not_take_becomes_aac(name, sound, tmp_path):
    path = make(tmp_path, name, sound)
    sink = again(path, tmp_path / "out.mp4")
    assert codecs(tmp_path / "out.mp4") == ["aac"]
    assert "coded anew as AAC" in sink.warnings[0]
    assert len(sink.warnings) == 1
    late = float(probe(path).start_seconds)
    with av.open(path) as file:
        origin = file.start_time / 1e6 if name.endswith(".ts") else 0
    # a burst is smeared over a part of a frame of ADPCM, MP2 or AAC; the tolerance is a sixteenth of the R 37 limit
    assert np.allclose(onsets(tmp_path / "out.mp4"), np.array(onsets(path)) - origin, atol=2.5e-3)
    assert np.allclose(onsets(tmp_path / "out.mp4"), np.array(BURSTS) + late, atol=2.5e-3)


COPIED = [
    ("a.mkv", Sound("aac")),
    ("a.ts", Sound("aac")),
    ("a.mkv", Sound("aac", layout="5.1")),
    ("a.mkv", Sound("libmp3lame")),
    ("a.flv", Sound("libmp3lame", rate=44100)),
    ("a.mkv", Sound("ac3", layout="5.1(side)")),
    ("a.ts", Sound("ac3")),
    ("a.ts", Sound("eac3")),
    ("a.mkv", Sound("flac", layout="5.1(side)")),
    ("a.mkv", Sound("libopus")),
    ("a.mov", Sound("alac")),
]


@pytest.mark.parametrize(("name", "sound"), COPIED, ids=lambda value: getattr(value, "codec", value))
def test_sound_that_mp4_takes_is_copied_byte_for_byte(name, sound, tmp_path):
    path = make(tmp_path, name, sound)
    sink = again(path, tmp_path / "out.mp4")
    assert sink.warnings == []
    assert codecs(tmp_path / "out.mp4") == codecs(path)
    before, after = packets(path), packets(tmp_path / "out.mp4")
    adts = 7 if (name, sound.codec) == ("a.ts", "aac") else 0  # MPEG-TS puts a header before each packet
    assert [data for _, data in after] == [data[adts:] for _, data in before]
    with av.open(path) as file:
        origin = Fraction(file.start_time, 1_000_000) if name.endswith(".ts") else 0
    assert np.allclose([float(t) for t, _ in after], [float(t - origin) for t, _ in before], atol=1.1e-3)


@pytest.mark.parametrize(
    ("name", "sounds", "written"),
    [
        ("a.mkv", (Sound("aac"), Sound("mp2"), Sound("flac")), ["aac", "aac", "flac"]),
        ("a.mov", (Sound("pcm_s24le"), Sound("aac"), Sound("pcm_mulaw", rate=8000)), ["alac", "aac", "aac"]),
        ("a.avi", (Sound("adpcm_ms"), Sound("ac3"), Sound("pcm_s16le")), ["aac", "ac3", "alac"]),
    ],
)
def test_one_odd_track_never_drops_the_others(name, sounds, written, tmp_path):
    path = make(tmp_path, name, *sounds)
    sink = again(path, tmp_path / "out.mp4")
    assert codecs(tmp_path / "out.mp4") == written
    changed = [n for n, (a, b) in enumerate(zip(codecs(path), written, strict=True), start=1) if a != b]
    assert [f"sound track {n} " in line for n, line in zip(changed, sink.warnings, strict=True)] == [True] * len(
        changed
    )
    for track in range(len(sounds)):
        assert np.allclose(onsets(tmp_path / "out.mp4", track), onsets(path, track), atol=2.5e-3)


def unknown(path, place):
    """Rename the codec of a sound track of a QuickTime file to one that nobody knows."""
    data = path.read_bytes()
    for old, new in [(b"mp4a", b"apac"), (b"esds", b"what")]:
        parts = data.split(old)
        data = old.join(parts[:place]) + new + old.join(parts[place:])
    path.write_bytes(data)


@pytest.mark.parametrize(("place", "tracks"), [(1, 1), (2, 2), (1, 2)])
def test_a_codec_that_nobody_knows_is_left_out_and_told(place, tracks, tmp_path):
    path = make(tmp_path, "a.mp4", *[Sound("aac")] * tracks)
    with open_source(path) as source:
        info, frames = source.info, list(source.frames())
    unknown(path, place)
    with open_sink(tmp_path / "out.mp4", like=info, source=path, audio=True) as sink:
        for frame in frames:
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    assert codecs(tmp_path / "out.mp4") == ["aac"] * (tracks - 1)
    assert len(sink.warnings) == 1
    assert f"sound track {place} (unknown codec)" in sink.warnings[0]
    assert probe(tmp_path / "out.mp4").frames == 25


PREVIEWED = [
    ("a.mkv", Sound("aac"), "aac"),
    ("a.mkv", Sound("libmp3lame"), "mp3"),
    ("a.mkv", Sound("libopus"), "aac"),
    ("a.mkv", Sound("ac3", layout="5.1(side)"), "aac"),
    ("a.mkv", Sound("flac"), "aac"),
    ("a.mov", Sound("pcm_s16le", layout="7.1"), "aac"),
    ("a.mov", Sound("pcm_s24le", layout="6.1"), "aac"),
    ("a.avi", Sound("pcm_s16le"), "aac"),
]


@pytest.mark.parametrize(("name", "sound", "codec"), PREVIEWED, ids=lambda value: getattr(value, "codec", value))
def test_a_preview_sounds_in_every_browser(name, sound, codec, tmp_path):
    path = make(tmp_path, name, sound)
    sink = again(path, tmp_path / "out.mp4", quality="preview")
    assert (codecs(tmp_path / "out.mp4"), sink.warnings) == ([codec], [])
    assert np.allclose(onsets(tmp_path / "out.mp4"), BURSTS, atol=2.5e-3)


@pytest.mark.parametrize("start", [0, 10])
@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.mov", "pcm_s16le"), ("a.mkv", "mp2")])
@pytest.mark.parametrize("told", [(0.3, 1.0), (0.0, 0.5)])
def test_sound_that_is_shorter_than_the_film_stays_in_step(name, codec, told, start, tmp_path):
    path = make(tmp_path, name, Sound(codec, told=told), start=start)
    info = probe(path)
    sink = again(path, tmp_path / "out.mp4")
    assert not any("stepped over" in line for line in sink.warnings)
    origin = float(info.origin_seconds)
    first = told[0] if start and name == "a.mkv" else 0
    assert abs(origin - first) < 0.03, "mkv starts with what comes first, a block of lead-in included"
    assert np.allclose(np.add(onsets(tmp_path / "out.mp4"), origin), onsets(path), atol=2.5e-3)
    result = probe(tmp_path / "out.mp4")
    assert (result.start_seconds, result.duration_seconds) == (info.start_seconds, info.duration_seconds)


@pytest.mark.parametrize("codec", ["pcm_s16le", "mp2", "flac"])
@pytest.mark.parametrize("hole", [(0.15, 0.3), (0.5, 0.7), (0.2, 0.75)])
def test_a_hole_in_the_sound_is_silence(codec, hole, tmp_path):
    whole = make(tmp_path, "whole.mkv", Sound(codec, rate=48000))
    with av.open(whole) as source, av.open(tmp_path / "a.mkv", "w") as target:
        copies = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        for packet in source.demux():
            shown = (packet.pts or 0) * packet.time_base
            if packet.size and not (packet.stream_index == 1 and hole[0] <= shown < hole[1]):
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    again(tmp_path / "a.mkv", tmp_path / "out.mp4")
    kept = [burst for burst in BURSTS if not hole[0] <= burst < hole[1] - 0.03]
    assert np.allclose(onsets(tmp_path / "out.mp4"), kept, atol=2.5e-3)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.mov", "pcm_s16le"), ("a.mkv", "mp2")])
@pytest.mark.parametrize("cut", [(5, 15), (8, 25), (0, 12)])
def test_a_cut_takes_its_own_sound(name, codec, cut, tmp_path):
    path = make(tmp_path, name, Sound(codec))
    again(path, tmp_path / "out.mp4", cut)
    begin, end = cut[0] / 25, cut[1] / 25
    heard = [burst - begin for burst in BURSTS if begin <= burst < end]
    assert np.allclose(onsets(tmp_path / "out.mp4"), heard, atol=2.5e-3)
    times = [float(t) for t, _ in packets(tmp_path / "out.mp4")]
    assert times[-1] < end - begin
    if codec != "aac":
        assert samples(tmp_path / "out.mp4")[2] == 0, "sound that is coded anew begins with the pictures"


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "eac3"), ("a.ts", "ac3"), ("a.mkv", "aac")])
def test_a_track_without_sound_in_the_cut_is_left_out_and_told(name, codec, tmp_path):
    path = make(tmp_path, name, Sound("aac"), Sound(codec, told=(0.0, 0.3)))
    sink = again(path, tmp_path / "out.mp4", (15, 25))
    assert codecs(tmp_path / "out.mp4") == ["aac"]
    assert [line for line in sink.warnings if "sound track 2" in line and "left out" in line] == sink.warnings
    assert len(sink.warnings) == 1
    assert probe(tmp_path / "out.mp4").frames == 10


def blank(path, count):
    """Overwrite some packets of the sound in a quiet part with zeros."""
    content = bytearray(path.read_bytes())
    with av.open(path) as file:
        found = [p for p in file.demux(audio=0) if p.size and 0.09 < p.pts * p.time_base < 0.3]
    for packet in found[:count]:
        at = content.index(bytes(packet), packet.pos)
        content[at : at + packet.size] = bytes(packet.size)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("codec", "bad", "quality", "told"),
    [
        ("ac3", 1, "layer", True),
        ("ac3", 3, "layer", True),
        ("aac", 2, "layer", False),
        ("mp2", 1, "layer", False),
        ("mp2", 3, "layer", False),
        ("flac", 1, "preview", True),
        ("eac3", 2, "preview", True),
    ],
)
def test_bad_packets_are_stepped_over(codec, bad, quality, told, tmp_path):
    path = make(tmp_path, "a.mkv", Sound(codec))
    heard = onsets(path)
    blank(path, bad)
    sink = again(path, tmp_path / "out.mp4", quality=quality)
    assert len(codecs(tmp_path / "out.mp4")) == 1
    assert probe(tmp_path / "out.mp4").frames == 25
    # one packet of MP2 less is 24 ms, below what is set right
    assert np.allclose(onsets(tmp_path / "out.mp4"), heard, atol=0.04 if (codec, bad) == ("mp2", 1) else 4e-3)
    assert any("stepped over" in line for line in sink.warnings) == told


@pytest.mark.parametrize("bf", ["0", "3"])
@pytest.mark.parametrize(
    "pts",
    [
        [0, 40, 90, 95, 200, 240, 333, 400, 900],
        [500, 510, 560, 700, 720, 800, 860, 900],
        [round(1000 * n / 30) for n in range(50)],
        [round(1000 * n / 30) for n in range(49)],
        [0, 100, 110, 120, 130, 400, 410, 420, 430, 900, 910, 920, 1500],
    ],
    ids=["uneven", "late", "30 fps in ms", "one less", "bursts"],
)
def test_the_pictures_times_are_as_without_sound(bf, pts, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(path, "w") as file:
        film = file.add_stream("libx264", rate=25, options={"bf": bf})
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        film.codec_context.time_base = Fraction(1, 1000)
        sound = file.add_stream("aac", rate=48000)
        made = []
        for shown in pts:
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shown % 251, np.uint8), format="rgb24")
            picture.pts, picture.time_base = shown, Fraction(1, 1000)
            made += film.encode(picture.reformat(format="yuv420p"))
        made += film.encode(None)
        for block in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * block, Fraction(1, 48000)
            made += sound.encode(frame)
        for packet in sorted([*made, *sound.encode(None)], key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    again(path, tmp_path / "with.mp4")
    info = probe(path)
    with open_source(path) as source, open_sink(tmp_path / "without.mp4", like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    assert picture_times(tmp_path / "with.mp4") == picture_times(tmp_path / "without.mp4")
    one, two = probe(tmp_path / "with.mp4"), probe(tmp_path / "without.mp4")
    assert replace(one, path=two.path, audio=()) == two
    assert codecs(tmp_path / "with.mp4") == ["aac"]


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.mov"])
def test_a_plan_is_the_same_each_time_and_touches_nothing(name, tmp_path):
    path = make(tmp_path, name, Sound("pcm_s16le" if name != "a.mkv" else "mp2"), Sound("ac3"))
    assert plan_tracks(path) == plan_tracks(path)
    assert [track.way for track in plan_tracks(path).tracks] == ["aac" if name == "a.mkv" else "alac", "copy"]
    assert [item.name for item in tmp_path.iterdir()] == [name]
