"""Animated GIF, WebP, APNG and AVIF are clips: frames as a viewer shows them, at the file's own times."""

from __future__ import annotations

import zlib
from fractions import Fraction
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest
from media_clips import DATA, natural
from PIL import Image

from ddvideo.errors import InputError, UsageError
from ddvideo.media import open_sink, open_source, probe
from ddvideo.media.image_header import is_animation, is_image
from ddvideo.media.masks import read_masks

FOOTAGE = DATA.parent / "footage"
FORMATS = ("gif", "webp", "png", "avif")
DELAYS = (100, 40, 0, 10, 80, 20)
SHOWN = (100, 40, 100, 100, 80, 20)
"""As browsers show these delays."""


def posters(count=6, clear=False):
    """Frames of few colours, which a GIF holds exactly; ``clear``: with a hole that moves."""
    pictures = [frame // 128 * 127 for frame in natural(count, 48, 32)]
    if not clear:
        return pictures
    alpha = [np.full((32, 48), 255, np.uint8) for _ in pictures]
    for index, plane in enumerate(alpha):
        plane[8:24, 4 * index : 4 * index + 12] = 0
    return [np.dstack([picture, plane]) for picture, plane in zip(pictures, alpha, strict=True)]


def write(path, pictures, delays=DELAYS, **how):
    format = path.suffix[1:].upper()
    how = {"GIF": {"disposal": 2}, "WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 100}}.get(
        format, {}
    ) | how
    first, *more = [Image.fromarray(picture) for picture in pictures]
    first.save(path, format, save_all=True, append_images=more, duration=list(delays[: len(pictures)]), **how)
    return path


def read(path, *span):
    with open_source(path) as source:
        return list(source.frames(*span))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("suffix", ["own", ".jpg"])
def test_an_animation_is_a_clip_at_its_own_times(format, suffix, tmp_path):
    path = write(tmp_path / f"a.{format}", posters())
    if suffix != "own":
        path = path.rename(tmp_path / "a.jpg")
    shown = [100, 40, 1, 10, 80, 20] if format == "avif" else [*SHOWN]  # AVIF is a video, and 0 is no duration in it
    info, frames = probe(path), read(path)
    assert is_animation(path)
    assert not is_image(path)
    assert (info.kind, info.frames, info.width, info.height, info.bit_depth) == ("video", 6, 48, 32, 8)
    assert info.codec == {"png": "apng"}.get(format, format)
    assert (info.is_vfr, info.has_alpha, info.warnings, info.audio) == (True, False, (), ())
    assert info.time_base == Fraction(1, 1000)
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.duration_seconds * 1000 for frame in frames] == shown
    assert [frame.pts_seconds * 1000 for frame in frames] == [sum(shown[:index]) for index in range(6)]
    assert info.duration_seconds == pytest.approx(sum(shown) / 1000)
    assert info.fps == pytest.approx(6000 / sum(shown), rel=1e-3)
    assert all(frame.alpha is None for frame in frames)
    with Image.open(path) as image:
        for frame, picture in zip(frames, posters(), strict=True):
            image.seek(frame.index)
            assert np.array_equal(frame.rgb, np.asarray(image.convert("RGB")))
            assert format == "avif" or np.array_equal(frame.rgb, picture)


