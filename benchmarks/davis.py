"""DAVIS-2016 as it lies on the disk: frames, masks, published results; and its frames as a video file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ddvideo.arrays import BoolArray, ByteArray

__all__ = [
    "CRF",
    "DataError",
    "DavisSequence",
    "load_published",
    "load_sequences",
    "read_frame",
    "read_mask",
    "write_clip",
]

FPS = 25
CRF = 18
"""Quality of clips that are written, unless told otherwise."""
X264 = {"threads": "1", "x264-params": "mbtree=0"}
"""The same frames give the same file: with its macroblock tree, x264 gives others from one time to the next."""
_SMPTE170M, _LIMITED = 6, 1  # as H.264 names BT.601


class DataError(Exception):
    """The data folder does not hold what is needed; one line that says what and where."""


@dataclass(frozen=True)
class DavisSequence:
    """A sequence: one frame (JPEG) and, where they are asked for, one mask (PNG) for every moment, in order."""

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]


def load_sequences(
    folder: Path, names: Sequence[str] | None = None, *, limit: int | None = None, masks: bool = True
) -> list[DavisSequence]:
    """The sequences of a folder with ``frames/SEQ/*.jpg`` and ``masks/SEQ/*.png``.

    Args:
        folder: the data.
        names: only these, in this order; all by name where None.
        limit: only so many frames from the start of each.
        masks: whether they are needed; without, every sequence has none.

    Raises:
        DataError: the folder, a sequence or a mask is missing, or a sequence is too short to be measured.
    """
    known = sorted(path.name for path in (folder / "frames").glob("*") if path.is_dir())
    if not known:
        needed = "frames/SEQ/*.jpg and masks/SEQ/*.png are" if masks else "frames/SEQ/*.jpg is"
        raise DataError(f"no sequences in {folder}: {needed} needed; see --data")
    if unknown := sorted(set(names or ()) - set(known)):
        raise DataError(f"{folder} has no sequence {', '.join(unknown)}; it has {', '.join(known)}")
    return [_load(folder, name, limit, masks) for name in names or known]


def _load(folder: Path, name: str, limit: int | None, with_masks: bool) -> DavisSequence:
    frames = sorted((folder / "frames" / name).glob("*.jpg"))[:limit]
    if len(frames) < 3:
        raise DataError(f"{name}: at least 3 frames are needed, not {len(frames)}")
    if not with_masks:
        return DavisSequence(name, tuple(frames), ())
    masks = [folder / "masks" / name / f"{frame.stem}.png" for frame in frames]
    if missing := [mask for mask in masks if not mask.is_file()]:
        raise DataError(f"{name}: {len(missing)} of {len(masks)} masks are missing, the first is {missing[0]}")
    return DavisSequence(name, tuple(frames), tuple(masks))


def load_published(folder: Path) -> dict[str, dict[str, float]]:
    """Published J by method and sequence, from ``published_J.csv``; nothing where there is no such file.

    The measured ``u2netp_every_8th_frame`` is called ``u2netp``; the file's own mean is left out, for the mean is taken
    over the sequences at hand.
    """
    file = folder / "published_J.csv"
    if not file.is_file():
        return {}
    found: dict[str, dict[str, float]] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            name = row.pop("sequence")
            for column, value in row.items():
                if name != "mean" and value:
                    found.setdefault(column.removesuffix("_every_8th_frame"), {})[name] = float(value)
    return found


def read_frame(path: Path) -> ByteArray:
    """One frame, ``(H, W, 3)`` uint8 RGB.

    Raises:
        DataError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return np.ascontiguousarray(image[..., ::-1], np.uint8)


def read_mask(path: Path) -> BoolArray:
    """One mask, ``(H, W)`` bool: everything that is not black.

    Raises:
        DataError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path} cannot be read as an image")
    return np.asarray(image > 0, np.bool_)


def write_clip(path: Path, frames: Iterable[Path | ByteArray], *, crf: int = CRF) -> Path:
    """Write frames (even sizes) as H.264 in MP4: 4:2:0, 25 fps, BT.601 limited range; returns ``path``.

    Args:
        path: of the clip.
        frames: files, or pictures ``(H, W, 3)`` uint8 RGB.
        crf: quality, 0 (nothing is lost but by 4:2:0) to 51.

    Raises:
        DataError: a frame cannot be read or is of another size than the first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as out:
        stream = None
        for index, frame in enumerate(frames):
            rgb = read_frame(frame) if isinstance(frame, Path) else frame
            if stream is None:
                stream = out.add_stream("libx264", rate=FPS, options={"crf": str(crf), **X264})
                stream.height, stream.width = rgb.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.colorspace = _SMPTE170M
                stream.codec_context.color_range = _LIMITED
            if rgb.shape[:2] != (stream.height, stream.width):
                name = frame if isinstance(frame, Path) else f"frame {index} of {path.name}"
                raise DataError(f"{name} is {rgb.shape[1]}x{rgb.shape[0]}, not {stream.width}x{stream.height}")
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
            )
            out.mux(stream.encode(picture))
        if stream is not None:
            out.mux(stream.encode(None))
    return path
