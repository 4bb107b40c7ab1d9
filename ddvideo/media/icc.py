"""Colour profiles: which ones fit RGB layers, and the conversion to sRGB of colours that they do not fit."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from ddvideo.arrays import AnyArray
from ddvideo.media.pillow import DECODER_ERRORS

__all__ = ["grey_to_rgb", "ink_to_rgb", "lab_to_rgb", "profile_space"]

_ERRORS = (*DECODER_ERRORS, ImageCms.PyCMSError)


def profile_space(profile: bytes) -> str:
    """The colour space of an ICC profile: ``RGB``, ``GRAY``, ``CMYK``, ...; empty where it is damaged."""
    try:
        return str(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space).strip()
    except _ERRORS:
        return ""


def ink_to_rgb(cmyk: AnyArray, profile: bytes) -> tuple[AnyArray, str]:
    """CMYK ``(H, W, 4)`` as sRGB ``(H, W, 3)`` uint8, and what was lost on the way, as a warning."""
    picture = Image.fromarray(_bytes(cmyk), "CMYK")
    if profile and profile_space(profile) == "CMYK":
        try:
            return _to_srgb(picture, profile), "its CMYK colours are converted to sRGB, 8 bits by its profile"
        except _ERRORS:
            profile = b""
    why = "has no CMYK profile that can be used" if profile else "has no colour profile"
    return np.asarray(picture.convert("RGB")), f"it is CMYK and {why}: its colours as RGB are a guess"


def lab_to_rgb(lab: AnyArray) -> AnyArray:
    """CIELab ``(H, W, 3)`` uint8, a and b signed as TIFF stores them, as sRGB uint8."""
    height, width = lab.shape[:2]
    picture = Image.frombytes("LAB", (width, height), np.ascontiguousarray(lab).tobytes())
    return _to_srgb(picture, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())


def grey_to_rgb(grey: AnyArray, profile: bytes) -> AnyArray:
    """Grey ``(H, W)`` with a grey profile as sRGB ``(H, W, 3)`` of the same type; unchanged where it cannot be used."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    try:
        curve = _to_srgb(ramp, profile, ImageCms.Flags.NOOPTIMIZE)[0]  # exact in the dark, which its tables are not
    except _ERRORS:
        return np.repeat(grey[..., None], 3, axis=2)
    if grey.dtype == np.uint8:
        return np.asarray(curve[grey])
    deep = [np.interp(np.arange(65536) / 257, np.arange(256), channel * 257.0) for channel in curve.T]
    return np.asarray(np.rint(np.stack(deep, axis=1)), np.uint16)[grey]


def _to_srgb(picture: Image.Image, profile: bytes, flags: ImageCms.Flags = ImageCms.Flags.NONE) -> AnyArray:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(picture, given, srgb, outputMode="RGB", flags=flags)
    if converted is None:
        raise ValueError("nothing was converted")
    return np.asarray(converted)


def _bytes(samples: AnyArray) -> AnyArray:
    return samples if samples.dtype == np.uint8 else np.asarray((samples.astype(np.uint32) + 128) // 257, np.uint8)
