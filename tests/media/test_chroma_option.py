"""Chroma and odd sizes of what is written: what players take by default, what is kept on request, and what is told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from media_clips import natural, texture

from ddvideo.media import open_sink, open_source, probe, read_layer

SIZES = [(131, 97), (130, 97), (131, 96), (1, 1)]
PLAYED_EVERYWHERE = {66: "Baseline", 77: "Main", 100: "High"}
FFV1 = {"codec": "ffv1", "options": {}}


def profile(path):
    """``profile_idc`` of the file's H.264 stream (ISO/IEC 14496-15, 5.3.3.1.2)."""
    with av.open(path) as container:
        return container.streams.video[0].codec_context.extradata[1]


def even(value, step=2):
    return -(-value // step) * step


def soft(count, width, height):
    """Frames without fine chroma, so that what differs is not 4:2:0 itself."""
    rng = np.random.default_rng(width)
    luma = texture(rng, height, width + count)[:, :, None] * 30
    warm = np.linspace(90, 160, width + count)[None, :, None] * np.array([1.0, 0.9, 0.7])
    pictures = np.clip(luma + warm, 8, 247).round().astype(np.uint8)
    return [pictures[:, t : t + width] for t in range(count)]


@pytest.fixture
def lossless(make):
    """``lossless(size, pix_fmt)``: a clip of that size and format that no codec has touched."""

    def write(size, pix_fmt, *, count=4):
        width, height = size
        frames = soft(count, width, height) if min(size) > 1 else [np.full((1, 1, 3), 90, np.uint8)] * count
        name = f"{width}x{height}-{pix_fmt}.mkv"
        return make(name, frames, pix_fmt=pix_fmt, tagged="rgb" not in pix_fmt and "gbr" not in pix_fmt, **FFV1)

    return write


def layers_of(path, folder, **how):
    """The clip written as a colour layer and as an alpha layer; gives the info and both sinks."""
    info = probe(path)
    with (
        open_source(path) as source,
        open_sink(folder / "colour.mp4", like=info, **how) as colour,
        open_sink(folder / "alpha.mp4", like=info, kind="alpha", **how) as alpha,
    ):
        for frame in source.frames():
            colour.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
            alpha.write(frame.rgb[:, :, :1], frame.pts_seconds, frame.duration_seconds)
    return info, colour, alpha


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("pix_fmt", "written", "steps"),
    [
        ("yuv420p", "yuv420p", (2, 2)),
        ("yuv420p10le", "yuv420p10le", (2, 2)),
        ("yuv422p", "yuv422p", (2, 1)),
        ("yuv422p10le", "yuv422p10le", (2, 1)),
        ("yuv411p", "yuv422p", (2, 1)),
        ("yuv444p", "yuv444p", (1, 1)),
        ("yuv444p10le", "yuv444p10le", (1, 1)),
        ("bgr0", "yuv444p", (1, 1)),
        ("gray", "yuv420p", (2, 2)),
    ],
)
def test_odd_sizes_are_padded_for_subsampled_chroma_alone(size, pix_fmt, written, steps, lossless, tmp_path):
    if pix_fmt == "yuv411p" and size == (1, 1):
        pytest.skip("no encoder makes it")
    path = lossless(size, pix_fmt)
    info, colour, alpha = layers_of(path, tmp_path)
    padded = even(size[0], steps[0]), even(size[1], steps[1])
    assert (colour.pix_fmt, alpha.pix_fmt) == (written, "gray")
    for name in ("colour", "alpha"):
        result = probe(tmp_path / f"{name}.mp4")
        assert (result.width, result.height, result.frames) == (*padded, 4), "all layers of a run have one size"
    assert colour.warnings == alpha.warnings, "told once"
    if padded == size:
        assert colour.warnings == []
    else:
        (told,) = colour.warnings
        for part in (f"{size[0]}x{size[1]}", f"{padded[0]}x{padded[1]}", "--chroma 444"):
            assert part in told
        assert ("column" in told, "row" in told) == (padded[0] > size[0], padded[1] > size[1])
    if written == "yuv420p":
        assert profile(tmp_path / "colour.mp4") in PLAYED_EVERYWHERE
    with open_source(path) as source:
        given = [frame.rgb.astype(float) / np.iinfo(frame.rgb.dtype).max for frame in source.frames()]
    back = list(read_layer(tmp_path / "colour.mp4", size=size))
    assert [frame.shape for frame in back] == [(info.height, info.width, 3)] * 4
    error = np.mean((np.array(back) - np.array(given)) ** 2)
    assert -10 * np.log10(max(error, 1e-9)) > 41
    edges = np.abs(np.array(back) - np.array(given))
    assert edges[:, :, -1].mean() < 0.02, "the last column is as good as any"
    assert edges[:, -1].mean() < 0.02, "the last row is as good as any"
    mattes = np.array(list(read_layer(tmp_path / "alpha.mp4", size=size)))
    assert mattes.shape == (4, info.height, info.width)
    assert np.abs(mattes - np.array(given)[..., 0]).max() < 3 / 255


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_the_last_column_and_row_are_repeated(pix_fmt, lossless, tmp_path):
    path = lossless((131, 97), pix_fmt)
    layers_of(path, tmp_path, chroma="420")
    for name in ("colour", "alpha"):
        (first, *_) = read_layer(tmp_path / f"{name}.mp4")
        assert first.shape[:2] == (98, 132)
        assert np.abs(first[:, -1] - first[:, -2]).mean() < 0.02
        assert np.abs(first[-1] - first[-2]).mean() < 0.02


