"""TIFF of every depth, layout and byte order: what tifffile wrote comes back, as far as pictures show it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tifffile
from media_clips import DATA, natural
from PIL import Image, ImageCms

from ddvideo.errors import InputError
from ddvideo.media import open_source, probe

FOOTAGE = DATA.parent / "footage"
PHOTO = natural(1, 64, 48)[0]
DEEP = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), np.uint16)


def write(tmp_path, array, **how):
    how.setdefault("photometric", "rgb" if array.ndim == 3 else "minisblack")
    tifffile.imwrite(tmp_path / "a.tif", array, **how)
    return tmp_path / "a.tif"


def read(path):
    with open_source(path) as source:
        (frame,) = source.frames()
        return frame.rgb, frame.alpha, source.info


def grey(plane):
    return np.repeat(plane[..., None], 3, axis=2)


LAYOUTS = [
    (compression, predictor, tile, planar)
    for compression, predictor, tile, planar in product(
        (None, "lzw", "deflate", "packbits", "zstd"), (None, True), (None, (16, 16)), ("contig", "separate")
    )
    if not (predictor and compression in (None, "packbits"))
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize("photo", [PHOTO, DEEP], ids=["8", "16"])
def test_every_layout_is_read_exactly(order, big, photo, tmp_path):
    for compression, predictor, tile, planar in LAYOUTS:
        array = np.moveaxis(photo, 2, 0) if planar == "separate" else photo
        how = {"compression": compression, "predictor": predictor, "tile": tile, "planarconfig": planar}
        rgb, alpha, info = read(write(tmp_path, array, byteorder=order, bigtiff=big, **how))
        assert rgb.dtype == photo.dtype
        assert np.array_equal(rgb, photo), how
        assert (alpha, info.codec, info.warnings) == (None, "tiff", ())


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["minisblack", "miniswhite"])
def test_every_depth_fills_the_range_and_white_may_be_least(bits, kind, tmp_path):
    values = np.random.default_rng(bits).integers(0, 2**bits, (48, 64))
    top = 255 if bits <= 8 else 65535
    stored = values.astype(bool if bits == 1 else np.uint8 if bits <= 8 else np.uint16)
    rgb, _, info = read(write(tmp_path, stored, photometric=kind, bitspersample=bits))
    wanted = np.rint(values * top / (2**bits - 1))
    assert info.bit_depth == (8 if bits <= 8 else 16)
    assert np.array_equal(rgb, grey(top - wanted if kind == "miniswhite" else wanted))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint32, np.int32])
def test_wide_numbers_become_sixteen_bits(order, dtype, tmp_path):
    unit = DEEP / 65535
    unit[0, 0], unit[0, 1] = 0, 1
    most = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    stored = (unit * most).astype(dtype)
    rgb, _, info = read(write(tmp_path, stored, byteorder=order, compression="deflate"))
    assert (info.bit_depth, rgb.dtype) == (16, np.uint16)
    assert np.abs(rgb - stored.astype(np.float64) / most * 65535).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (PHOTO.astype(np.float32), r"between \d+ and \d+, and a picture's lie in 0 to 1; scale them"),
        (PHOTO[..., 0] / 127.5 - 1, r"between -\S+ and \S+, and"),
        (np.full((8, 8), np.nan, np.float32), "not all finite"),
        (PHOTO[..., 0].astype(np.int16) - 300, r"between -\d+ and -\d+, and no picture shows negative"),
        (DEEP[..., 0].astype(np.int32), "all of it would be black; save it with 8 or 16 bits"),
        (DEEP[..., 0].astype(np.complex64), "complex64 samples are not read"),
    ],
)
def test_numbers_that_no_picture_shows_are_told_with_their_range(array, said, tmp_path):
    with pytest.raises(InputError, match=said) as error:
        probe(write(tmp_path, array))
    assert "a.tif: " in str(error.value)
    assert "\n" not in str(error.value)


def test_pages_are_counted_and_the_first_is_read(tmp_path):
    pages = np.stack(natural(3, 64, 48))
    rgb, _, info = read(write(tmp_path, pages, photometric="rgb"))
    assert info.warnings == ("it holds 3 pages or planes, and only the first is read",)
    assert np.array_equal(rgb, pages[0])
    rgb, _, info = read(write(tmp_path, pages[..., 0], photometric=None, imagej=True))
    assert "holds 3 pages" in info.warnings[0]
    assert np.array_equal(rgb, grey(pages[0, ..., 0]))
    volume = np.repeat(pages[:1, ..., 0], 16, 0)
    assert (
        "holds 16 pages"
        in read(write(tmp_path, volume, photometric="minisblack", volumetric=True, tile=(16, 16, 16)))[2].warnings[0]
    )


@pytest.mark.parametrize("first", ["thumbnail", "picture"])
def test_thumbnails_and_pyramids_are_no_pages(first, tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        if first == "thumbnail":
            file.write(PHOTO[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(PHOTO, photometric="rgb", subifds=1)
        file.write(PHOTO[::2, ::2], photometric="rgb", subfiletype=1)
    rgb, _, info = read(tmp_path / "a.tif")
    assert np.array_equal(rgb, PHOTO)
    assert info.warnings == ()


@pytest.mark.parametrize("mode", ["YCbCr", "CMYK", "P", "LAB", "1"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_other_colours_become_rgb(mode, compression, tmp_path):
    photo = Image.fromarray(PHOTO)
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        stored = ImageCms.profileToProfile(photo, *profiles, outputMode="LAB")
    else:
        stored = photo.convert(mode)
    stored.save(tmp_path / "a.tif", compression=compression)
    rgb, _, info = read(tmp_path / "a.tif")
    wanted = PHOTO if mode in ("LAB", "YCbCr") else np.asarray(stored.convert("RGB"))
    assert np.abs(rgb.astype(int) - wanted).mean() < (1.5 if mode in ("LAB", "YCbCr") else 1e-9)
    assert info.icc_profile == b""
    assert [text[:10] for text in info.warnings] == (["it is CMYK"] if mode == "CMYK" else [])


@pytest.mark.parametrize("mode", ["YCbCr", "RGB", "L"])
def test_jpeg_inside_is_rgb_again(mode, tmp_path):
    stored = Image.fromarray(PHOTO).convert(mode)
    stored.save(tmp_path / "a.tif", compression="jpeg", quality=95)
    wanted = np.asarray(stored.convert("RGB")).astype(int)
    assert np.abs(read(tmp_path / "a.tif")[0] - wanted).mean() < 3


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_subsampled_jpeg_inside_is_read_as_libtiff_does(subsampling, tmp_path):
    path = write(tmp_path, PHOTO, photometric="ycbcr", compression="jpeg", subsampling=subsampling)
    with Image.open(path) as image:
        assert np.abs(read(path)[0].astype(int) - np.asarray(image.convert("RGB"))).mean() < 2


@pytest.mark.parametrize("photo", [PHOTO, DEEP], ids=["8", "16"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_alpha_is_what_is_called_so(photo, kind, planar, tmp_path):
    top = np.iinfo(photo.dtype).max
    four = np.dstack([photo, photo[::-1, ::-1, 0]])
    array = np.moveaxis(four, 2, 0) if planar == "separate" else four
    rgb, alpha, info = read(write(tmp_path, array, photometric="rgb", planarconfig=planar, extrasamples=[kind]))
    if kind == "unspecified":
        assert not info.has_alpha
        assert info.warnings == ("1 of its 4 channels are no colours and are not read",)
        assert np.array_equal(rgb, photo)
        return
    assert np.array_equal(alpha, four[..., 3])
    straight = np.rint(photo.astype(np.float64) * four[..., 3:] / top)
    assert np.array_equal(rgb, photo if kind == "assocalpha" else straight)
    assert info.has_alpha


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_upright(orientation, tmp_path):
    path = write(tmp_path, PHOTO, extratags=[(274, "H", 1, orientation, True)])
    turned = Image.fromarray(PHOTO)
    ways = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
    if orientation > 1:
        turned = turned.transpose(Image.Transpose[ways[orientation - 2]])
    assert np.array_equal(read(path)[0], np.asarray(turned))


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd", "jpeg"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.95])
def test_a_cut_off_tiff_is_refused(compression, keep, tmp_path):
    path = write(tmp_path, PHOTO, compression=compression)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"a\.tif: .*(cut off|damaged)") as error:
        probe(path)
    assert "\n" not in str(error.value)


def test_damaged_ones_end_in_one_line(tmp_path):
    rng = np.random.default_rng(5)
    whole = write(tmp_path, PHOTO, compression="lzw", predictor=True).read_bytes()
    told = []
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(4, 400, 3):
            data[place] = rng.integers(256)
        (tmp_path / "b.tif").write_bytes(data)
        try:
            probe(tmp_path / "b.tif")
        except InputError as error:
            told.append(str(error))
    assert len(told) > 30
    assert not any("\n" in text for text in told)


def test_raw_camera_samples_and_many_channels_are_refused(tmp_path):
    with pytest.raises(InputError, match="CFA samples is no finished picture"):
        probe(write(tmp_path, DEEP[..., 0], photometric="cfa", extratags=[(33421, "H", 2, (2, 2), True)]))


@pytest.mark.data
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the evaluation data folder is absent")
@pytest.mark.parametrize(("name", "scale"), [("rgb16.tif", 1), ("float-grey.tif", 65535)])
def test_real_ones(name, scale):
    stored = tifffile.imread(FOOTAGE / name)
    rgb = read(FOOTAGE / name)[0]
    assert np.abs(rgb - (stored if stored.ndim == 3 else stored[..., None]) * float(scale)).max() <= 0.5
