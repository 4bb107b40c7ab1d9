"""Stills of every format: known by their content, whole, at their depth, and their first picture's end is the end."""

from __future__ import annotations

import io
import resource
import warnings

import cv2
import imagecodecs
import numpy as np
import pillow_heif
import pytest
from media_clips import DATA, natural
from PIL import Image

from ddvideo.errors import InputError
from ddvideo.media import open_source, probe
from ddvideo.media.image_header import IMAGE_SUFFIXES, is_image

FOOTAGE = DATA.parent / "footage"
PHOTO = natural(1, 96, 64)[0]
DEEP = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 65536, (8, 12, 3), np.uint16), 8, 0), 8, 1)
QUARTERS = np.kron(np.array([[30, 200], [120, 250]], np.uint8), np.ones((96, 96), np.uint8))


@pytest.fixture(autouse=True, scope="module")
def _heif():
    pillow_heif.register_heif_opener()


def packed(photo, format, **how):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, format, **how)
    return file.getvalue()


def heif(samples, mode="RGB;16", **how):
    file = io.BytesIO()
    picture = pillow_heif.from_bytes(mode=mode, size=samples.shape[1::-1], data=samples.tobytes())
    picture.save(file, quality=-1, chroma=444, matrix_coefficients=0, **how)
    return file.getvalue()


def pnm(samples, magic, most):
    head = f"{magic}\n# a comment\n{samples.shape[1]} {samples.shape[0]}\n{most}\n".encode()
    if magic in ("P2", "P3"):
        return head + " ".join(map(str, samples.ravel())).encode()
    return head + samples.astype(np.uint8 if most < 256 else ">u2").tobytes()


def read(path):
    with open_source(path) as source:
        (frame,) = source.frames()
        return frame.rgb, source.info


FORMATS = {
    "png": (lambda: packed(PHOTO, "PNG"), 0),
    "bmp": (lambda: packed(PHOTO, "BMP"), 0),
    "jpeg": (lambda: packed(PHOTO, "JPEG", quality=98, subsampling=0), 6),
    "webp": (lambda: packed(PHOTO, "WEBP", lossless=True), 0),
    "tiff": (lambda: packed(PHOTO, "TIFF"), 0),
    "tga": (lambda: packed(PHOTO, "TGA"), 0),
    "pnm": (lambda: packed(PHOTO, "PPM"), 0),
    "gif": (lambda: packed(PHOTO // 64 * 64, "GIF"), 64),
    "heif": (lambda: packed(PHOTO, "HEIF", quality=-1, chroma=444), 4),
    "avif": (lambda: packed(PHOTO, "AVIF", quality=100, subsampling="4:4:4"), 4),
    "jpeg2000": (lambda: packed(PHOTO, "JPEG2000"), 0),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("suffix", ["own", ".jpg", ".png", ".mp4"])
def test_the_content_tells_the_format(format, suffix, tmp_path):
    if format == "tga" and suffix != "own":
        pytest.skip("TGA is known by its name alone")
    make, error = FORMATS[format]
    path = tmp_path / f"a{'.' + format if suffix == 'own' else suffix}"
    path.write_bytes(make())
    rgb, info = read(path)
    assert is_image(path)
    assert (info.kind, info.codec, info.frames, info.bit_depth, info.has_alpha) == ("image", format, 1, 8, False)
    assert info.warnings == ()
    assert rgb.shape == PHOTO.shape
    assert np.abs(rgb.astype(int) - PHOTO).max() <= error


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.97])
def test_one_that_is_cut_off_is_refused_in_one_line(format, keep, tmp_path, capfd):
    data = FORMATS[format][0]()
    path = tmp_path / f"a.{format}"
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"a\.\w+: .*(cut off|damaged)") as error:
        probe(path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "heif", "avif", "gif", "bmp"])
def test_what_follows_the_first_picture_is_left_alone(format, make, clip, tmp_path):
    path = tmp_path / f"a.{format}"
    path.write_bytes(FORMATS[format][0]())
    alone, _ = read(path)
    # Behind photos phones put clips, whose bytes look like a JPEG's marks now and then, and more pictures.
    for more in (
        make("c.mp4", clip[:2]).read_bytes(),
        b"\xff\xda\0\x08scan\xff\xd8",
        packed(PHOTO, "JPEG"),
        bytes(9000),
    ):
        if format in ("heif", "avif"):
            more = (len(more) + 8).to_bytes(4) + b"mpvd" + more
        path.write_bytes(FORMATS[format][0]() + more)
        rgb, info = read(path)
        assert np.array_equal(rgb, alone)
        assert (info.kind, info.warnings) == ("image", ())