@pytest.mark.parametrize("size", [(131, 97), (130, 97), (131, 96), (130, 96)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "bgr0"])
@pytest.mark.parametrize("chroma", ["420", "422", "444"])
def test_the_chroma_that_is_asked_for_is_written(size, pix_fmt, chroma, lossless, tmp_path):
    path = lossless(size, pix_fmt, count=2)
    _, colour, alpha = layers_of(path, tmp_path, chroma=chroma)
    deep = "10le" if pix_fmt.endswith("10le") else ""
    assert (colour.pix_fmt, alpha.pix_fmt) == (f"yuv{chroma}p{deep}", "gray")
    steps = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[chroma]
    for name in ("colour", "alpha"):
        result = probe(tmp_path / f"{name}.mp4")
        assert (result.width, result.height) == (even(size[0], steps[0]), even(size[1], steps[1]))
    assert probe(tmp_path / "colour.mp4").pix_fmt == colour.pix_fmt


def test_full_chroma_holds_colours_that_420_mixes(make, tmp_path):
    columns = np.zeros((64, 64, 3), np.uint8)
    columns[:, ::2], columns[:, 1::2] = (200, 60, 60), (60, 60, 200)
    path = make("stripes.mkv", [columns] * 2, pix_fmt="bgr0", tagged=False, **FFV1)
    errors = {}
    for chroma in ("420", "422", "444", "auto"):
        layers_of(path, tmp_path, chroma=chroma)
        errors[chroma] = 255 * np.abs(next(read_layer(tmp_path / "colour.mp4")) - columns / 255).mean()
    assert errors["444"] < 2.5
    assert errors["auto"] == errors["444"]
    assert min(errors["420"], errors["422"]) > 20


@pytest.mark.parametrize("size", [(131, 97), (130, 97), (131, 96)])
@pytest.mark.parametrize("depth", [8, 16])
def test_pictures_keep_their_size_whatever_the_chroma(size, depth, tmp_path, lossless):
    info = replace(probe(lossless(size, "yuv420p")), bit_depth=depth)
    with open_sink(tmp_path / "layer", like=info, format="png", chroma="420") as sink:
        sink.write(np.full((size[1], size[0], 3), 0.5, np.float32))
    (back,) = read_layer(tmp_path / "layer", size=size)
    assert back.shape == (size[1], size[0], 3)
    assert sink.warnings == []


def test_a_folder_of_pictures_as_mp4_is_420(tmp_path):
    for number in range(3):
        with open_sink(
            tmp_path / "in" / f"{number}.png", like=replace(_still(), width=31, height=21), format="png"
        ) as sink:
            sink.write(np.full((21, 31, 3), 0.2 * number, np.float32))
    _, colour, _ = layers_of(tmp_path / "in", tmp_path)
    assert colour.pix_fmt == "yuv420p"
    assert probe(tmp_path / "colour.mp4").width == 32


def _still():
    from ddvideo.types import InputInfo

    return InputInfo(
        path=__file__, kind="image", width=1, height=1, frames=1, fps=Fraction(25), duration_seconds=0.04,
        codec="png", pix_fmt="rgb24",
    )  # fmt: skip


@pytest.mark.parametrize("size", [(131, 97), (130, 97), (131, 96), (130, 96)])
@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p", "yuv444p12le", "bgr0", "gbrp10le"]
)
def test_a_preview_is_what_browsers_play_whatever_the_input(size, pix_fmt, lossless, tmp_path):
    path = lossless(size, pix_fmt)
    info = probe(path)
    with (
        open_source(path) as source,
        open_sink(tmp_path / "preview.mp4", like=info, quality="preview", chroma="444") as sink,
    ):
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    result = probe(tmp_path / "preview.mp4")
    assert (result.pix_fmt, result.bit_depth, result.codec) == ("yuv420p", 8, "h264")
    assert (result.width % 2, result.height % 2) == (0, 0)
    assert profile(tmp_path / "preview.mp4") in PLAYED_EVERYWHERE
    assert top_boxes(tmp_path / "preview.mp4")[:2] == ["ftyp", "moov"]
    with open_source(path) as source, open_source(tmp_path / "preview.mp4") as preview:
        for one, two in zip(source.frames(), preview.frames(), strict=True):
            assert one.pts_seconds == two.pts_seconds
            given = one.rgb / np.iinfo(one.rgb.dtype).max
            assert np.abs(two.rgb[: size[1], : size[0]] / 255 - given).mean() < 0.03


def top_boxes(path):
    """Names of the boxes of an MP4 file (ISO/IEC 14496-12, 4.2), without padding."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8].decode()
        names.append(name)
        at += size if size != 1 else int.from_bytes(data[at + 8 : at + 16], "big")
    return [name for name in names if name != "free"]


def test_the_index_of_a_preview_with_sound_is_in_front_and_points_right(make, tmp_path):
    frames = natural(60, 160, 96)
    path = make("in.mp4", frames, audio="aac")
    info = probe(path)
    with open_sink(tmp_path / "p.mp4", like=info, source=path, audio=True, quality="preview") as sink:
        for frame in frames:
            sink.write(frame)
    assert top_boxes(tmp_path / "p.mp4") == ["ftyp", "moov", "mdat"]
    with av.open(path) as before, av.open(tmp_path / "p.mp4") as after:
        assert [bytes(p) for p in after.demux(audio=0) if p.size] == [bytes(p) for p in before.demux(audio=0) if p.size]
    with open_source(tmp_path / "p.mp4") as source:
        assert np.mean([np.abs(f.rgb.astype(int) - g).mean() for f, g in zip(source.frames(), frames, strict=True)]) < 6
    assert [file.name for file in tmp_path.iterdir() if "part" in file.name] == []
