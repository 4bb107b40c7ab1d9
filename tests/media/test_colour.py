"""Colour conversion against the closed formula of ITU-R BT.601, BT.709 and BT.2020."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from ddvideo.media.colour import Colour, RgbReader, RgbWriter
from ddvideo.types import InputInfo

LUMA = {"smpte170m": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}


def info_of(pix_fmt, bits, space="unspecified", reach="unspecified", width=64, height=64):
    return InputInfo(
        path=Path("x"),
        kind="video",
        width=width,
        height=height,
        frames=1,
        fps=Fraction(25),
        duration_seconds=0.04,
        codec="h264",
        pix_fmt=pix_fmt,
        bit_depth=bits,
        colour_space=space,
        colour_range=reach,
    )


def samples_of(rgb, space, bits, *, full):
    """Y, Cb, Cr of an RGB colour in [0, 1], unrounded."""
    kr, kb = LUMA[space]
    y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    cb, cr = (rgb[2] - y) / (2 - 2 * kb), (rgb[0] - y) / (2 - 2 * kr)
    unit, top = 2.0 ** (bits - 8), 2.0**bits - 1
    if full:
        return np.array([y * top, cb * top + 128 * unit, cr * top + 128 * unit])
    return np.array([16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr]) * unit


def colour_of(samples, space, bits, *, full):
    """The inverse of :func:`samples_of`."""
    kr, kb = LUMA[space]
    unit, top = 2.0 ** (bits - 8), 2.0**bits - 1
    y = samples[0] / top if full else (samples[0] / unit - 16) / 219
    cb, cr = ((s - 128 * unit) / (top if full else 224 * unit) for s in samples[1:])
    r, b = y + (2 - 2 * kr) * cr, y + (2 - 2 * kb) * cb
    return np.array([r, (y - kr * r - kb * b) / (1 - kr - kb), b])


COLOURS = [*np.random.default_rng(0).uniform(0.03, 0.97, (40, 3)), np.ones(3), np.zeros(3)]


@pytest.mark.parametrize("space", LUMA)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("pix_fmt", "bits"), [("yuv420p", 8), ("yuv444p", 8), ("yuv420p10le", 10), ("yuv444p12le", 12)]
)
def test_reading_is_the_formula(space, full, pix_fmt, bits):
    read = RgbReader(info_of(pix_fmt, bits, space, "full" if full else "limited"))
    kind = np.uint8 if bits == 8 else np.uint16
    errors = []
    for rgb in COLOURS:
        samples = np.rint(samples_of(rgb, space, bits, full=full))
        frame = av.VideoFrame(64, 64, pix_fmt)
        for plane, value in zip(frame.planes, samples, strict=True):
            plane.update(np.full(plane.buffer_size // kind().itemsize, value, kind).tobytes())
        got = read(frame)[0][32, 32].astype(float) / (255 if bits == 8 else 65535)
        errors.append(255 * (got - np.clip(colour_of(samples, space, bits, full=full), 0, 1)))
    assert np.abs(errors).max() < (0.55 if bits == 8 else 0.02)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.12


@pytest.mark.parametrize("space", LUMA)
@pytest.mark.parametrize(("pix_fmt", "bits"), [("yuv420p", 8), ("yuv420p10le", 10)])
def test_writing_is_the_formula(space, pix_fmt, bits):
    write = RgbWriter(Colour.of(info_of(pix_fmt, bits, space)), pix_fmt)
    kind, top = (np.uint8, 255) if bits == 8 else (np.uint16, 65535)
    errors = []
    for rgb in COLOURS:
        given = np.rint(rgb * top)
        frame = write(np.broadcast_to(given.astype(kind), (64, 64, 3)))
        got = [np.frombuffer(bytes(plane), kind)[0] for plane in frame.planes]
        errors.append(np.array(got) - samples_of(given / top, space, bits, full=False))
    assert np.abs(errors).max() < 0.75
    assert np.abs(np.mean(errors, axis=0)).max() < 0.12


@pytest.mark.parametrize(("width", "height", "code"), [(854, 480, 6), (720, 576, 6), (1280, 720, 1), (1920, 1080, 1)])
def test_an_untagged_stream_has_the_matrix_of_its_size(width, height, code):
    assert Colour.of(info_of("yuv420p", 8, width=width, height=height)).space == code
