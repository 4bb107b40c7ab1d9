"""A handful of small pictures of a run, kept while its frames stream by, for the report's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ddvideo.errors import OutputError
from ddvideo.report.preview import GAP_PX, PreviewComposer
from ddvideo.types import InputInfo

__all__ = ["Thumbnails"]

THUMBNAIL_PX = 240


class Thumbnails:
    """Picks frames spread evenly over a clip and keeps them, small, as PNG bytes.

    Args:
        info: the input; its size, rotation and pixel aspect.
        layers: names of the layers, in order of display.
        start, stop: the frames that will be offered, half-open, absolute.
        count: how many of them to keep.
    """

    def __init__(self, info: InputInfo, layers: Sequence[str], *, start: int, stop: int, count: int = 4) -> None:
        panels = len(layers) + 1
        self._composer = PreviewComposer(
            info,
            layers,
            labels=False,
            max_width=panels * THUMBNAIL_PX + (panels - 1) * GAP_PX,
            max_height=THUMBNAIL_PX,
        )
        frames = max(1, stop - start)
        kept = min(count, frames)
        self.wanted: frozenset[int] = frozenset(start + (2 * n + 1) * frames // (2 * kept) for n in range(kept))
        self.names = self._composer.names
        self._rows: dict[int, list[bytes]] = {}

    def offer(self, index: int, frame: NDArray[Any], layers: Mapping[str, NDArray[Any]]) -> None:
        """Keep the frame if it is one of the wanted ones; arguments as ``PreviewComposer.panels``."""
        if index in self.wanted:
            self._rows[index] = [_png(panel) for panel in self._composer.panels(frame, layers)]

    def strip(self) -> bytes:
        """The panels of the middle one of the kept frames side by side, as JPEG; nothing where none was kept."""
        rows = [self._rows[index] for index in sorted(self._rows)]
        if not rows:
            return b""
        panels = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) for png in rows[len(rows) // 2]]
        whole, data = cv2.imencode(".jpg", np.hstack([panel for panel in panels if panel is not None]))
        return bytes(data) if whole else b""

    def __iter__(self) -> Iterator[tuple[int, dict[str, bytes]]]:
        """Yield ``(frame index, {panel name: PNG bytes})`` in the order of the frames."""
        for index in sorted(self._rows):
            yield index, dict(zip(self.names, self._rows[index], strict=True))


def _png(picture: NDArray[np.uint8]) -> bytes:
    whole, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not whole:
        raise OutputError("a thumbnail could not be encoded as PNG")
    return bytes(data)
