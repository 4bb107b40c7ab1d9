"""Which sound MP4 takes as it is, and what the rest is coded anew with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from av.audio.codeccontext import AudioCodecContext
from av.audio.layout import AudioLayout

from ddvideo.media.x264 import Quality

__all__ = ["Way", "Writing", "layout_of", "ways_of", "writing_for"]

Way = Literal["copy", "aac", "alac", "flac"]

# What players and editors take in MP4. Opus and FLAC are newer there, but a copy loses nothing.
_COPIED: Final = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
# What every browser and QuickTime play.
_COPIED_INTO_PREVIEW: Final = frozenset({"aac", "mp3"})
# 256 kbit/s for stereo: what Apple sells music with ("iTunes Plus").
_AAC_BITS_A_CHANNEL: Final = 128_000
# ISO/IEC 14496-3, table 1.18: the sampling frequencies of AAC.
_AAC_RATES: Final = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
)  # fmt: skip
_USUAL_RATE: Final = 48000
# ISO/IEC 14496-3, table 1.19: the channel configurations that every AAC decoder knows, from the smallest.
_AAC_LAYOUTS: Final = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1")
_ALAC_LAYOUTS: Final = _AAC_LAYOUTS[:-1]
# RFC 9639, 9.1.3: what FLAC means by one to eight channels; its writer here tells side from back.
_FLAC_LAYOUTS: Final = ("mono", "stereo", "3.0", "quad", "5.0", "5.0(side)", "5.1", "5.1(side)", "6.1", "7.1")
_BACK_OF_SIDE: Final = {"SL": "BL", "SR": "BR"}
_MOST_CHANNELS: Final = 8


@dataclass(frozen=True)
class Writing:
    """How a track is coded anew: encoder, samples a second, channels, sample format (packed, and the encoder's own)."""

    encoder: str
    rate: int
    layout: str
    packed_format: str
    format: str
    bit_rate: int = 0


def ways_of(codec: AudioCodecContext, quality: Quality) -> tuple[Way, ...]:
    """What may be done with a track, the best first."""
    name = codec.codec.canonical_name
    if quality == "preview":
        return ("copy", "aac") if name in _COPIED_INTO_PREVIEW else ("aac",)
    again: tuple[Way, ...] = ("alac", "flac", "aac") if _is_lossless(codec) else ("aac",)
    return ("copy", *again) if name in _COPIED else (*again, "copy")


def _is_lossless(codec: AudioCodecContext) -> bool:
    if codec.codec.canonical_name == "dts":
        return "MA" in (codec.profile or "")
    return codec.codec.lossless


def layout_of(layout: AudioLayout) -> AudioLayout:
    """A channel layout with a place for every channel: FFmpeg's usual one where a file tells but their number."""
    if layout.name == f"{layout.nb_channels} channels" or layout.nb_channels == 1:
        return AudioLayout(f"{layout.nb_channels}c")
    return layout


def writing_for(codec: AudioCodecContext, way: Way) -> Writing:
    """How a track is coded anew.

    Raises:
        ValueError: the codec has no place for the channels, or nothing is known of the samples.
    """
    layout = layout_of(codec.layout)
    if not codec.sample_rate or not codec.format or not 0 < layout.nb_channels <= _MOST_CHANNELS:
        raise ValueError(f"{layout.nb_channels} channels at {codec.sample_rate} Hz")
    if way == "aac":
        rate = codec.sample_rate if codec.sample_rate in _AAC_RATES else _USUAL_RATE
        name = _aac_layout(layout)
        bit_rate = _AAC_BITS_A_CHANNEL * AudioLayout(name).nb_channels
        return Writing("aac", rate, name, "flt", "fltp", bit_rate)
    deep = codec.format.bytes > 2
    packed = "s32" if deep else "s16"
    if way == "alac":
        places = _as_back(layout)
        exact = [name for name in _ALAC_LAYOUTS if _as_back(AudioLayout(name)) == places]
        if not exact or len(places) != layout.nb_channels:
            raise ValueError(f"ALAC has no {layout.name}")
        return Writing("alac", codec.sample_rate, exact[0], packed, f"{packed}p")
    if layout.name not in _FLAC_LAYOUTS:
        raise ValueError(f"FLAC has no {layout.name}")
    return Writing("flac", codec.sample_rate, layout.name, packed, packed)


def _as_back(layout: AudioLayout) -> set[str]:
    return {_BACK_OF_SIDE.get(channel.name, channel.name) for channel in layout.channels}


def _aac_layout(layout: AudioLayout) -> str:
    """The smallest layout with a place for each channel, side counting as back; else one with enough channels."""
    places = {channel.name for channel in layout.channels}
    back = _as_back(layout)
    count = layout.nb_channels
    for name in _AAC_LAYOUTS:
        held = {channel.name for channel in AudioLayout(name).channels}
        if places <= held or (len(back) == count and back <= held):
            return name
    return next(name for name in _AAC_LAYOUTS if AudioLayout(name).nb_channels >= count)