@pytest.mark.parametrize("format", ["gif", "webp", "png", "avif"])
def test_any_range_is_that_of_a_sequential_read(format, tmp_path):
    path = write(tmp_path / f"a.{format}", posters(clear=True))
    whole = read(path)
    for start, stop in ((0, 1), (1, 2), (2, 5), (5, 6), (3, None), (6, 6), (0, None)):
        part = read(path, start, stop)
        assert [frame.index for frame in part] == list(range(6))[start:stop]
        for frame in part:
            same = whole[frame.index]
            assert (frame.pts_seconds, frame.duration_seconds) == (same.pts_seconds, same.duration_seconds)
            assert np.array_equal(frame.rgb, same.rgb)
            assert np.array_equal(frame.alpha, same.alpha)
    with open_source(path) as source, pytest.raises(UsageError, match="do not lie inside"):
        source.frames(2, 9)


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
def test_transparency_is_beside_colours_over_black(format, tmp_path):
    pictures = posters(clear=True)
    path = write(tmp_path / f"a.{format}", pictures)
    info = probe(path)
    assert (info.has_alpha, info.pix_fmt) == (True, "rgba")
    assert len(info.warnings) == 1
    assert "transparency" in info.warnings[0]
    for frame, picture in zip(read(path), pictures, strict=True):
        assert np.array_equal(frame.alpha, picture[..., 3])
        assert np.array_equal(frame.rgb, picture[..., :3] * (picture[..., 3:] // 255))
    (mask,) = read_masks(path, [2])
    assert np.array_equal(mask, pictures[2][..., 3] / 255)


def test_half_transparency_and_blending_of_webp_and_apng(tmp_path):
    base = np.dstack([posters(1)[0], np.full((32, 48), 255, np.uint8)])
    half = base.copy()
    half[8:24, 8:40, 3] = 100
    for path in (tmp_path / "a.webp", tmp_path / "a.png"):
        write(path, [half, base, half], delays=(50, 50, 50))
        for frame, picture in zip(read(path), [half, base, half], strict=True):
            assert np.array_equal(frame.alpha, picture[..., 3])
            wanted = np.rint(picture[..., :3] * (picture[..., 3:] / 255))
            assert np.array_equal(frame.rgb, wanted)


@pytest.mark.parametrize(
    ("delay", "fps"), [(40, 25), (Fraction(1000, 30), 30), (Fraction(1001000, 30000), Fraction(30000, 1001))]
)
def test_an_even_apng_has_its_exact_rate(delay, fps, tmp_path):
    path = write(tmp_path / "a.png", posters(), delays=[float(delay)] * 6)
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"fcTL", at + 1)) > 0:  # Pillow writes milliseconds; the file may hold any fraction
        seconds = Fraction(delay) / 1000
        data[at + 24 : at + 28] = seconds.numerator.to_bytes(2) + seconds.denominator.to_bytes(2)
        data[at + 30 : at + 34] = zlib.crc32(data[at : at + 30]).to_bytes(4)
    path.write_bytes(data)
    info = probe(path)
    assert (info.fps, info.is_vfr) == (fps, False)
    frames = read(path)
    assert [frame.pts_seconds for frame in frames] == [index / Fraction(fps) for index in range(6)]
    assert all(frame.pts_seconds % info.time_base == 0 for frame in frames)


def test_an_even_webp_rounded_to_milliseconds_is_even(tmp_path):
    path = write(tmp_path / "a.webp", posters(), delays=[33, 33, 34, 33, 33, 34])
    info = probe(path)
    assert (info.fps, info.is_vfr) == (30, False)


def test_the_picture_for_programs_that_know_no_apng_is_no_frame(tmp_path):
    cover, *frames = [Image.fromarray(picture) for picture in posters(4)]
    cover.save(tmp_path / "a.png", save_all=True, append_images=frames, default_image=True, duration=50)
    read_frames = read(tmp_path / "a.png")
    assert len(read_frames) == probe(tmp_path / "a.png").frames == 3
    assert all(np.array_equal(a.rgb, b) for a, b in zip(read_frames, posters(4)[1:], strict=True))


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
def test_one_frame_is_a_still(format, tmp_path):
    path = tmp_path / f"a.{format}"
    Image.fromarray(posters(1)[0]).save(path, **({"lossless": True} if format == "webp" else {}))
    info = probe(path)
    assert (info.kind, info.frames, is_animation(path)) == ("image", 1, False)
    assert np.array_equal(read(path)[0].rgb, posters(1)[0])


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
@pytest.mark.parametrize("keep", [0.4, 0.7, 0.97])
def test_of_a_cut_off_animation_the_frames_that_are_there_are_read(format, keep, tmp_path):
    path = write(tmp_path / f"a.{format}", posters())
    whole, data = read(path), path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    info, frames = probe(path), read(path)
    assert 0 < info.frames < 6
    assert len(info.warnings) == 1
    assert "cut off" in info.warnings[0]
    assert str(info.frames) in info.warnings[0]
    assert len(frames) == info.frames
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(frames, whole, strict=False))


@pytest.mark.parametrize("format", FORMATS)
def test_without_a_whole_frame_it_is_refused_in_one_line(format, tmp_path):
    path = write(tmp_path / f"a.{format}", posters())
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(InputError, match=r"a\.\w+: .*(damaged|cut off)") as error:
        probe(path)
    assert "\n" not in str(error.value)


def test_an_apng_of_sixteen_bits_says_that_it_is_read_with_eight(tmp_path):
    deep = np.stack(posters(3)).astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(imagecodecs.apng_encode(deep, delay=40))
    assert probe(tmp_path / "a.png").warnings == ("its 16 bits are read as 8, as all animations are",)
    assert np.array_equal(read(tmp_path / "a.png")[1].rgb, posters(3)[1])


PALETTE = np.array(
    [[0, 0, 90], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [9, 9, 9], [0, 255, 255], [255] * 3]
)


