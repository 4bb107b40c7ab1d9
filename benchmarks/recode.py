"""What writing a clip as a layer costs by itself: no result that is encoded so can be nearer to its input."""

from __future__ import annotations

from pathlib import Path

from ddvideo.media import open_sink, open_source

__all__ = ["recoded"]


def recoded(clip: Path, path: Path) -> Path:
    """Write the frames of a clip, as they are, the way ddvideo writes a layer of colours; returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_source(clip) as source, open_sink(path, like=source.info) as sink:
        for frame in source.frames():
            sink.write(frame.rgb, frame.pts_seconds, frame.duration_seconds)
    return path
