"""Contact sheets, to see in one look what a score cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.davis import DavisSequence, read_frame, read_mask
from ddvideo.arrays import BoolArray, ByteArray, FloatArray
from ddvideo.media import read_layer

__all__ = ["chosen_frames", "make_panels", "small_picture", "stack_sheet", "write_sheet"]

COLUMNS = 6
WIDTH_PX = 320
LIMIT_BYTES = 1_500_000
_GAP_PX = 4
_TILE_PX = 8

Panels = Mapping[str, Sequence[ByteArray]]
"""Pictures ``(h, w, 3)`` RGB by the name of their row, one a column."""


def chosen_frames(count: int, columns: int = COLUMNS) -> list[int]:
    """Frame numbers spread evenly over a clip, first and last left out where there are enough; no two the same."""
    return sorted({round((k + 0.5) * (count - 1) / columns) for k in range(columns)})


def make_panels(sequence: DavisSequence, layers: Mapping[str, Path], seeds: Path | None = None) -> Panels:
    """The rows of a sequence's sheet.

    Args:
        sequence: frames and masks.
        layers: files of ``alpha``, ``foreground`` and ``background``.
        seeds: alpha of the seeds alone, for a row of its own.
    """
    indices = chosen_frames(len(sequence.frames))
    alphas = list(_at(layers["alpha"], indices))
    frames = [np.asarray(read_frame(sequence.frames[index]) / 255, np.float32) for index in indices]
    rows: dict[str, list[FloatArray]] = {
        "input": frames,
        "alpha": [_grey(alpha) for alpha in alphas],
        "cut-out": [
            _over_tiles(layer, alpha) for layer, alpha in zip(_at(layers["foreground"], indices), alphas, strict=True)
        ],
        "background": list(_at(layers["background"], indices)),
        "errors (red: too much, blue: missing)": [
            _error_map(frame, alpha > 0.5, read_mask(sequence.masks[index]))
            for frame, alpha, index in zip(frames, alphas, indices, strict=True)
        ],
    }
    if seeds is not None:
        rows["alpha of the seeds"] = [_grey(alpha) for alpha in _at(seeds, indices)]
    return {name: [small_picture(picture) for picture in pictures] for name, pictures in rows.items()}


def stack_sheet(rows: Sequence[tuple[str, Sequence[ByteArray]]]) -> ByteArray:
    """Put rows of equally large pictures together, each named in its corner."""
    lines = []
    for name, pictures in rows:
        line = np.concatenate([_framed(picture) for picture in pictures], axis=1)
        lines.append(_labelled(line, name))
    width = max(line.shape[1] for line in lines)
    return np.concatenate([np.pad(line, ((0, 0), (0, width - line.shape[1]), (0, 0))) for line in lines])


def write_sheet(path: Path, sheet: ByteArray) -> Path:
    """Write a sheet as PNG of at most 1.5 MB: first with fewer shades, then smaller, until it fits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = 1.0
    while True:
        size = (round(sheet.shape[1] * scale), round(sheet.shape[0] * scale))
        picture = sheet if scale == 1 else cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)
        for step in (1, 4, 8):
            coarse = np.minimum((picture // step) * step + step // 2, 255).astype(np.uint8)
            png = cv2.imencode(".png", coarse[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()
            if len(png) < LIMIT_BYTES:
                path.write_bytes(png)
                return path
        scale *= 0.9


def _at(path: Path, indices: Sequence[int]) -> Iterator[FloatArray]:
    wanted = set(indices)
    for index, values in enumerate(read_layer(path)):
        if index in wanted:
            yield values[..., :3] if values.ndim == 3 else values
        if index >= indices[-1]:
            return


def _grey(alpha: FloatArray) -> FloatArray:
    return np.repeat(alpha[..., None], 3, axis=2)


def _over_tiles(layer: FloatArray, alpha: FloatArray) -> FloatArray:
    y, x = np.indices(alpha.shape) // (2 * _TILE_PX)
    tiles = np.where((y + x) % 2, 0.55, 0.75).astype(np.float32)[..., None]
    return np.asarray(alpha[..., None] * layer + (1 - alpha[..., None]) * tiles, np.float32)


def _error_map(frame: FloatArray, predicted: BoolArray, truth: BoolArray) -> FloatArray:
    """Too much in red, missing in blue, the truth's outline in yellow, over the faded frame."""
    height, width = frame.shape[:2]
    masks = [
        cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
        for mask in (predicted, truth)
    ]
    found, wanted = masks
    picture = np.repeat(0.35 + 0.5 * frame.mean(axis=2, keepdims=True), 3, axis=2).astype(np.float32)
    for where, colour in ((found & ~wanted, (0.9, 0.15, 0.1)), (wanted & ~found, (0.1, 0.3, 1.0))):
        picture[where] = 0.35 * picture[where] + 0.65 * np.array(colour, np.float32)
    outline = cv2.morphologyEx(wanted.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).astype(bool)
    picture[outline] = (1.0, 0.9, 0.0)
    return picture


def small_picture(picture: FloatArray) -> ByteArray:
    """A picture ``(H, W, 3)`` in [0, 1], or a map ``(H, W)``, as RGB uint8 of 320 pixels' width."""
    picture = _grey(picture) if picture.ndim == 2 else picture
    height = round(picture.shape[0] * WIDTH_PX / picture.shape[1])
    reduced = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(np.rint(255 * reduced), 0, 255), np.uint8)


def _framed(picture: ByteArray) -> ByteArray:
    return np.asarray(np.pad(picture, ((0, _GAP_PX), (0, _GAP_PX), (0, 0))), np.uint8)


def _labelled(line: ByteArray, text: str) -> ByteArray:
    line = np.ascontiguousarray(line)
    font, size, white = cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255)
    (width, height), below = cv2.getTextSize(text, font, size, 1)
    line[: height + below + 6, : width + 12] = 0
    cv2.putText(line, text, (6, height + 3), font, size, white, 1, cv2.LINE_AA)
    return line
