"""Stills and folders of frames, in and out."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media_clips import natural, write_layer

from ddvideo.errors import InputError, OutputError, ShapeError, UsageError
from ddvideo.media import open_sink, open_source, probe, read_layer


def save(path, rgb, *more):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), list(more))[1].tobytes())
    return path


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF block that tells one tag: orientation."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.fixture
def photo():
    return natural(1, 96, 64)[0]


def only(path):
    with open_source(path) as source:
        frames = list(source.frames())
    assert len(frames) == 1
    return frames[0].rgb


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".webp"])
def test_an_image_is_read_exactly(suffix, photo, tmp_path):
    path = save(tmp_path / f"a{suffix}", photo, *([cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []))
    info = probe(path)
    assert (info.kind, info.width, info.height, info.frames, info.bit_depth) == ("image", 96, 64, 1, 8)
    assert np.array_equal(only(path), photo)


def test_sixteen_bits_stay_sixteen(photo, tmp_path):
    deep = photo.astype(np.uint16) * 200 + 7
    path = save(tmp_path / "deep.png", deep)
    info = probe(path)
    assert (info.bit_depth, info.pix_fmt) == (16, "rgb48le")
    assert np.array_equal(only(path), deep)
    with open_sink(tmp_path / "out.png", like=info, format="png") as sink:
        sink.write(deep.astype(np.float32) / 65535)
    assert sink.pix_fmt == "rgb48be"
    assert np.array_equal(only(tmp_path / "out.png"), deep)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, photo, tmp_path):
    upright = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: np.rot90(photo, -1),
        7: photo[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(photo),
    }[orientation]
    path = save(tmp_path / "a.jpg", photo, cv2.IMWRITE_JPEG_QUALITY, 98)
    path.write_bytes(with_orientation(path.read_bytes(), orientation))
    info = probe(path)
    assert (info.height, info.width) == upright.shape[:2]
    assert np.abs(only(path).astype(int) - upright).mean() < 3


def test_a_grey_image_becomes_rgb_and_transparency_is_over_black(photo, tmp_path):
    grey = photo[:, :, 1]
    (tmp_path / "grey.png").write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    assert np.array_equal(only(tmp_path / "grey.png"), np.stack([grey] * 3, -1))
    rgba = np.dstack([photo[:, :, ::-1], grey])
    (tmp_path / "rgba.png").write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    assert np.array_equal(only(tmp_path / "rgba.png"), np.rint(photo * (grey[..., None] / 255)))


@pytest.mark.parametrize(("name", "keep"), [("a.jpg", 0.5), ("a.png", 0.5), ("a.jpg", 0.02), ("a.png", 0.01)])
def test_a_cut_off_image_is_refused(name, keep, photo, tmp_path):
    path = save(tmp_path / name, photo)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) + 8])
    with pytest.raises(InputError, match=r"cut off|damaged"):
        probe(path)


def test_a_folder_of_frames_is_read_in_natural_order(tmp_path):
    frames = natural(12, 48, 32)
    for index, frame in enumerate(frames):
        save(tmp_path / "shots" / f"frame{index}.png", frame)
    (tmp_path / "shots" / ".hidden.png").write_bytes(b"")
    (tmp_path / "shots" / "notes.txt").write_text("not a frame")
    info = probe(tmp_path / "shots")
    assert (info.kind, info.frames, info.fps, info.warnings) == ("frames", 12, 25, ())
    with open_source(tmp_path / "shots") as source:
        read = list(source.frames(2, 11))
    assert [frame.index for frame in read] == list(range(2, 11))
    assert [frame.pts_seconds for frame in read] == [Fraction(i, 25) for i in range(2, 11)]
    assert all(np.array_equal(frame.rgb, frames[frame.index]) for frame in read)


def test_a_folder_tells_gaps_and_refuses_mixed_sizes(tmp_path):
    frames = natural(12, 48, 32)
    for index in [0, 1, 2, 3, 4, 5, 6, 9, 10, 11]:
        save(tmp_path / "shots" / f"{index:03d}.png", frames[index])
    assert "after 006.png" in probe(tmp_path / "shots").warnings[0]
    save(tmp_path / "shots" / "012.png", natural(1, 50, 32)[0])
    with pytest.raises(InputError, match=r"012\.png: 50x32"):
        probe(tmp_path / "shots")


def test_stills_together_are_frames_in_the_order_given(tmp_path):
    frames = natural(6, 48, 32)
    names = ("9.png", "5.tiff", "4.bmp", "3.png", "2.png", "1.png")
    paths = tuple(save(tmp_path / name, frame) for name, frame in zip(names, frames, strict=True))
    info = probe(paths)
    assert (info.kind, info.frames, info.width, info.height) == ("frames", 6, 48, 32)
    assert info.warnings == (), "their names are no numbers of frames"
    assert (info.path, info.paths, info.source) == (paths[0], paths, paths)
    assert probe(paths[0]).source == paths[0]
    with open_source(paths) as source:
        read = list(source.frames(1, 4))
    assert [frame.index for frame in read] == [1, 2, 3]
    assert all(np.array_equal(frame.rgb, frames[frame.index]) for frame in read)


def test_stills_together_have_the_depth_and_turn_of_the_first(photo, tmp_path):
    deep, flat = save(tmp_path / "deep.png", photo.astype(np.uint16) * 257), save(tmp_path / "flat.png", photo)
    with open_source((deep, flat)) as source:
        assert source.info.bit_depth == 16
        one, other = (frame.rgb for frame in source.frames())
    assert np.array_equal(one, other)
    turned = save(tmp_path / "turned.jpg", photo)
    turned.write_bytes(with_orientation(turned.read_bytes(), 6))
    with open_source((flat, turned)) as source, pytest.raises(InputError, match=r"turned\.jpg: it is turned"):
        list(source.frames())


def test_stills_together_are_stills_each_once_and_of_one_size(photo, make, tmp_path):
    path = save(tmp_path / "a.png", photo)
    other = save(tmp_path / "b.png", photo[:, :-1])
    (tmp_path / "hole").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no image")
    moving = save(tmp_path / "moving.webp", photo)
    moving.write_bytes(b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x5f\0\0\x3f\0\0")
    for paths, error, said in (
        ((path, other), InputError, r"b\.png: 95x64 pixels, but a\.png has 96x64; all images taken together"),
        ((path, path), UsageError, r"a\.png: the same image"),
        ((path,), UsageError, r"a\.png: two images or more"),
        ((), UsageError, "no image: two images or more"),
        ((path, tmp_path / "hole"), UsageError, "hole: a folder"),
        ((path, make("c.mp4", [photo])), UsageError, r"c\.mp4: it is no still image"),
        ((path, moving), UsageError, r"moving\.webp: it is no still image"),
        ((path, tmp_path / "broken.png"), InputError, r"broken\.png: the image's header is damaged"),
        ((path, tmp_path / "gone.png"), InputError, r"gone\.png: cannot be read"),
        ((path, Path("/dev/null")), InputError, "/dev/null: it is neither"),
    ):
        with pytest.raises(error, match=said):
            probe(paths)


def test_png_folders_are_written_whole_and_replace_older_ones(make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:4]))
    out = tmp_path / "results" / "foreground"
    for count in (4, 2):
        with open_sink(out, like=info, format="png") as sink:
            for frame in clip[:count]:
                sink.write(frame)
            assert len(list((tmp_path / "results" / "foreground").glob("*"))) in (0, 4), "not before it is whole"
        assert sorted(item.name for item in out.iterdir()) == [f"{i:06d}.png" for i in range(count)]
    assert [item.name for item in (tmp_path / "results").iterdir()] == ["foreground"]
    with open_source(out) as source:
        assert all(np.array_equal(frame.rgb, clip[frame.index]) for frame in source.frames())


def test_a_folder_with_other_files_is_not_deleted(make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:1]))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with (
        pytest.raises(OutputError, match=r"thesis\.txt"),
        open_sink(tmp_path / "mine", like=info, format="png") as sink,
    ):
        sink.write(clip[0])
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_rgba_and_alpha_layers_are_exact(photo, tmp_path):
    info = probe(save(tmp_path / "in.png", photo))
    rgba = np.dstack([photo, photo[:, :, 0]])
    with open_sink(tmp_path / "foreground.png", like=info, format="png") as sink:
        sink.write(rgba)
    assert sink.pix_fmt == "rgba"
    with open_sink(tmp_path / "alpha.png", like=info, kind="alpha", format="png") as sink:
        sink.write(photo[:, :, :1].astype(np.float32) / 255)
    assert sink.pix_fmt == "gray"
    (layer,) = read_layer(tmp_path / "foreground.png")
    assert np.array_equal(np.rint(layer * 255), rgba)
    (alpha,) = read_layer(tmp_path / "alpha.png")
    assert alpha.shape == (64, 96)
    assert np.array_equal(np.rint(alpha * 255), photo[:, :, 0])


def test_an_image_takes_one_frame_of_its_size(photo, tmp_path):
    info = probe(save(tmp_path / "in.png", photo))
    with pytest.raises(UsageError, match="one frame"):
        write_layer(tmp_path / "o.png", [photo, photo], like=info, format="png")
    with pytest.raises(ShapeError, match="64, 96"):
        write_layer(tmp_path / "o.png", [photo[1:]], like=info, format="png")
    assert not (tmp_path / "o.png").exists()


def test_frames_of_a_folder_make_an_mp4(tmp_path):
    frames = natural(5, 48, 32)
    for index, frame in enumerate(frames):
        save(tmp_path / "shots" / f"{index}.png", frame)
    info = probe(tmp_path / "shots")
    with open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in frames:
            sink.write(frame)
    result = probe(tmp_path / "out.mp4")
    assert (result.frames, result.fps, result.width, result.height) == (5, 25, 48, 32)
