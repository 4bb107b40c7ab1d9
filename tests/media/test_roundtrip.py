"""What goes in comes out: every frame, its time, its colour, its geometry, and the sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate

import av
import numpy as np
import pytest
from media_clips import DATA, natural

from ddvideo.errors import ShapeError, UsageError
from ddvideo.media import open_sink, open_source, probe, read_layer

VFR = list(accumulate([0, *[24, 12, 60, 24, 36, 12, 12, 90, 24] * 6]))[:48]
FAST_VP9 = {"crf": "8", "cpu-used": "8", "deadline": "realtime"}


def unit(rgb):
    return rgb.astype(np.float64) / np.iinfo(rgb.dtype).max


def again(path, out, *, audio=False, frames=(0, None)):
    """Decode and encode again; gives the two infos and the sink."""
    info = probe(path)
    with open_source(path) as source, open_sink(out, like=info, source=path, audio=audio) as sink:
        for frame in source.frames(*frames):
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    return info, probe(out), sink


def compare(path, out, frames=(0, None)):
    """Times equal; then PSNR (dB) of each frame, and the mean error of each channel (of 255)."""
    errors, psnr = [], []
    with open_source(path) as one, open_source(out) as two:
        assert two.info.frames == len(range(*slice(*frames).indices(one.info.frames)))
        for a, b in zip(one.frames(*frames), two.frames(), strict=True):
            if frames[0] == 0:
                assert (a.pts_seconds, a.duration_seconds) == (b.pts_seconds, b.duration_seconds)
            difference = unit(b.rgb) - unit(a.rgb)
            errors.append(255 * difference.mean((0, 1)))
            psnr.append(-10 * np.log10((difference**2).mean()))
    return np.array(psnr), np.abs(np.mean(errors, axis=0))


def test_a_natural_clip_keeps_every_frame_time_and_colour(make, clip, tmp_path):
    path = make("in.mp4", clip, pts=VFR)
    info, result, sink = again(path, tmp_path / "out.mp4")
    psnr, bias = compare(path, tmp_path / "out.mp4")
    assert psnr.min() > 43
    assert bias.max() < 0.2, "of 255, a channel's mean"
    assert (result.frames, result.is_vfr, result.duration_seconds) == (48, True, info.duration_seconds)
    assert (result.colour_space, result.colour_range, sink.codec, sink.pix_fmt) == (
        "bt470bg",
        "limited",
        "h264",
        "yuv420p",
    )


@pytest.mark.parametrize("space", [1, 5, 9])
@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("full", [False, True])
def test_colours_survive_every_matrix_range_and_missing_tags(space, tagged, full, make, tmp_path):
    frames = natural(3, 128, 96, seed=space)
    path = make("in.mp4", frames, space=space, tagged=tagged)
    info = probe(path)
    if full:  # the same samples, told to be full range: another picture, which must survive too
        info = replace(info, colour_range="full")
    with open_source(path) as source:
        rgb = [frame.rgb for frame in source.frames()]
    with open_sink(tmp_path / "out.mp4", like=info) as sink:
        for frame in rgb:
            sink.write(frame)
    assert probe(tmp_path / "out.mp4").colour_range == "limited"
    with open_source(tmp_path / "out.mp4") as source:
        back = [frame.rgb for frame in source.frames()]
    bias = np.mean([unit(b) - unit(a) for a, b in zip(rgb, back, strict=True)], axis=(0, 1, 2)) * 255
    assert np.abs(bias).max() < 0.3
    if tagged:
        assert np.abs(np.mean(np.array(rgb, float) - np.array(frames, float))) < 0.3, "read as it was written"


@pytest.mark.parametrize(
    ("name", "how", "pix_fmt"),
    [
        ("odd.mp4", {"size": (131, 97), "pix_fmt": "yuv444p"}, "yuv444p"),
        ("even_vp9.webm", {"size": (130, 98), "codec": "libvpx-vp9", "options": FAST_VP9}, "yuv420p"),
        ("ten.mp4", {"size": (128, 96), "pix_fmt": "yuv420p10le"}, "yuv420p10le"),
        ("wide.mp4", {"size": (128, 96), "pix_fmt": "yuv422p"}, "yuv422p"),
        ("full_chroma.mkv", {"size": (128, 96), "pix_fmt": "yuv444p10le"}, "yuv444p10le"),
    ],
)  # fmt: skip
def test_size_depth_and_chroma_are_kept(name, how, pix_fmt, make, tmp_path):
    size = how.pop("size")
    path = make(name, natural(6, *size), **how)
    info, result, sink = again(path, tmp_path / "out.mp4")
    assert (result.width, result.height) == size
    assert sink.pix_fmt == result.pix_fmt == pix_fmt
    assert info.bit_depth == result.bit_depth == (10 if "10le" in pix_fmt else 8)
    with open_source(path) as source:
        assert next(source.frames()).rgb.dtype == (np.uint16 if "10le" in pix_fmt else np.uint8)
    psnr, bias = compare(path, tmp_path / "out.mp4")
    assert psnr.min() > 43
    assert bias.max() < 0.3


def test_ten_bits_are_more_than_eight(make, tmp_path):
    ramp = np.broadcast_to(np.linspace(20000, 30000, 256).astype(np.uint16)[None, :, None], (64, 256, 3))
    path = make("ten.mp4", [ramp] * 2, pix_fmt="yuv420p10le", options={"qp": "1"})
    again(path, tmp_path / "out.mp4")
    with open_source(tmp_path / "out.mp4") as source:
        row = np.median(next(source.frames()).rgb[:, :, 1], axis=0)
    assert len(np.unique(row)) > 100, "eight bits would give 39 steps"
    assert np.abs(row - ramp[0, :, 1]).max() < 90


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_rotation_and_pixel_aspect_are_copied(rotation, make, clip, tmp_path):
    path = make("in.mp4", clip[:3], rotation=rotation, aspect=Fraction(128, 117))
    info, result, _ = again(path, tmp_path / "out.mp4")
    assert info.rotation_degrees in {rotation, -rotation if rotation == 180 else rotation}
    assert result.rotation_degrees == info.rotation_degrees
    assert result.display_matrix == info.display_matrix
    assert info.sample_aspect_ratio == result.sample_aspect_ratio == Fraction(128, 117)


def packets(path):
    with av.open(path) as container:
        stream = container.streams.audio[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size]


def test_sound_is_copied_byte_for_byte_in_step(make, clip, tmp_path):
    path = make("in.mp4", clip, audio="aac")
    _, result, sink = again(path, tmp_path / "out.mp4", audio=True)
    assert (result.audio, sink.warnings) == (("aac",), [])
    before, after = packets(path), packets(tmp_path / "out.mp4")
    assert [data for _, data in after] == [data for _, data in before]
    assert np.allclose([t for t, _ in after], [t for t, _ in before], atol=1e-4)


def test_a_cut_starts_at_zero_with_its_own_sound(make, clip, tmp_path):
    path = make("in.mp4", clip, audio="aac")
    _, result, _ = again(path, tmp_path / "out.mp4", audio=True, frames=(12, 36))
    psnr, _ = compare(path, tmp_path / "out.mp4", frames=(12, 36))
    assert psnr.min() > 43
    assert (result.start_seconds, result.duration_seconds) == (0, 24 / 25)
    before, after = packets(path), packets(tmp_path / "out.mp4")
    assert 0 <= after[0][0] < 0.03
    assert 0.9 < after[-1][0] < 0.97
    first = [data for _, data in before].index(after[0][1])
    assert abs(before[first][0] - after[0][0] - 0.48) < 1e-3
    assert [data for _, data in after] == [data for _, data in before][first : first + len(after)]


def test_sound_that_mp4_cannot_hold_is_coded_anew_and_told(make, clip, tmp_path):
    path = make("in.mkv", clip[:6], audio="wavpack")
    _, result, sink = again(path, tmp_path / "out.mp4", audio=True)
    assert (result.audio, result.frames) == (("alac",), 6)
    assert "sound track 1 (wavpack) is coded anew as ALAC" in sink.warnings[0]


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_alpha_is_grey_full_range_and_visually_lossless(dtype, make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:8]))
    soft = [np.clip((frame[:, :, 0].astype(np.float32) - 90) / 60, 0, 1) for frame in clip[:8]]
    given = soft if dtype is np.float32 else [np.rint(255 * a).astype(np.uint8) for a in soft]
    with open_sink(tmp_path / "alpha.mp4", like=info, kind="alpha") as sink:
        for alpha in given:
            sink.write(alpha[:, :, None])
    assert sink.pix_fmt == "gray"
    back = list(read_layer(tmp_path / "alpha.mp4"))
    assert len(back) == 8
    assert (back[0].dtype, back[0].shape) == (np.float32, (128, 192))
    errors = 255 * np.abs(np.array(back) - np.array(soft))
    assert errors.max() <= 2.6
    assert errors.mean() < 0.45, "rounding alone is 0.25"
    assert back[0].min() == 0
    assert back[0].max() == 1
    with av.open(tmp_path / "alpha.mp4") as container:
        assert container.streams.video[0].codec_context.color_range == 2


def test_colour_layers_read_back_as_float(make, clip, tmp_path):
    again(make("in.mp4", clip[:3]), tmp_path / "out.mp4")
    layer = next(read_layer(tmp_path / "out.mp4"))
    assert (layer.dtype, layer.shape) == (np.float32, (128, 192, 3))
    assert np.abs(255 * layer - clip[0]).mean() < 3


def test_wrong_frames_are_refused_and_leave_nothing(make, clip, tmp_path):
    info = probe(make("in.mp4", clip[:3]))
    folder = tmp_path / "results"
    for bad, error, word in [
        (np.zeros((4, 4, 3), np.float32), ShapeError, "192"),
        (np.full((128, 192, 3), np.nan, np.float32), ShapeError, "NaN"),
        (np.zeros((128, 192), np.float32), ShapeError, "192"),
    ]:
        with pytest.raises(error, match=word), open_sink(folder / "x.mp4", like=info) as sink:
            sink.write(bad)
    with open_sink(folder / "x.mp4", like=info) as sink:
        sink.write(clip[0], Fraction(1), Fraction(1, 25))
        with pytest.raises(UsageError, match="after"):
            sink.write(clip[0], Fraction(1), Fraction(1, 25))
    (folder / "x.mp4").unlink()
    with pytest.raises(UsageError, match="no frame"), open_sink(folder / "x.mp4", like=info):
        pass
    assert list(folder.iterdir()) == []


NATURAL = ["bikes.mp4", "carphone_pristine.mp4", "cutie_example.mp4", "flipping_a_pancake.mkv", "nasa_13013.mp4",
           "rotated_90.mov", "scene_cuts.mp4", "vfr_with_audio.mp4"]  # fmt: skip


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the evaluation data folder is absent")
@pytest.mark.parametrize("name", NATURAL)
def test_real_clips_survive(name, tmp_path):
    some = (0, min(50, probe(DATA / name).frames))
    info, result, sink = again(DATA / name, tmp_path / "out.mp4", audio=True, frames=some)
    psnr, bias = compare(DATA / name, tmp_path / "out.mp4", frames=some)
    assert psnr.mean() > 43
    assert bias.max() < 0.5
    assert result.audio == info.audio
    assert (result.rotation_degrees, result.sample_aspect_ratio) == (info.rotation_degrees, info.sample_aspect_ratio)
    assert [*info.warnings, *result.warnings, *sink.warnings] == []


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the evaluation data folder is absent")
@pytest.mark.parametrize("name", ["av1_video.mkv", "bt709_full_range.mp4", "h264_10bits.mp4", "h265_video.mp4"])
def test_test_patterns_keep_count_time_and_depth(name, tmp_path):
    """Saturated patterns lose at 4:2:0 edges whatever one does; everything else holds."""
    some = (0, 10)
    info, result, _ = again(DATA / name, tmp_path / "out.mp4", frames=some)
    compare(DATA / name, tmp_path / "out.mp4", frames=some)
    assert (result.frames, result.bit_depth) == (10, info.bit_depth)
