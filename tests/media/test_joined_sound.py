"""Sound stays with its pictures where a recording was joined from several, whose clocks start anew."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from sound_clips import BURSTS, Sound, again, onsets, write_film

from ddvideo.media import open_source, probe
from ddvideo.media.clock import clock_of

PARTS = (
    (Fraction(10), Fraction(12), Fraction(0)),
    (Fraction(10), Fraction(12), Fraction(2)),
    (Fraction(5000), Fraction(5002), Fraction(-4986)),
)


@pytest.mark.parametrize(("name", "codec"), [("a.ts", "mp2"), ("a.ts", "aac"), ("a.mpg", "mp2")])
@pytest.mark.parametrize("cut", [(0, None), (15, 40)])
def test_sound_of_joined_parts_follows_their_pictures(name, codec, cut, tmp_path):
    part = write_film(tmp_path / name, [Sound(codec)], codec="mpeg2video" if name.endswith("mpg") else "libx264")
    joined = tmp_path / f"joined{part.suffix}"
    joined.write_bytes(part.read_bytes() * 3)
    with open_source(joined) as source:
        times = [float(frame.pts_seconds) for frame in source.frames()]
    assert len(times) == 75
    again(joined, tmp_path / "out.mp4", cut)
    first, stop = cut[0], cut[1] or 75
    shift = float(probe(tmp_path / "out.mp4").start_seconds) - times[first]
    loud = [25 * number + round(25 * burst) for number in range(3) for burst in BURSTS]
    wanted = [times[frame] + shift for frame in loud if first <= frame < stop]
    assert np.allclose(onsets(tmp_path / "out.mp4"), wanted, atol=0.04), (
        "EBU R 37: sound and pictures at most 40 ms apart"
    )


def test_a_clock_passes_on_where_its_track_does(tmp_path):
    info = probe(write_film(tmp_path / "a.mp4"))
    clock = clock_of(replace(info, origin_seconds=Fraction(10), clock_parts=PARTS))(None)
    raw = [9.98, 10.02, 10.5, 11.0, 11.9, 12.05, 9.99, 10.4, 11.98, 4999.98, 5000.5]
    assert [float(clock(1, Fraction(str(at)))) for at in raw] == pytest.approx(
        [-0.02, 0.02, 0.5, 1.0, 1.9, 2.05, 1.99, 2.4, 3.98, 3.98, 4.5]
    )
    assert clock(2, Fraction(10)) == 0, "every track is followed for itself"
