"""What a shot's chunks share, on disk: the camera's path, the task's decisions, weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.errors import DecompositionError
from ddvideo.fit.window_fit import WindowFit
from ddvideo.motion.homography import canvas_bounds, rebased
from ddvideo.store import load_prior_record, write_bytes
from ddvideo.tasks.contract import Conclusion, Memory, Motion

__all__ = ["ShotPrior", "camera_motion", "read_prior", "write_prior"]

_MAX_EXTENT = 12.0
"""A canvas reaches at most so many half frames from its origin."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShotPrior:
    """A fitted prior."""

    camera: FloatArray
    """``(T, 3, 3)`` for every frame of the shot, to the plane of its middle frame."""
    memory: Memory
    weights: Mapping[str, Tensor]
    maps: Mapping[str, AnyArray]
    """``(T, h, w)`` float16 for every frame of the shot where the prior has fitted all of them; else empty."""
    drawn: Mapping[str, AnyArray]
    """``(T, h, w, C)`` uint8, likewise."""
    loss: float

    def window_fit(self) -> WindowFit:
        """What the prior came to, for the frames that were read."""
        return WindowFit(
            conclusion=Conclusion(maps=self.maps),
            drawn=self.drawn,
            weights={},
            steps=0,
            loss=self.loss,
            warnings=(),
        )


def write_prior(folder: Path, shot_index: int, prior: ShotPrior) -> tuple[str, str]:
    """Write a prior as safetensors; returns the file's name and content hash.

    Raises:
        OutputError: it cannot be written.
    """
    arrays: dict[str, AnyArray] = {"camera": prior.camera}
    arrays |= {f"memory/{name}": np.asarray(values) for name, values in prior.memory.items()}
    arrays |= {f"weights/{name}": values.numpy() for name, values in prior.weights.items()}
    arrays |= {f"map/{name}": values.astype(np.float16, copy=False) for name, values in prior.maps.items()}
    arrays |= {f"drawn/{name}": values for name, values in prior.drawn.items()}
    arrays["loss"] = np.array(prior.loss, np.float64)
    data = save({name: np.ascontiguousarray(values).reshape(np.shape(values)) for name, values in arrays.items()})
    name = f"prior-{shot_index:04d}.safetensors"
    write_bytes(folder / name, data)
    return name, hashlib.sha256(data).hexdigest()


def read_prior(folder: Path, shot_index: int, rows: range) -> ShotPrior:
    """Read a prior back; of what belongs to single frames only that of ``rows``, counted within the shot.

    Raises:
        DecompositionError: it is not there, or damaged.
    """
    record = load_prior_record(folder, shot_index)
    if record is None:
        raise DecompositionError(f"{folder}: the prior of shot {shot_index} is missing or damaged: start again")
    parts: dict[str, dict[str, AnyArray]] = {"memory": {}, "weights": {}, "map": {}, "drawn": {}}
    cut = slice(rows.start, rows.stop)
    try:
        with safe_open(str(folder / record.file), "np") as file:
            camera, loss = file.get_tensor("camera"), float(file.get_tensor("loss"))
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                kind, _, name = key.partition("/")
                if kind in ("map", "drawn"):
                    parts[kind][name] = file.get_slice(key)[cut]
                elif kind in parts:
                    parts[kind][name] = file.get_tensor(key)
    except (SafetensorError, OSError, ValueError) as error:
        raise DecompositionError(f"{folder / record.file} is damaged ({error}): start again") from error
    return ShotPrior(
        camera=camera,
        memory=parts["memory"],
        weights={name: torch.from_numpy(values) for name, values in parts["weights"].items()},
        maps=parts["map"],
        drawn=parts["drawn"],
        loss=loss,
    )


def camera_motion(path: FloatArray, rows: AnyArray) -> Motion:
    """The camera's motion over some frames of a shot.

    All windows of a shot share one canvas, so that weights of one fit the other. Where the camera goes so far in the
    shot that the canvas would be too large, a window has its own, around its middle frame.

    Args:
        path: ``(T, 3, 3)`` of the whole shot.
        rows: the window's frames, counted within the shot.
    """
    bounds = canvas_bounds(path)
    matrices = path[rows]
    if np.abs(bounds).max() > _MAX_EXTENT or not np.isfinite(bounds).all():
        matrices = rebased(matrices, len(matrices) // 2)
        bounds = canvas_bounds(matrices)
        bounds = np.where(np.isfinite(bounds), bounds, np.array([-1, -1, 1, 1], np.float32))
    return Motion(matrices=matrices, bounds=np.clip(bounds, -_MAX_EXTENT, _MAX_EXTENT).astype(np.float32))
