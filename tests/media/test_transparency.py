"""Inputs with transparency: colours over black, alpha beside them, and how a segmentation takes it over."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from media_clips import natural

from ddvideo.compositing import alpha_over, keep_opacity
from ddvideo.errors import ShapeError
from ddvideo.media import index, open_sink, open_source, probe
from ddvideo.media import video_source as module

VPX = {"deadline": "realtime", "cpu-used": "8", "crf": "4", "b": "4M", "auto-alt-ref": "0"}
# Name -> codec, pixel format, options, and by how much (of 255) alpha may be off at most and colours on average.
KINDS = {
    "vp9.webm": ("libvpx-vp9", "yuva420p", VPX, 10, 3.0),
    "vp8.webm": ("libvpx", "yuva420p", VPX, 16, 3.0),
    "prores.mov": ("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}, 0.6, 1.0),
    "qtrle.mov": ("qtrle", "argb", {}, 0, 0.01),
    "png.mov": ("png", "rgba", {}, 0, 0.01),
    "png16.mov": ("png", "rgba64be", {}, 0.01, 0.01),
    "ffv1.mkv": ("ffv1", "yuva444p10le", {"level": "3"}, 0.4, 0.4),
    "ffv1_8.mkv": ("ffv1", "bgra", {"level": "3"}, 0, 0.01),
    "utvideo.avi": ("utvideo", "gbrap", {}, 0, 0.01),
}
TOLD = "the input has transparency"


@pytest.fixture(params=["short", "long"], autouse=True)
def length(request, monkeypatch):
    if request.param == "long":
        monkeypatch.setattr(index, "_SHORT_PIXELS", 0)
    module._inspect.cache_clear()


def write_rgba(path, images, codec, pix_fmt, options):
    """Encode ``(H, W, 4)`` frames, 8 bits, with straight alpha."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if path.suffix == ".webm":
            stream.metadata["alpha_mode"] = "1"
        for image in images:
            if pix_fmt == "rgba64be":
                picture = av.VideoFrame.from_ndarray(image.astype(np.uint16) * 257, format=pix_fmt)
            else:
                picture = av.VideoFrame.from_ndarray(image, format="rgba")
            if not av.VideoFormat(pix_fmt).is_rgb:
                stream.codec_context.colorspace, stream.codec_context.color_range = 5, 1
            file.mux(stream.encode(picture.reformat(format=pix_fmt, dst_colorspace="ITU601", interpolation="BICUBIC")))
        file.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def images():
    """Natural frames under a soft disc: 0 outside, 255 inside, half a gradient between."""
    yy, xx = np.mgrid[:80, :96]
    found = []
    for number, rgb in enumerate(natural(6, 96, 80, seed=6)):
        soft = np.clip((34 - np.hypot(yy - 40, xx - 40 - number)) / 16, 0, 1)
        found.append(np.dstack([rgb, np.rint(255 * soft).astype(np.uint8)]))
    return found


def unit(samples):
    return samples.astype(np.float64) / np.iinfo(samples.dtype).max


@pytest.mark.parametrize("name", KINDS)
def test_colours_are_over_black_and_alpha_beside_them(name, images, tmp_path):
    codec, pix_fmt, options, alpha_error, colour_error = KINDS[name]
    path = write_rgba(tmp_path / name, images, codec, pix_fmt, options)
    info = probe(path)
    assert info.has_alpha
    assert [w for w in info.warnings if w.startswith(TOLD)]
    assert info.frames == 6
    with open_source(path) as source:
        found = list(source.frames())
        for frame, image in zip(found, images, strict=True):
            assert frame.rgb.shape == (80, 96, 3)
            assert frame.alpha.shape == (80, 96)
            assert frame.alpha.dtype == frame.rgb.dtype == (np.uint16 if info.bit_depth > 8 else np.uint8)
            alpha, truth = unit(frame.alpha), unit(image[..., 3])
            assert 255 * np.abs(alpha - truth).max() <= alpha_error + 1e-9
            assert 255 * np.abs(alpha - truth).mean() <= alpha_error / 5 + 1e-9
            wanted = unit(image[..., :3]) * truth[..., None]
            assert 255 * np.abs(unit(frame.rgb) - wanted).mean() <= colour_error + 0.26, "a quarter is rounding"
            assert (unit(frame.rgb) <= alpha[..., None] + 1e-9).all(), "over black nothing outshines its alpha"
        for frame, same in zip(source.frames(3, 5), found[3:], strict=False):
            assert np.array_equal(frame.rgb, same.rgb)
            assert np.array_equal(frame.alpha, same.alpha)


@pytest.mark.parametrize("name", ["qtrle.mov", "png.mov", "png16.mov", "prores.mov", "ffv1.mkv", "utvideo.avi"])
def test_an_opaque_alpha_channel_is_none(name, images, tmp_path):
    codec, pix_fmt, options, _, _ = KINDS[name]
    opaque = [np.dstack([image[..., :3], np.full(image.shape[:2], 255, np.uint8)]) for image in images[:3]]
    path = write_rgba(tmp_path / name, opaque, codec, pix_fmt, options)
    info = probe(path)
    assert (info.has_alpha, info.warnings) == (False, ())
    with open_source(path) as source:
        for frame, image in zip(source.frames(), opaque, strict=True):
            assert frame.alpha is None
            assert 255 * np.abs(unit(frame.rgb) - unit(image[..., :3])).mean() < 2


