"""Where chroma stands after reading and writing: ``python -m benchmarks.footage --help``.

A rendered clip is encoded with its chroma at a place, read and written again as a layer is, once and twice. The shift
of the chroma planes is found by least squares on their gradients (Lucas and Kanade 1981), in pixels of the plane. Only
the first frame counts, since coders let faint moving chroma lag. ``unplaced`` is what the converter does when it is
told no place: what ddvideo did before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.once import ROOT
from benchmarks.provenance import provenance
from ddvideo.arrays import AnyArray, ByteArray, FloatArray
from ddvideo.media import open_sink, open_source, probe
from ddvideo.media.colour import Colour, RgbWriter
from ddvideo.store import write_json
from sample_clips.render import long_scene

__all__ = ["main", "measure", "shift_px"]

PLACES = ("left", "center", "topleft")
FORMATS = ("yuv420p", "yuv420p10le")
GOAL_PX = 0.03
RESULTS = ROOT / "benchmarks" / "results" / "footage.json"


def shift_px(before: FloatArray, after: FloatArray) -> float:
    """The longer of the shifts right and down of a plane ``(H, W)`` against another, in its pixels."""
    inside = (slice(4, -4), slice(4, -4))
    down, right = (np.gradient(before, axis=axis)[inside].ravel() for axis in (0, 1))
    moved = (before - after)[inside].ravel()
    found = np.linalg.lstsq(np.stack([right, down], 1), moved, rcond=None)[0]
    return float(max(found, key=abs))


def measure(pix_fmt: str, place: str, frames: Sequence[ByteArray], folder: Path) -> dict[str, Any]:
    """The shifts of both chroma planes after one pass and two, and without a place; the longest of each."""
    colour = Colour(space=1, full_range=False, primaries=1, transfer=1, chroma_location=place)
    first = _encode(folder / "in.mp4", frames, colour, pix_fmt)
    second, third = folder / "once.mp4", folder / "twice.mp4"
    for source, target in ((first, second), (second, third)):
        _pass(source, target)
    planes = [_chroma(path) for path in (first, second, third)]
    with open_source(first) as source:
        rgb = next(iter(source.frames())).rgb
    unplaced = _samples(RgbWriter(replace(colour, chroma_location="unspecified"), pix_fmt)(rgb))
    longest = [
        max((shift_px(a, b) for a, b in zip(planes[0], other, strict=True)), key=abs)
        for other in (unplaced, planes[1], planes[2])
    ]
    return {
        "pix_fmt": pix_fmt,
        "place": place,
        "read_as": probe(first).chroma_location,
        "written_as": probe(second).chroma_location,
        **dict(zip(("unplaced_px", "once_px", "twice_px"), (round(shift, 4) for shift in longest), strict=True)),
    }


def _encode(path: Path, frames: Sequence[ByteArray], colour: Colour, pix_fmt: str) -> Path:
    write = RgbWriter(colour, pix_fmt)
    options = {"preset": "veryfast", "qp": "4", "chroma_sample_location": colour.chroma_location}
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pix_fmt
        stream.codec_context.colorspace = colour.space
        for number, frame in enumerate(frames):
            deep = pix_fmt.endswith("10le")
            picture = write(frame.astype(np.uint16) * 257 if deep else frame)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


def _pass(source: Path, target: Path) -> None:
    with open_source(source) as opened, open_sink(target, like=opened.info) as sink:
        for frame in opened.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)


def _chroma(path: Path) -> list[FloatArray]:
    with av.open(path) as file:
        return _samples(next(file.decode(video=0)))


def _samples(frame: av.VideoFrame) -> list[FloatArray]:
    deep = frame.format.components[0].bits > 8
    found = []
    for plane in frame.planes[1:]:
        stored: AnyArray = np.frombuffer(bytes(plane), np.uint16 if deep else np.uint8)
        found.append(stored.reshape(plane.height, -1)[:, : plane.width].astype(np.float32))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and write JSON; 1 where a shift is not under the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the numbers go")
    given = parser.parse_args(argv)
    about = provenance()
    scene = long_scene(4)
    frames = [np.asarray(np.rint(255 * scene.compose(scene.layers(index))), np.uint8) for index in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(pix_fmt, place, frames, Path(folder)) for pix_fmt in FORMATS for place in PLACES]
    print(f"{'format':12} {'chroma at':10} {'unplaced':>9} {'once':>8} {'twice':>8}   chroma pixels")
    for row in rows:
        shifts = " ".join(f"{row[name]:8.3f}" for name in ("once_px", "twice_px"))
        print(f"{row['pix_fmt']:12} {row['place']:10} {row['unplaced_px']:9.3f} {shifts}")
    worst = max(abs(row[name]) for row in rows for name in ("once_px", "twice_px"))
    print(f"longest shift {worst:.3f} chroma pixels, goal {GOAL_PX}")
    write_json(given.json, {**about, "goal_px": GOAL_PX, "worst_px": worst, "rows": rows})
    return 0 if worst < GOAL_PX else 1


if __name__ == "__main__":
    sys.exit(main())
