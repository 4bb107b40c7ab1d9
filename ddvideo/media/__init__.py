"""Reading and writing of video files, stills and folders of frames: frame-exact, colour-exact, streamed.

::

    probe(path) -> InputInfo            what an input holds
    open_source(path) -> Source         its frames, any range, one at a time
    open_sink(path, ...) -> Sink        a layer, which appears when it is whole
    read_layer(path)                    a written layer, as float32
    sound_warnings(path)                what of an input's sound and the like a layer will not hold as it is
"""

from __future__ import annotations

from ddvideo.media.frame import Frame, Source
from ddvideo.media.layers import read_layer
from ddvideo.media.sink import Sink, open_sink
from ddvideo.media.source import open_source, probe
from ddvideo.media.tracks import sound_warnings

__all__ = ["Frame", "Sink", "Source", "open_sink", "open_source", "probe", "read_layer", "sound_warnings"]