def test_transparency_that_comes_late_is_seen(images, tmp_path):
    opaque = [np.dstack([image[..., :3], np.full(image.shape[:2], 255, np.uint8)]) for image in images]
    path = write_rgba(tmp_path / "in.mov", [*opaque, images[0]], "png", "rgba", {})
    assert probe(path).has_alpha


def test_transparency_that_comes_very_late_is_told(images, monkeypatch, tmp_path):
    """Of a long file only the first frames are looked at before it is read."""
    monkeypatch.setattr(index, "_SHORT_PIXELS", 0)
    small = images[0][24:56, 24:56]
    opaque = np.dstack([small[..., :3], np.full(small.shape[:2], 255, np.uint8)])
    path = write_rgba(tmp_path / "in.mov", [*[opaque] * 70, small, small], "png", "rgba", {})
    assert probe(path).frames == 72
    with open_source(path) as source:
        assert len(list(source.frames())) == 72
        assert [w for w in source.warnings if "transparent" in w and "frame 70" in w]


def test_layers_of_transparent_input_can_be_written(images, tmp_path):
    path = write_rgba(tmp_path / "in.webm", images, *KINDS["vp9.webm"][:3])
    with open_source(path) as source, open_sink(tmp_path / "out.mp4", like=source.info) as sink:
        frames = list(source.frames())
        for frame in frames:
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    info = probe(tmp_path / "out.mp4")
    assert (info.frames, info.has_alpha, info.warnings) == (6, False, ())
    with open_source(tmp_path / "out.mp4") as source:
        for frame, wanted in zip(source.frames(), frames, strict=True):
            assert 255 * np.abs(unit(frame.rgb) - unit(wanted.rgb)).mean() < 1.5


SHAPE = (4, 5)
VALUES = {"elements": st.floats(0, 1, width=32), "dtype": np.float32}


@settings(max_examples=60, deadline=None)
@given(
    arrays(shape=(*SHAPE, 3), **VALUES),
    arrays(shape=(*SHAPE, 3), **VALUES),
    arrays(shape=(*SHAPE, 1), **VALUES),
    arrays(shape=(*SHAPE, 1), **VALUES),
)
def test_keeping_opacity_still_makes_the_picture(front, back, matte, opacity):
    """Any segmentation of a picture that is over black: no sample is brighter than its opacity."""
    layers = {"foreground": front * opacity, "background": back * opacity, "alpha": matte}
    picture = alpha_over(layers)
    kept = keep_opacity(picture, layers, opacity)
    assert np.abs(alpha_over(kept) - picture).max() <= 1e-4
    assert all(layer.dtype == np.float32 and layer.min() >= 0 and layer.max() <= 1 for layer in kept.values())
    clear = (matte > 0.05) & (opacity > 0.05)
    assert np.abs(np.where(clear, kept["alpha"] - matte * opacity, 0)).max() < 2e-2


def test_a_keyed_object_gets_its_straight_colour_and_its_own_alpha():
    rng = np.random.default_rng(0)
    colour = rng.uniform(0.2, 1, (8, 9, 3)).astype(np.float32)
    opacity = rng.uniform(0.1, 1, (8, 9, 1)).astype(np.float32)
    picture = colour * opacity
    ones = np.ones((8, 9, 1), np.float32)
    kept = keep_opacity(picture, {"foreground": picture, "background": picture, "alpha": ones}, opacity)
    assert np.abs(kept["alpha"] - opacity).max() < 1e-6
    assert np.abs(kept["foreground"] - colour).max() < 1e-4
    assert np.abs(kept["background"]).max() < 1e-4


def test_where_nothing_is_seen_nothing_is_in_front():
    picture = np.zeros((3, 3, 3), np.float32)
    layers = {"foreground": picture, "background": picture, "alpha": np.ones((3, 3, 1), np.float32)}
    kept = keep_opacity(picture, layers, np.zeros((3, 3, 1), np.float32))
    assert kept["alpha"].max() == 0
    assert np.isfinite(kept["foreground"]).all()


def test_opaque_input_is_left_as_it_is():
    rng = np.random.default_rng(1)
    layers = {
        "foreground": rng.random((5, 6, 3), np.float32),
        "background": rng.random((5, 6, 3), np.float32),
        "alpha": rng.random((5, 6, 1), np.float32),
    }
    kept = keep_opacity(alpha_over(layers), layers, np.ones((5, 6, 1), np.float32))
    for name, layer in layers.items():
        assert np.abs(kept[name] - layer).max() < 1e-4, name


def test_a_wrong_shape_is_refused():
    picture, matte, small = (np.zeros(shape, np.float32) for shape in ((4, 4, 3), (4, 4, 1), (2, 2, 1)))
    layers = {"foreground": picture, "background": picture}
    for alpha, opacity in [(small, matte), (matte, small)]:
        with pytest.raises(ShapeError, match=r"\(2, 2, 1\)"):
            keep_opacity(picture, {**layers, "alpha": alpha}, opacity)