def packed(indices):
    """GIF's samples, without compression: codes of four bits, cleared before they would grow."""
    codes = [code for start in range(0, indices.size, 6) for code in (8, *indices.ravel()[start : start + 6])] + [9]
    codes += [0] * (len(codes) % 2)
    data = bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
    return (
        b"\3" + b"".join(bytes([len(data[k : k + 255])]) + data[k : k + 255] for k in range(0, len(data), 255)) + b"\0"
    )


def little(*values):
    return b"".join(int(value).to_bytes(2, "little") for value in values)


def gif(width, height, parts):
    data = b"GIF89a" + little(width, height) + b"\xf2\0\0" + PALETTE.astype(np.uint8).tobytes()
    for left, top, indices, disposal, clear in parts:
        data += b"\x21\xf9\4" + bytes([disposal << 2 | (clear is not None), 5, 0, clear or 0, 0])
        data += b"," + little(left, top, *indices.shape[::-1]) + b"\0" + packed(indices)
    return data + b";"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("transparent", [True, False])
def test_gif_frames_go_as_each_of_them_says(seed, transparent, tmp_path):
    """Kept, cleared, or taken back, in any order, of any part of the canvas."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(6):
        width, height = rng.integers(2, 20, 2)
        left, top = rng.integers(0, 20 - width + 1), rng.integers(0, 20 - height + 1)
        clear = int(rng.integers(8)) if transparent else None
        parts.append((left, top, rng.integers(0, 8, (height, width)), int(rng.integers(4)), clear))
    (tmp_path / "a.gif").write_bytes(gif(20, 20, parts))
    empty = [0, 0, 0, 0] if transparent else [*PALETTE[0], 255]
    canvas = np.tile(np.array(empty), (20, 20, 1))
    for frame, (left, top, indices, disposal, clear) in zip(read(tmp_path / "a.gif"), parts, strict=True):
        before, place = canvas.copy(), np.s_[top : top + indices.shape[0], left : left + indices.shape[1]]
        drawn = indices != clear if transparent else np.ones(indices.shape, bool)
        canvas[place][drawn] = np.dstack([PALETTE[indices], np.full(indices.shape, 255)])[drawn]
        assert np.array_equal(frame.rgb, canvas[..., :3] * (canvas[..., 3:] > 0))
        assert np.array_equal(frame.alpha, canvas[..., 3]) if transparent else frame.alpha is None
        if disposal == 2:
            canvas[place] = empty
        elif disposal == 3:
            canvas = before


@pytest.mark.parametrize("disposal", [0, 1, 2])
@pytest.mark.parametrize("clear", [False, True])
def test_gif_frames_are_pillow_s_where_all_go_alike(disposal, clear, tmp_path):
    path = write(tmp_path / "a.gif", posters(clear=clear), disposal=disposal)
    with Image.open(path) as image:
        for frame in read(path):
            image.seek(frame.index)
            wanted = np.asarray(image.convert("RGBA"))
            assert np.array_equal(frame.rgb, wanted[..., :3] * (wanted[..., 3:] // 255))


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
def test_its_times_come_through_an_mp4(format, tmp_path):
    path = write(tmp_path / f"a.{format}", posters())
    info = probe(path)
    with open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in read(path):
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    times = [frame.pts_seconds for frame in read(tmp_path / "out.mp4")]
    assert times == [frame.pts_seconds for frame in read(path)]
    assert all(a < b for a, b in pairwise(times))
    assert probe(tmp_path / "out.mp4").duration_seconds == pytest.approx(info.duration_seconds)


@pytest.mark.parametrize("format", ["webp", "png"])
def test_among_frames_of_a_folder_the_first_frame_counts_and_it_is_told(format, tmp_path):
    for index in range(2):
        write(tmp_path / f"{index}.{format}", posters())
    info = probe(tmp_path)
    assert (info.kind, info.frames) == ("frames", 2)
    assert info.warnings == (f"0.{format}: it is an animation of 6 frames, and only the first is read",)
    assert np.array_equal(read(tmp_path)[0].rgb, posters()[0])


def test_readers_stop_when_the_source_is_closed(tmp_path):
    source = open_source(write(tmp_path / "a.webp", posters()))
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []
    with pytest.raises(UsageError, match="closed"):
        source.frames()


@pytest.mark.data
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the evaluation data folder is absent")
def test_a_real_animated_webp():
    info = probe(FOOTAGE / "anim.webp")
    assert (info.kind, info.frames, info.fps, info.is_vfr, info.has_alpha) == ("video", 8, 25, False, False)
    with Image.open(FOOTAGE / "anim.webp") as image:
        for frame in read(FOOTAGE / "anim.webp"):
            image.seek(frame.index)
            assert np.array_equal(frame.rgb, np.asarray(image.convert("RGB")))