@pytest.mark.parametrize("progressive", [False, True])
def test_a_thumbnail_s_end_is_not_the_end(progressive, tmp_path):
    thumbnail = packed(PHOTO[::8, ::8], "JPEG")
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    data = packed(PHOTO, "JPEG", progressive=progressive)
    data = data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2) + block + data[2:]
    (tmp_path / "a.jpg").write_bytes(data)
    assert read(tmp_path / "a.jpg")[0].shape == PHOTO.shape
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(InputError, match="cut off"):
        probe(tmp_path / "a.jpg")


def test_of_several_jpegs_in_a_file_the_first_is_the_still(tmp_path):
    Image.fromarray(PHOTO).save(
        tmp_path / "a.mpo", "MPO", save_all=True, append_images=[Image.fromarray(255 - PHOTO)], quality=98
    )
    rgb, info = read(tmp_path / "a.mpo")
    assert (info.kind, info.codec, info.frames) == ("image", "jpeg", 1)
    assert np.abs(rgb.astype(int) - PHOTO).mean() < 3


@pytest.mark.parametrize("format", ["png", "bmp", "jpeg", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1"])
def test_ordinary_ones_are_as_opencv_reads_them(format, mode, tmp_path):
    if (format, mode) in {("jpeg", "P"), ("jpeg", "1"), ("webp", "P"), ("webp", "1")}:
        pytest.skip("there are none")
    file = io.BytesIO()
    Image.fromarray(PHOTO).convert(mode).save(file, format.upper())
    (tmp_path / "a").write_bytes(file.getvalue())
    wanted = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(read(tmp_path / "a")[0], wanted)


DEEP_ONES = {
    "a.png": (lambda: imagecodecs.png_encode(DEEP), 0),
    "a.jp2": (lambda: imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True), 0),
    "a.j2k": (lambda: imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True, codecformat="j2k"), 0),
    "b.jp2": (lambda: imagecodecs.jpeg2k_encode(DEEP >> 4, level=0, reversible=True, bitspersample=12), 16),
    "a.ppm": (lambda: pnm(DEEP, "P6", 65535), 0),
    "b.ppm": (lambda: pnm(DEEP >> 6, "P6", 1023), 64),
    "c.ppm": (lambda: pnm(DEEP, "P3", 65535), 0),
    "a.heic": (lambda: heif(DEEP), 400),
    "a.avif": (lambda: imagecodecs.avif_encode(DEEP >> 6, bitspersample=10, level=100), 400),
    "b.avif": (lambda: imagecodecs.avif_encode(DEEP >> 4, bitspersample=12, level=100), 100),
}


@pytest.mark.parametrize("name", DEEP_ONES)
def test_deep_ones_stay_deep_and_fill_the_range(name, tmp_path):
    make, error = DEEP_ONES[name]
    (tmp_path / name).write_bytes(make())
    rgb, info = read(tmp_path / name)
    assert (rgb.dtype, info.bit_depth, info.pix_fmt) == (np.uint16, 16, "rgb48le")
    inner = rgb[2::8, 2::8].astype(int)
    assert np.abs(inner - DEEP[2::8, 2::8]).max() <= error
    assert len(np.unique(rgb)) > 256


@pytest.mark.parametrize("name", ["g.png", "g.jp2", "g.pgm", "g2.pgm"])
def test_deep_grey_stays_deep(name, tmp_path):
    grey = np.ascontiguousarray(DEEP[..., 0])
    data = {
        "g.png": lambda: imagecodecs.png_encode(grey),
        "g.jp2": lambda: imagecodecs.jpeg2k_encode(grey, level=0, reversible=True),
        "g.pgm": lambda: pnm(grey, "P5", 65535),
        "g2.pgm": lambda: pnm(grey, "P2", 65535),
    }[name]()
    (tmp_path / name).write_bytes(data)
    assert np.array_equal(read(tmp_path / name)[0], np.repeat(grey[..., None], 3, 2))


@pytest.mark.parametrize("tile", [64, 128])
def test_a_heic_of_tiles_is_read_whole(tile, tmp_path):
    photo = np.repeat(QUARTERS[..., None], 3, 2)
    (tmp_path / "a.heic").write_bytes(packed(photo, "HEIF", quality=-1, tile_size=tile))
    assert b"grid" in (tmp_path / "a.heic").read_bytes()
    rgb, info = read(tmp_path / "a.heic")
    assert (info.width, info.height) == (192, 192)
    assert np.abs(rgb.astype(int) - photo).max() <= 4


