"""A chain of FFmpeg's filters over frames of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from av import VideoFrame
from av.error import BlockingIOError, EOFError
from av.filter import Graph

__all__ = ["FilterChain"]


class FilterChain:
    """Filters one after the other, rebuilt where the size or format of the frames changes.

    Args:
        filters: names and arguments, in the order in which frames go through them.
    """

    def __init__(self, filters: Sequence[tuple[str, str]]) -> None:
        self._filters = filters
        self._kind: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def push(self, frame: VideoFrame) -> list[VideoFrame]:
        """Put a frame in; gives those that are ready."""
        kind = (frame.width, frame.height, frame.format.name)
        ready = self.flush() if self._kind not in (None, kind) else []
        if self._graph is None:
            self._graph, self._kind = self._build(frame), kind
        self._graph.push(frame)
        return [*ready, *self._pull()]

    def flush(self) -> list[VideoFrame]:
        """The frames that are still inside; the chain starts anew after it."""
        if self._graph is None:
            return []
        self._graph.push(None)
        ready = self._pull()
        self._graph = self._kind = None
        return ready

    def _pull(self) -> list[VideoFrame]:
        ready: list[VideoFrame] = []
        while self._graph is not None:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):
                break
            if isinstance(frame, VideoFrame):
                ready.append(frame)
        return ready

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        last = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
        for name, arguments in self._filters:
            following = graph.add(name, arguments)
            last.link_to(following)
            last = following
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        return graph
