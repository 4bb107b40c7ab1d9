"""What belongs to a film besides pictures and sound: tags, chapters, subtitles, timecode, covers; and what may fail."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sound_clips import Sound, again, codecs, write_film

from ddvideo.errors import OutputError
from ddvideo.media import open_sink, open_source, probe, sound_warnings
from ddvideo.media.timecode import advance

TAGS = {
    "title": "Grüße",
    "artist": "Somebody",
    "comment": "first\nsecond",
    "creation_time": "2024-05-06T07:08:09.000000Z",
    "com.apple.quicktime.make": "Apple",
    "com.apple.quicktime.location.ISO6709": "+48.8577+002.2950+035.000/",
    "location": "+48.8577+002.2950/",
}
LINES = [(0.1, 0.3, "one"), (0.5, 0.9, "two, {\\i1}slanted{\\i0}")]
CHAPTERS = [(0.0, 0.4, "first"), (0.4, 0.8, "second"), (0.8, 1.0, "last")]


def tags_of(path):
    with av.open(path) as file:
        return dict(file.metadata)


def chapters_of(path):
    with av.open(path) as file:
        return [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"].get("title"))
            for c in file.chapters()
        ]


def lines_of(path, track=0):
    with av.open(path) as file:
        stream = file.streams.subtitles[track]
        assert stream.codec_context.codec.canonical_name == "mov_text"
        found = [(p.pts * p.time_base, p.duration * p.time_base, bytes(p)) for p in file.demux(stream) if p.size > 2]
        return [(float(a), float(a + d), data[2 : 2 + int.from_bytes(data[:2])].decode()) for a, d, data in found]


def timecode_of(path):
    with av.open(path) as file:
        return [s.metadata["timecode"] for s in file.streams if s.type == "data" and "timecode" in s.metadata]


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mov", {"movflags": "use_metadata_tags"}), ("a.mp4", {"movflags": "use_metadata_tags"}), ("a.mkv", {})],
)
@pytest.mark.parametrize("sounds", [(), (Sound("aac"),)])
def test_tags_are_kept(name, options, sounds, tmp_path):
    path = write_film(tmp_path / name, sounds, tags=TAGS, options=options)
    read = {key.casefold(): value for key, value in tags_of(path).items()}
    sink = again(path, tmp_path / "out.mp4")
    written = {key.casefold(): value for key, value in tags_of(tmp_path / "out.mp4").items()}
    assert sink.warnings == []
    for key, value in TAGS.items():
        assert written[key.casefold()] == read[key.casefold()] == value
    assert written["major_brand"] == "isom"


@pytest.mark.parametrize("rotation", [0, 90, 180])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(16, 11)])
def test_turning_pixel_aspect_and_colour_are_as_without_the_second_step(rotation, aspect, make, clip, tmp_path):
    path = make("a.mp4", clip[:6], rotation=rotation, aspect=aspect, space=1, audio="aac")
    info = probe(path)
    again(path, tmp_path / "with.mp4")
    with open_source(path) as source, open_sink(tmp_path / "without.mp4", like=info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    one, two = probe(tmp_path / "with.mp4"), probe(tmp_path / "without.mp4")
    assert replace(one, path=two.path, audio=()) == two
    assert (one.display_matrix, one.sample_aspect_ratio, one.audio) == (info.display_matrix, aspect, ("aac",))
    boxes = [(tmp_path / name).read_bytes() for name in ("with.mp4", "without.mp4")]
    for box, size in [(b"colr", 11), (b"pasp", 8), (b"avc1", 78), (b"avcC", 40)]:
        first, second = (data[at : at + size] if (at := data.rfind(box)) >= 0 else b"" for data in boxes)
        assert first == second, box


def test_tags_of_the_usual_kind_need_no_second_box(tmp_path):
    path = write_film(tmp_path / "a.mp4", tags={"title": "T", "genre": "G", "date": "2020", "copyright": "C"})
    again(path, tmp_path / "out.mp4")
    assert {key: tags_of(tmp_path / "out.mp4")[key] for key in ("title", "genre", "date", "copyright")} == {
        "title": "T", "genre": "G", "date": "2020", "copyright": "C",
    }  # fmt: skip
    assert b"mdta" not in (tmp_path / "out.mp4").read_bytes()


def test_a_preview_and_an_alpha_layer_get_no_tags(tmp_path):
    path = write_film(tmp_path / "a.mkv", [Sound("aac")], tags={"title": "T"}, chapters=CHAPTERS)
    again(path, tmp_path / "out.mp4", quality="preview")
    assert "title" not in tags_of(tmp_path / "out.mp4")
    assert chapters_of(tmp_path / "out.mp4") == []
    assert codecs(tmp_path / "out.mp4") == ["aac"]


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ((0, None), CHAPTERS),
        ((5, 15), [(0.0, 0.2, "first"), (0.2, 0.4, "second")]),
        ((10, 25), [(0.0, 0.4, "second"), (0.4, 0.6, "last")]),
    ],
)
def test_chapters_go_with_the_pictures(name, cut, expected, tmp_path):
    path = write_film(tmp_path / name, [Sound("aac")], chapters=CHAPTERS)
    sink = again(path, tmp_path / "out.mp4", cut)
    assert sink.warnings == [], "the track that holds their titles is no data of its own"
    written = chapters_of(tmp_path / "out.mp4")
    assert [title for *_, title in written] == [title for *_, title in expected]
    assert np.allclose([times[:2] for times in written], [times[:2] for times in expected], atol=1e-3)


SUBTITLES = [("a.mkv", "srt"), ("a.mkv", "ass"), ("a.mkv", "webvtt"), ("a.mp4", "mov_text"), ("a.mov", "mov_text")]


@pytest.mark.parametrize(("name", "codec"), SUBTITLES)
def test_text_subtitles_become_those_of_mp4(name, codec, tmp_path):
    path = write_film(tmp_path / name, subtitles=[(codec, LINES)])
    sink = again(path, tmp_path / "out.mp4")
    assert sink.warnings == []
    written = lines_of(tmp_path / "out.mp4")
    assert [text for *_, text in written] == ["one", "two, slanted"]
    assert np.allclose([times[:2] for times in written], [times[:2] for times in LINES], atol=2e-3)


@pytest.mark.parametrize(("name", "codec"), SUBTITLES)
@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        ((5, 15), [(0.0, 0.1, "one"), (0.3, 0.4, "two, slanted")]),
        ((10, 25), [(0.1, 0.5, "two, slanted")]),
        ((0, 2), []),
    ],
)
def test_subtitles_are_cut_with_the_pictures(name, codec, cut, expected, tmp_path):
    path = write_film(tmp_path / name, subtitles=[(codec, LINES)])
    sink = again(path, tmp_path / "out.mp4", cut)
    assert sink.warnings == []
    if not expected:
        with av.open(tmp_path / "out.mp4") as file:
            assert len(file.streams.subtitles) == 0
        return
    written = lines_of(tmp_path / "out.mp4")
    assert [text for *_, text in written] == [text for *_, text in expected]
    assert np.allclose([times[:2] for times in written], [times[:2] for times in expected], atol=2e-3)


@pytest.mark.parametrize(
    ("start", "frames", "fps", "expected"),
    [
        ("01:02:03:04", 0, Fraction(25), "01:02:03:04"),
        ("01:02:03:04", 30, Fraction(25), "01:02:04:09"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("00:00:00;00", 107892, Fraction(30000, 1001), "01:00:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("00:00:59:29", 1, Fraction(30000, 1001), "00:01:00:00"),
        ("10:00:00;00", 26, Fraction(25), "10:00:01:01"),
        ("10:00:00.00", 17982, Fraction(30000, 1001), "10:10:00.00"),
    ],
)
def test_timecode_counts_as_smpte_says(start, frames, fps, expected):
    assert advance(start, frames, fps) == expected


def test_drop_frame_timecode_numbers_each_frame_once_in_order():
    shown = [advance("00:08:58;00", frame, Fraction(30000, 1001)) for frame in range(5000)]
    assert shown == sorted(set(shown))
    assert not any(text.endswith(("00;00", "00;01")) and text[4] != "0" for text in shown)
    assert [advance(text, 1, Fraction(30000, 1001)) for text in shown[:-1]] == shown[1:]


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mkv"])
@pytest.mark.parametrize(
    ("fps", "start", "cut", "expected"),
    [
        (Fraction(25), "01:02:03:04", (0, None), "01:02:03:04"),
        (Fraction(25), "01:02:03:20", (10, 20), "01:02:04:05"),
        (Fraction(30000, 1001), "00:00:59;20", (12, 20), "00:01:00;04"),
    ],
)
def test_timecode_goes_with_the_pictures(name, fps, start, cut, expected, tmp_path):
    path = write_film(tmp_path / name, [Sound("aac")], fps=fps, film_tags={"timecode": start})
    sink = again(path, tmp_path / "out.mp4", cut)
    assert (timecode_of(tmp_path / "out.mp4"), sink.warnings) == ([expected], [])


@pytest.mark.parametrize(("start", "fps"), [("01:02:03:99", 25), ("nonsense", 25), ("01:02:03:04", 300)])
def test_a_timecode_that_cannot_be_written_is_told(start, fps, tmp_path):
    path = write_film(tmp_path / "a.mkv", [Sound("aac")], fps=Fraction(fps), film_tags={"timecode": start})
    sink = again(path, tmp_path / "out.mp4")
    assert timecode_of(tmp_path / "out.mp4") == []
    assert ["timecode" in line and "none" not in line for line in sink.warnings] == [True]
    assert codecs(tmp_path / "out.mp4") == ["aac"]


def test_languages_and_what_tracks_are_for_are_kept(tmp_path):
    sounds = [Sound("aac", language="ger"), Sound("mp2", language="fre", is_default=True)]
    path = write_film(tmp_path / "a.mkv", [*sounds, Sound("pcm_s16le", language="jpn")])
    again(path, tmp_path / "out.mp4")
    with av.open(path) as before, av.open(tmp_path / "out.mp4") as after:
        assert [track.language for track in after.streams.audio] == ["ger", "fre", "jpn"]
        assert [t.disposition for t in after.streams.audio] == [t.disposition for t in before.streams.audio]


@pytest.mark.parametrize(("codec", "pix_fmt"), [("png", "rgb24"), ("mjpeg", "yuvj420p")])
def test_a_cover_picture_is_kept(codec, pix_fmt, tmp_path):
    plain = write_film(tmp_path / "plain.mp4", [Sound("aac")], tags=TAGS)
    with av.open(plain) as source, av.open(tmp_path / "a.mp4", "w") as target:
        target.metadata.update(TAGS)
        copies = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        cover = target.add_stream(codec)
        cover.width, cover.height, cover.pix_fmt = 32, 24, pix_fmt
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 90, np.uint8), format="rgb24").reformat(
            format=pix_fmt
        )
        made = [bytes(packet) for packet in target.mux(cover.encode(picture)) or []]
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    with av.open(tmp_path / "a.mp4") as file:
        made = [bytes(p) for p in file.demux(file.streams.video[1]) if p.size]
    sink = again(tmp_path / "a.mp4", tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as file:
        assert [bytes(p) for p in file.demux(file.streams.video[1]) if p.size] == made != []
        assert file.streams.video[1].disposition & av.stream.Disposition.attached_pic
    assert sink.warnings == []
    assert tags_of(tmp_path / "out.mp4")["title"] == TAGS["title"]


def test_attachments_and_data_are_told(tmp_path):
    with av.open(tmp_path / "a.mkv", "w") as file:
        film = file.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        file.add_attachment("font.ttf", "application/x-truetype-font", b"no font at all")
        file.add_attachment("notes.txt", "text/plain", b"hello")
        for number in range(5):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            file.mux(film.encode(picture.reformat(format="yuv420p")))
        file.mux(film.encode(None))
    told = ("2 attachments (font.ttf, notes.txt) cannot go into MP4 and are left out",)
    assert sound_warnings(tmp_path / "a.mkv") == told
    assert tuple(again(tmp_path / "a.mkv", tmp_path / "out.mp4").warnings) == told


@pytest.mark.parametrize("codec", ["dvbsub", "dvdsub"])
def test_subtitles_that_are_pictures_are_told(codec, tmp_path):
    path = write_film(tmp_path / "plain.mkv", [Sound("aac")])
    with av.open(path) as source, av.open(tmp_path / "a.mkv", "w") as target:
        copies = [target.add_stream_from_template(stream, opaque=True) for stream in source.streams]
        target.add_mux_stream("dvd_subtitle" if codec == "dvdsub" else "dvb_subtitle")
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    sink = again(tmp_path / "a.mkv", tmp_path / "out.mp4")
    assert [line for line in sink.warnings if "subtitle track 1" in line and "pictures" in line] == sink.warnings != []
    assert codecs(tmp_path / "out.mp4") == ["aac"]


FILMS = [
    ("a.mkv", (Sound("aac"),), "copy"),
    ("a.mkv", (Sound("mp2"),), "coded"),
    ("a.mov", (Sound("pcm_s16le"), Sound("aac")), "both"),
]


@pytest.mark.parametrize(("name", "sounds", "_"), FILMS)
@pytest.mark.parametrize("where", ["open_lane", "_mux", "_pictures"])
def test_what_fails_at_the_end_costs_itself_never_the_pictures(where, name, sounds, _, tmp_path, monkeypatch):
    path = write_film(tmp_path / name, sounds, tags={"title": "T"})

    def fail(*args, **kwargs):
        raise av.error.InvalidDataError(errno.EINVAL, "injected")

    monkeypatch.setattr(f"ddvideo.media.dress.{where}", fail)
    sink = again(path, tmp_path / "out.mp4")
    assert probe(tmp_path / "out.mp4").frames == 25
    assert codecs(tmp_path / "out.mp4") == []
    for place in range(1, len(sounds) + 1):
        assert any(
            f"sound track {place}" in line and "left out" in line and "injected" in line for line in sink.warnings
        )
    assert ("title" in tags_of(tmp_path / "out.mp4")) == (where != "_pictures")
    assert sorted(item.name for item in tmp_path.iterdir()) == [name, "out.mp4"]


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.avi"])
def test_an_input_that_vanished_costs_its_sound_only(name, tmp_path):
    path = write_film(tmp_path / name, [Sound("ac3")], codec="mpeg4")
    with (
        open_source(path) as source,
        open_sink(tmp_path / "out.mp4", like=source.info, source=path, audio=True) as sink,
    ):
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
        path.unlink()
    assert probe(tmp_path / "out.mp4").frames == 25
    assert ["no such file" in line for line in sink.warnings] == [True]


class FullDisk:
    """A file on a disk that fills after some bytes."""

    def __init__(self, file, room, code):
        self._file, self._room, self._code = file, room, code

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(self._code, os.strerror(self._code))
        return self._file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 3000, 12_000])
@pytest.mark.parametrize(("code", "word"), [(errno.ENOSPC, "no space left"), (errno.EIO, "reports an error")])
def test_a_disk_that_fills_in_the_second_step_is_told_and_leaves_nothing(room, code, word, tmp_path, monkeypatch):
    path = write_film(tmp_path / "a.mkv", [Sound("pcm_s16le"), Sound("aac")])
    real = Path.open

    def small(self, mode="r", *args, **kwargs):
        file = real(self, mode, *args, **kwargs)
        return FullDisk(file, room, code) if mode == "wb" and "dressed" in self.name else file

    monkeypatch.setattr(Path, "open", small)
    with pytest.raises(OutputError, match=word) as error:
        again(path, tmp_path / "results" / "out.mp4")
    assert len(str(error.value).splitlines()) == 1
    assert list((tmp_path / "results").iterdir()) == []


def test_a_disk_that_fills_with_the_last_tags_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    path = write_film(tmp_path / "a.mkv", [Sound("aac")], tags={"strange": "tag"})
    real = Path.open

    def small(self, mode="r", *args, **kwargs):
        file = real(self, mode, *args, **kwargs)
        return FullDisk(file, 10, errno.ENOSPC) if mode == "r+b" else file

    monkeypatch.setattr(Path, "open", small)
    with pytest.raises(OutputError, match="no space left"):
        again(path, tmp_path / "results" / "out.mp4")
    assert list((tmp_path / "results").iterdir()) == []
