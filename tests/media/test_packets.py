"""What packets alone tell: restarts of the clock, and whether they can be trusted."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from media_clips import natural, write_clip

from ddvideo.media.container import open_input, packets_of, video_stream
from ddvideo.media.packets import NO_STAMP, PacketScan


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """The packets of a transport stream, a tick of 1/90000 s; its stamps are then replaced."""
    path = tmp_path_factory.mktemp("scan") / "in.ts"
    write_clip(path, natural(3, 64, 48), time_base=Fraction(1, 90000), step=3600, container="mpegts")
    with open_input(path) as container:
        return PacketScan(container, video_stream(container, path))


def told(scan, pts, dts=None):
    """The scan with other stamps, in frames of 1/25 s; None is no stamp."""
    scan.pts, scan.dts = (
        np.array([NO_STAMP if t is None else t * 3600 for t in stamps], np.int64) for stamps in (pts, dts or pts)
    )
    return scan


@pytest.mark.parametrize(
    ("pts", "restarts"),
    [
        ([0, 1, 2, 3, 4, 5], []),
        ([0, 1, 2, 0, 1, 2], [3]),
        ([9, 10, 11, 0, 1, 2, 0, 1], [3, 6]),
        ([0, 1, 2, 90_000, 90_001, 90_002], [3]),
        ([0, 1, 2, 90_000, 3, 4], []),  # one wrong stamp
        ([0, 1, 2, 0, 4, 5], []),
        ([0, 1, 2, 2, 3, 4], []),
        ([0, 1, 2, 200, 201, 202], []),  # eight seconds: a pause
        ([0, 1, None, 3, 0, 1, None], [4]),
        ([None, None, None], []),
        ([5], []),
    ],
)
def test_where_the_clock_starts_anew(pts, restarts, scan):
    assert told(scan, pts).restarts() == restarts
    clear = not restarts and None not in pts and all(b > a for a, b in pairwise(pts))
    assert scan.has_clear_stamps == (clear and len(pts) == len(set(pts)))


def test_times_of_decoding_that_fall_are_no_restart_where_frames_go_on(scan):
    """FFmpeg makes them up where a container has none, and guesses too late."""
    assert told(scan, [0, 1, 2, 3, 4, 5], [0, 1.25, 1, 3, 4, 5]).restarts() == []
    assert told(scan, [0, 1, 2], [0, 1.25, 1]).restarts() == []
    assert told(scan, [0, 1, 2, 3, 4, 5], [0, 5, 1, 2, 3, 6]).restarts() == []
    assert told(scan, [2, 4, 3, 6, 5, 0, 2, 1], [0, 1, 2, 3, 4, -2, -1, 0]).restarts() == [5]


def test_the_usual_step_is_that_of_a_frame(scan):
    scan.durations = np.array([1800, 1800, 0, 1800], np.int64)
    assert scan.usual_step(is_by_field=False) == 1800
    assert scan.usual_step(is_by_field=True) == 3600
    scan.durations = np.zeros(3, np.int64)
    assert scan.usual_step(is_by_field=False) is None


def test_streams_that_begin_later_end_the_packets_without_an_error(tmp_path):
    """PyAV trips over such streams at the end of a file, by chance: after the last packet."""

    class Container:
        def demux(self, *streams):
            yield av.Packet(b"one")
            yield av.Packet(b"two")
            yield av.Packet(0)
            raise IndexError("list index out of range")

    assert [bytes(packet) for packet in packets_of(Container())] == [b"one", b"two"]


@pytest.mark.parametrize(("name", "codec"), [("in.mp4", "libx264"), ("in.mpg", "mpeg2video"), ("in.mkv", "ffv1")])
def test_one_thread_decodes_so_that_damage_is_the_same_each_time(name, codec, tmp_path):
    per_frame = {"time_base": Fraction(1, 25), "step": 1}
    path = write_clip(tmp_path / name, natural(2, 64, 48), codec=codec, options={"g": "4"}, **per_frame)
    with open_input(path) as container:
        assert video_stream(container, path).codec_context.thread_count == 1