def test_of_several_pictures_in_a_heic_the_main_one_is_read(tmp_path):
    file = pillow_heif.from_pillow(Image.fromarray(255 - PHOTO))
    file.add_from_pillow(Image.fromarray(PHOTO))
    file.primary_index = 1
    file.save(tmp_path / "a.heic", quality=-1, primary_index=1)
    rgb, info = read(tmp_path / "a.heic")
    assert info.warnings == ("it holds 2 pictures, and only the main one is read",)
    assert np.abs(rgb.astype(int) - PHOTO).mean() < 4


@pytest.mark.parametrize("make", ["jpeg", "webp", "bmp", "gif", "tga", "pnm", "tiff"])
def test_an_absurd_size_takes_no_memory(make, tmp_path):
    side = 40000
    small = side.to_bytes(2, "little")
    data = {
        "jpeg": b"\xff\xd8\xff\xc0\0\x11\x08"
        + side.to_bytes(2) * 2
        + b"\x03\1\x22\0\2\x11\1\3\x11\1\xff\xda"
        + bytes(99),
        "webp": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (side - 1).to_bytes(3, "little") * 2 + bytes(50),
        "bmp": b"BM"
        + bytes(12)
        + (40).to_bytes(4, "little")
        + side.to_bytes(4, "little") * 2
        + b"\1\0\x18"
        + bytes(99),
        "gif": b"GIF89a" + small * 2 + b"\0\0\0," + bytes(4) + small * 2 + b"\0\2\0;",
        "tga": bytes(2) + b"\2" + bytes(9) + small * 2 + b"\x18\0" + bytes(99),
        "pnm": b"P6 40000 40000 255\n" + bytes(99),
        "tiff": b"II*\0\x08\0\0\0\4\0"
        + b"".join(
            tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
            for tag, value in ((256, side), (257, side), (262, 1), (273, 8))
        )
        + bytes(4),
    }[make]
    path = tmp_path / f"huge.{make}"
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"huge\.\w+: .*(pixels|damaged)"):
        probe(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_a_large_picture_makes_no_noise(tmp_path):
    """Between what Pillow warns of and what ddvideo refuses."""
    Image.fromarray(np.zeros((9500, 9500), np.uint8)).save(tmp_path / "a.gif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_source(tmp_path / "a.gif") as source:
            assert source.info.width == 9500


@pytest.mark.parametrize(
    "data",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.4\n1 0 obj\n",
        b"8BPS\0\1" + bytes(60),
        b"\n\0\0\0",
    ],
    ids=["eps", "pdf", "psd", "pcx"],
)
def test_other_formats_of_pillow_are_not_tried(data, tmp_path):
    for name in ("a.png", "a.heic", "a.tga", "a.eps"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError) as error:
            probe(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_folder_of_the_new_formats_is_frames(tmp_path):
    frames = natural(3, 96, 64)
    for index, frame in enumerate(frames):
        (tmp_path / f"{index}.avif").write_bytes(packed(frame, "AVIF", quality=100))
    info = probe(tmp_path)
    assert (info.kind, info.frames, info.codec) == ("frames", 3, "avif")
    assert {".heic", ".heif", ".avif", ".jp2", ".j2k", ".jfif", ".tga"} <= IMAGE_SUFFIXES


@pytest.mark.parametrize("brand", [b"hevc", b"msf1", b"hevx"])
def test_a_heif_sequence_is_a_video_or_named_as_what_it_is(brand, make, clip, tmp_path):
    data = bytearray(make("c.mp4", clip[:3]).read_bytes())
    data[8:12] = brand
    (tmp_path / "a.heics").write_bytes(data)
    assert (probe(tmp_path / "a.heics").kind, probe(tmp_path / "a.heics").frames) == ("video", 3)
    (tmp_path / "a.heics").write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match="a HEIF image sequence that cannot be read; export it as a video"):
        probe(tmp_path / "a.heics")


@pytest.mark.data
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the evaluation data folder is absent")
def test_a_real_motion_photo():
    rgb, info = read(FOOTAGE / "motion_min.jpg")
    assert (info.kind, rgb.shape, info.warnings) == ("image", (54, 96, 3), ())
