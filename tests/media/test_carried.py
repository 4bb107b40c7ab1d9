"""What a still carries besides its colours: profile, colour tag, EXIF, transparency; and which layers get it."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from media_clips import DATA, natural
from PIL import Image, ImageCms

from ddvideo.media import open_sink, open_source, probe
from ddvideo.media.masks import read_mask
from ddvideo.media.png_chunks import add_chunks, deflated_profile, png_chunks

FOOTAGE = DATA.parent / "footage"
PHOTO = natural(1, 96, 64)[0]
ALPHA = np.tile(np.linspace(0, 255, 96).round().astype(np.uint8), (64, 1))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WIDE = imagecodecs.cms_profile(
    "rgb", whitepoint=[0.3127, 0.329, 1.0], primaries=[0.68, 0.32, 1.0, 0.265, 0.69, 1.0, 0.15, 0.06, 1.0], gamma=2.2
)
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
GREY = imagecodecs.cms_profile("gray", gamma=1.0)
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF")


@pytest.fixture(autouse=True, scope="module")
def _heif():
    pillow_heif.register_heif_opener()


def save(path, pixels, format="PNG", **how):
    if format == "PNG" and pixels.dtype == np.uint16:
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        (Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels).save(path, format, **how)
    return path


def frames(path):
    with open_source(path) as source:
        return list(source.frames()), source.info, source.warnings


def layer(tmp_path, info, pixels, kind="colour"):
    """One layer as written: its chunks, and it opened."""
    with open_sink(tmp_path / "layer.png", like=info, kind=kind, format="png") as sink:
        sink.write(pixels)
    with (tmp_path / "layer.png").open("rb") as file:
        chunks = dict(png_chunks(file))
    with Image.open(tmp_path / "layer.png") as image:
        image.load()
        exif = image.getexif()
        return chunks, image.info, np.asarray(image), exif


def exif(orientation=6):
    block = Image.Exif()
    block[0x0112], block[0x010F] = orientation, "Camera"
    block.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    block.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.5)})
    block[0x8769], block[0x8825] = block.get_ifd(0x8769), block.get_ifd(0x8825)
    return block


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("profile", [SRGB, WIDE], ids=["srgb", "wide"])
def test_a_profile_is_embedded_in_colour_layers(format, profile, tmp_path):
    info = probe(save(tmp_path / "in", PHOTO, format, icc_profile=profile))
    assert info.icc_profile == profile
    assert info.warnings == ()
    deep = PHOTO.astype(np.uint16) * 257
    for pixels in (PHOTO, np.dstack([PHOTO, ALPHA]), deep, PHOTO.astype(np.float32) / 255):
        _, kept, written, _ = layer(tmp_path, info, pixels)
        assert kept["icc_profile"] == profile
        assert np.array_equal(written[..., :3], PHOTO)
    chunks, _, written, _ = layer(tmp_path, info, ALPHA, kind="alpha")
    assert not {b"iCCP", b"eXIf", b"cICP"} & set(chunks)
    assert np.array_equal(written, ALPHA)


def test_a_profile_is_embedded_in_deep_layers(tmp_path):
    deep = PHOTO.astype(np.uint16) * 200
    path = tmp_path / "in.png"
    path.write_bytes(add_chunks(imagecodecs.png_encode(deep), [(b"iCCP", deflated_profile(WIDE))]))
    info = probe(path)
    for pixels in (deep, np.dstack([deep, deep[..., 0]])):
        chunks, kept, _, _ = layer(tmp_path, info, pixels)
        assert kept["icc_profile"] == WIDE
        assert chunks[b"IHDR"][8] == 16
        assert np.array_equal(imagecodecs.png_decode((tmp_path / "layer.png").read_bytes()), pixels)


@pytest.mark.parametrize(("kind", "told"), [("colour", True), ("alpha", False)])
@pytest.mark.parametrize("profile", [WIDE, None])
def test_mp4_holds_no_profile_and_says_so(profile, kind, told, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(2):
        save(folder / f"{number}.png", PHOTO, icc_profile=profile)
    info = probe(folder)
    with open_sink(tmp_path / "layer.mp4", like=info, kind=kind) as sink:
        for _ in range(2):
            sink.write(PHOTO if kind == "colour" else ALPHA)
    assert [("ICC" in warning) for warning in sink.warnings] == [True] * (told and profile is not None)


def test_without_a_profile_none_is_made_up(tmp_path):
    assert not {b"iCCP", b"eXIf", b"cICP"} & set(layer(tmp_path, probe(save(tmp_path / "in.png", PHOTO)), PHOTO)[0])


@pytest.mark.parametrize("name", ["in.png", "in.jpg", "in.tif", "deep.png"])
def test_grey_with_a_grey_profile_becomes_srgb(name, tmp_path):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    path = tmp_path / name
    if name == "deep.png":
        deep = imagecodecs.png_encode(ramp.astype(np.uint16) * 257)
        path.write_bytes(add_chunks(deep, [(b"iCCP", deflated_profile(GREY))]))
    else:
        save(path, ramp, {"jpg": "JPEG", "tif": "TIFF"}.get(name[3:], "PNG"), icc_profile=GREY)
    (frame,), info, warnings = frames(path)
    linear = np.arange(256) / 255
    wanted = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    top = np.iinfo(frame.rgb.dtype).max
    assert frame.rgb.dtype == (np.uint16 if name == "deep.png" else np.uint8)
    # Linear light is steep in the dark: one level off in the JPEG is thirteen there.
    assert np.abs(frame.rgb[32] / top - wanted[:, None]).max() < (0.08 if name == "in.jpg" else 0.005)
    assert (info.icc_profile, warnings) == (b"", ())


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile_or_told_as_a_guess(format, tmp_path):
    cmyk = Image.fromarray(PHOTO).convert("CMYK")
    (frame,), info, warnings = frames(save(tmp_path / "in", cmyk, format, quality=98))
    assert np.abs(frame.rgb.astype(int) - PHOTO).mean() < 3
    assert (info.icc_profile, len(warnings)) == (b"", 1)
    assert "CMYK and has no colour profile" in warnings[0]
    _, info, warnings = frames(save(tmp_path / "in", cmyk, format, icc_profile=SRGB))
    assert info.icc_profile == b""
    assert "no CMYK profile that can be used" in warnings[0]


@pytest.mark.parametrize("profile", [LAB, b"no profile at all" * 20, WIDE[:200]], ids=["lab", "junk", "cut"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_profile_that_does_not_fit_is_left_out_with_a_warning(format, profile, tmp_path):
    (frame,), info, warnings = frames(save(tmp_path / "in", PHOTO, format, icc_profile=profile, lossless=True))
    assert frame.rgb.shape == PHOTO.shape
    assert info.icc_profile == b""
    assert len(warnings) == 1
    assert "colour profile" in warnings[0]
    assert "left out" in warnings[0]


def test_a_folder_has_the_first_one_s_profile_and_tells_others(tmp_path):
    (tmp_path / "in").mkdir()
    for index, profile in enumerate([WIDE, WIDE, SRGB]):
        save(tmp_path / "in" / f"{index}.png", PHOTO, icc_profile=profile)
    info = probe(tmp_path / "in")
    assert info.icc_profile == WIDE
    assert len(info.warnings) == 1
    assert "different colour profiles (0.png, 2.png)" in info.warnings[0]
    save(tmp_path / "in" / "2.png", PHOTO, icc_profile=WIDE, exif=exif(1))
    info = probe(tmp_path / "in")
    assert info.warnings == ()
    assert info.exif == b""
    with open_sink(tmp_path / "out", like=info, format="png") as sink:
        for _ in range(3):
            sink.write(PHOTO)
    assert [probe(tmp_path / "out" / f"00000{i}.png").icc_profile for i in range(3)] == [WIDE] * 3


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 16), (9, 18), (12, 13)])
@pytest.mark.parametrize("format", ["png", "avif", "heic"])
def test_a_colour_tag_is_kept(format, primaries, transfer, tmp_path):
    path = tmp_path / f"in.{format}"
    if format == "png":
        plain = save(path, PHOTO).read_bytes()
        path.write_bytes(add_chunks(plain, [(b"cICP", bytes([primaries, transfer, 0, 1]))]))
    elif format == "avif":
        how = {"primaries": primaries, "transfer": transfer, "matrix": 1}
        path.write_bytes(imagecodecs.avif_encode(PHOTO.astype(np.uint16) * 4, bitspersample=10, **how))
    else:
        how = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 1}
        save(path, PHOTO, "HEIF", **how)
    info = probe(path)
    chunks = layer(tmp_path, info, PHOTO)[0]
    assert chunks[b"cICP"] == bytes([primaries, transfer, 0, 1])
    assert not info.warnings


@pytest.mark.parametrize("format", FORMATS)
def test_exif_goes_into_the_colour_layers_upright(format, tmp_path):
    block = exif() if format == "TIFF" else exif().tobytes()
    info = probe(save(tmp_path / "in", PHOTO, format, exif=block))
    chunks, _, _, kept = layer(tmp_path, info, np.zeros((info.height, info.width, 3), np.float32))
    assert chunks[b"eXIf"] == info.exif
    assert kept.get(0x0112, 1) == 1
    assert kept[0x010F] == "Camera"
    assert kept.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert kept.get_ifd(0x8825)[2] == (48.0, 8.0, 14.5)
    assert info.warnings == ()
    assert b"eXIf" not in layer(tmp_path, info, np.zeros((info.height, info.width), np.float32), kind="alpha")[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF", "HEIF"])
def test_pictures_are_turned_once(format, orientation, tmp_path):
    how = {"PNG": {}, "WEBP": {"lossless": True}, "AVIF": {"quality": 100}, "HEIF": {"quality": -1}}[format]
    turned = Image.fromarray(PHOTO)
    ways = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")
    if orientation > 1:
        turned = turned.transpose(Image.Transpose[ways[orientation - 2]])
    (frame,), info, _ = frames(save(tmp_path / "in", PHOTO, format, exif=exif(orientation).tobytes(), **how))
    assert (info.width, info.height) == turned.size
    assert np.abs(frame.rgb.astype(int) - np.asarray(turned)).mean() < 4


def bad_exif():
    good = exif().tobytes().removeprefix(b"Exif\0\0")
    return {
        "junk": b"nothing of the kind" * 3,
        "cut": good[: len(good) // 2],
        "loop": b"MM\0*\0\0\0\x08\0\1\x87\x69\0\4\0\0\0\1\xff\xff\xff\xf0\0\0\0\0",
        "header": b"MM\0*",
    }


@pytest.mark.parametrize("kind", ["junk", "cut", "loop", "header"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_broken_exif_is_dropped_with_a_warning(format, kind, tmp_path):
    block = bad_exif()[kind]
    path = save(tmp_path / "in", PHOTO, format)
    data = path.read_bytes()
    if format == "PNG":
        path.write_bytes(add_chunks(data, [(b"eXIf", block)]))
    elif format == "JPEG":
        block = b"Exif\0\0" + block
        path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])
    else:
        save(path, PHOTO, format, exif=block)
    (frame,), info, warnings = frames(path)
    assert frame.rgb.shape[2] == 3
    assert (info.exif, len(warnings)) == (b"", 1)
    assert "EXIF data is damaged" in warnings[0]


def test_random_damage_in_exif_stops_nothing(tmp_path):
    rng = np.random.default_rng(2)
    plain, good = save(tmp_path / "in.png", PHOTO).read_bytes(), exif().tobytes()[6:]
    for _ in range(150):
        block = bytearray(good)
        for place in rng.integers(0, len(block), 3):
            block[place] = rng.integers(256)
        (tmp_path / "in.png").write_bytes(add_chunks(plain, [(b"eXIf", bytes(block))]))
        info = probe(tmp_path / "in.png")
        assert sorted((info.width, info.height)) == [64, 96]
        layer(tmp_path, info, np.zeros((info.height, info.width, 3), np.float32))


RGBA = np.dstack([PHOTO, ALPHA])
DEEP = RGBA.astype(np.uint16) * 257


def transparent(tmp_path, kind):
    """A file whose colours and alpha are known, and those."""
    path, colours, alpha = tmp_path / "in", RGBA[..., :3], ALPHA
    match kind:
        case "png":
            save(path, RGBA)
        case "webp":
            save(path, RGBA, "WEBP", lossless=True, exact=True)
        case "tga":
            path = save(tmp_path / "in.tga", RGBA, "TGA")
        case "tiff":
            tifffile.imwrite(path, RGBA, photometric="rgb", extrasamples=["unassalpha"])
        case "png16":
            save(path, DEEP)
            colours, alpha = DEEP[..., :3], DEEP[..., 3]
        case "la":
            save(path, np.dstack([PHOTO[..., 0], ALPHA]))
            colours = np.repeat(PHOTO[..., :1], 3, 2)
        case "palette":
            picture = Image.fromarray(PHOTO).quantize(16)
            picture.save(path, "PNG", transparency=bytes(range(0, 256, 16)))
            colours = np.asarray(picture.convert("RGB"))
            alpha = (np.asarray(picture) * 16).astype(np.uint8)
        case "key":
            posters = PHOTO // 64 * 64
            save(path, posters, transparency=tuple(int(v) for v in posters[0, 0]))
            colours, alpha = posters, np.where((posters == posters[0, 0]).all(2), 0, 255).astype(np.uint8)
        case "grey key":
            posters = PHOTO[..., 0] // 64 * 64
            save(path, posters, transparency=int(posters[0, 0]))
            colours, alpha = np.repeat(posters[..., None], 3, 2), np.where(posters == posters[0, 0], 0, 255)
        case "gif":
            picture = Image.fromarray(PHOTO).quantize(16)
            picture.save(path, "GIF", transparency=3)
            colours, alpha = np.asarray(picture.convert("RGB")), np.where(np.asarray(picture) == 3, 0, 255)
        case "jp2":
            path.write_bytes(imagecodecs.jpeg2k_encode(DEEP, level=0, reversible=True))
            colours, alpha = DEEP[..., :3], DEEP[..., 3]
    return path, colours, alpha


@pytest.mark.parametrize(
    "kind", ["png", "webp", "tga", "tiff", "png16", "la", "palette", "key", "grey key", "gif", "jp2"]
)
def test_transparency_is_kept_beside_colours_over_black(kind, tmp_path):
    path, colours, alpha = transparent(tmp_path, kind)
    (frame,), info, warnings = frames(path)
    top = np.iinfo(frame.rgb.dtype).max
    assert info.has_alpha
    assert len(warnings) == 1
    assert "transparency: it is composited over black" in warnings[0]
    assert frame.alpha.shape == (64, 96)
    assert frame.alpha.dtype == frame.rgb.dtype
    assert np.array_equal(frame.alpha, alpha)
    assert np.array_equal(frame.rgb, np.rint(colours.astype(np.float64) * alpha[..., None] / top))


@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_lossy_transparency_is_kept(format, tmp_path):
    (frame,), info, _ = frames(save(tmp_path / "in", RGBA, format, quality=100))
    assert info.has_alpha
    assert np.abs(frame.alpha.astype(int) - ALPHA).max() <= 4
    assert np.abs(frame.rgb - PHOTO * (ALPHA[..., None] / 255)).mean() < 4


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "TGA", "AVIF"])
def test_an_alpha_that_is_opaque_is_none(format, tmp_path):
    path = tmp_path / f"in.{format.lower()}"
    (frame,), info, warnings = frames(save(path, np.dstack([PHOTO, np.full_like(ALPHA, 255)]), format))
    assert (info.has_alpha, frame.alpha, warnings, info.pix_fmt) == (False, None, (), "rgb24")


@pytest.mark.parametrize("where", [0, 1, 2, None])
def test_frames_of_a_folder_are_alike(where, tmp_path):
    opaque = np.dstack([PHOTO, np.full_like(ALPHA, 255)])
    for index in range(3):
        save(tmp_path / f"{index}.png", RGBA if index == where else PHOTO if index == 2 else opaque)
    read, info, warnings = frames(tmp_path)
    assert info.has_alpha == (where is not None)
    assert len(warnings) == int(where is not None)
    for frame in read:
        clear = frame.index == where
        wanted = np.rint(PHOTO * (ALPHA[..., None] / 255)) if clear else PHOTO
        assert np.array_equal(frame.rgb, wanted)
        if where is None:
            assert frame.alpha is None
        else:
            assert np.array_equal(frame.alpha, ALPHA if clear else np.full_like(ALPHA, 255))


def test_a_folder_of_mixed_depth_is_read_as_its_first_and_says_so(tmp_path):
    save(tmp_path / "0.png", PHOTO)
    save(tmp_path / "1.png", DEEP)
    read, info, warnings = frames(tmp_path)
    assert (info.bit_depth, info.has_alpha) == (8, True)
    assert [frame.rgb.dtype for frame in read] == [np.uint8] * 2
    assert np.array_equal(read[1].alpha, ALPHA)
    assert any("1.png has 16 bits, and the first frame 8" in text for text in warnings)


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "png16", "palette"])
def test_a_mask_is_its_straight_transparency(kind, tmp_path):
    path, _, alpha = transparent(tmp_path, kind)
    assert np.allclose(read_mask(path), alpha / np.iinfo(alpha.dtype).max, atol=1e-6)
    faint = np.dstack([PHOTO, np.full_like(ALPHA, 100)])  # the same everywhere: the colours tell
    assert np.array_equal(read_mask(save(tmp_path / "faint.png", faint)), (PHOTO.max(2) / 255).astype(np.float32))


@pytest.mark.data
@pytest.mark.skipif(not FOOTAGE.is_dir(), reason="the evaluation data folder is absent")
def test_a_real_profile():
    with Image.open(FOOTAGE / "p3.jpg") as image:
        assert probe(FOOTAGE / "p3.jpg").icc_profile == image.info["icc_profile"]
