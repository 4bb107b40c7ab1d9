"""HDR footage: what it says of its colours goes along; grey layers are no light; what cannot be shown is refused."""

from __future__ import annotations

import av
import numpy as np
import pytest
from boxes import box, put_inside, rename
from media_clips import natural

from ddvideo.errors import InputError
from ddvideo.media import open_sink, open_source, probe

MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
MASTERING_BT2020 = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(40000000,1)"
LIGHT = "1000,400"
# Name -> transfer, primaries, matrix (code points), and their names.
KINDS = {
    "hlg.mov": (18, 9, 9, ("arib-std-b67", "bt2020", "bt2020nc")),
    "pq.mp4": (16, 9, 9, ("smpte2084", "bt2020", "bt2020nc")),
    "wide.mkv": (14, 9, 9, ("bt2020-10", "bt2020", "bt2020nc")),
    "p3.mp4": (16, 12, 9, ("smpte2084", "smpte432", "bt2020nc")),
}


def write_hdr(path, name, params=""):
    transfer, primaries, matrix, _ = KINDS[name]
    with av.open(path, "w") as file:
        told = f"log-level=none:keyint=4:bframes=2{params}"
        stream = file.add_stream("libx265", rate=25, options={"preset": "ultrafast", "x265-params": told})
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p10le"
        codec = stream.codec_context
        codec.color_range, codec.colorspace, codec.color_primaries, codec.color_trc = 1, matrix, primaries, transfer
        for image in natural(6, 96, 80, seed=7):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p10le")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


def write_layers(path, folder):
    info = probe(path)
    with (
        open_source(path) as source,
        open_sink(folder / "colour.mp4", like=info) as colour,
        open_sink(folder / "alpha.mp4", like=info, kind="alpha") as alpha,
    ):
        for frame in source.frames():
            colour.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
            alpha.write(frame.rgb[..., 1], frame.pts_seconds, frame.duration_seconds)
    return info


def tags(path):
    """Range, primaries, transfer and matrix as the file tells them, by code points."""
    with av.open(path) as file:
        told = file.streams.video[0].codec_context
        return told.color_range, told.color_primaries, told.color_trc, told.colorspace


@pytest.mark.parametrize("name", KINDS)
def test_colour_layers_keep_their_tags_and_alpha_has_its_own(name, tmp_path):
    transfer, primaries, matrix, names = KINDS[name]
    path = write_hdr(tmp_path / name, name)
    info = write_layers(path, tmp_path)
    assert (info.colour_transfer, info.colour_primaries, info.colour_space) == names
    assert (info.bit_depth, info.warnings) == (10, ())
    assert tags(tmp_path / "colour.mp4") == (1, primaries, transfer, matrix)
    assert tags(tmp_path / "alpha.mp4") == (2, 1, 1, 1), "shares, not light of the scene"
    with open_source(path) as one, open_source(tmp_path / "colour.mp4") as two:
        for before, after in zip(one.frames(), two.frames(), strict=True):
            assert np.square(before.rgb / 65535 - after.rgb / 65535).mean() < 10**-4.3
            assert before.rgb.dtype == np.uint16


@pytest.mark.parametrize(
    ("mastering", "light"),
    [(MASTERING, LIGHT), (MASTERING_BT2020, "4000,1200"), (MASTERING, "")],
    ids=["p3", "bt2020", "no light level"],
)
def test_mastering_and_light_levels_are_carried(mastering, light, tmp_path):
    params = f":repeat-headers=1:master-display={mastering}" + (f":max-cll={light}" if light else ":hdr10=0")
    info = write_layers(write_hdr(tmp_path / "pq.mp4", "pq.mp4", params), tmp_path)
    assert (info.mastering_display, info.content_light) == (mastering, light)
    again = probe(tmp_path / "colour.mp4")
    assert (again.mastering_display, again.content_light) == (mastering, light)
    grey = probe(tmp_path / "alpha.mp4")
    assert (grey.mastering_display, grey.content_light) == ("", "")


@pytest.mark.parametrize("name", ["hlg.mov", "pq.mp4"])
def test_nothing_is_made_up(name, tmp_path):
    info = write_layers(write_hdr(tmp_path / name, name), tmp_path)
    again = probe(tmp_path / "colour.mp4")
    assert info.mastering_display == info.content_light == again.mastering_display == again.content_light == ""


@pytest.mark.parametrize(
    "mastering",
    [
        MASTERING.replace("G(13250", "G(60000"),
        MASTERING.replace("10000000,50", "50,10000000"),
        MASTERING.replace("10000000,", "2000000000,"),
    ],
    ids=["outside of all colours", "darker than dark", "brighter than PQ"],
)
def test_mastering_that_makes_no_sense_does_not_stop_the_writing(mastering, tmp_path):
    info = write_layers(write_hdr(tmp_path / "pq.mp4", "pq.mp4", f":master-display={mastering}"), tmp_path)
    assert info.mastering_display == ""
    assert probe(tmp_path / "colour.mp4").frames == 6


def dolby(path, profile, compatible, tag=b"dvh1"):
    """Dolby Vision's configuration record (version 1.0, level 6, with RPU and base layer) in a file that is none."""
    bits = profile << 9 | 6 << 3 | 0b101
    record = bytes([1, 0]) + bits.to_bytes(2) + bytes([compatible << 4]) + bytes(19)
    put_inside(path, b"hev1", box(b"dvcC" if profile <= 7 else b"dvvC", record))
    return rename(path, b"hev1", tag)


@pytest.mark.parametrize("tag", [b"dvh1", b"dvhe"])
def test_dolby_vision_without_a_base_layer_is_refused(tag, tmp_path):
    path = dolby(write_hdr(tmp_path / "pq.mp4", "pq.mp4"), 5, 0, tag)
    for look in (probe, open_source):
        with pytest.raises(InputError, match="Dolby Vision profile 5") as error:
            look(path)
        assert len(str(error.value).splitlines()) == 1
        assert "pq.mp4" in str(error.value)
        assert "convert" in str(error.value)


@pytest.mark.parametrize(("profile", "compatible"), [(8, 1), (8, 4), (7, 6)])
@pytest.mark.parametrize("tag", [b"hvc1", b"dvh1"])
def test_dolby_vision_over_an_ordinary_base_layer_is_read(profile, compatible, tag, tmp_path):
    plain = write_hdr(tmp_path / "plain.mp4", "pq.mp4")
    path = dolby(write_hdr(tmp_path / "pq.mp4", "pq.mp4"), profile, compatible, tag)
    assert (probe(path).frames, probe(path).warnings) == (6, ())
    with open_source(path) as one, open_source(plain) as two:
        for frame, same in zip(one.frames(), two.frames(), strict=True):
            assert np.array_equal(frame.rgb, same.rgb)
