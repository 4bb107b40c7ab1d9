"""When a mark shows: how much of it each frame has, in [0, 1], by its edges and, in a fade, by its colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label, median_filter

from ddvideo.arrays import AnyArray, BoolArray, ByteArray, FloatArray
from ddvideo.tasks.dewatermark.mark import Mark, unit
from ddvideo.tasks.dewatermark.video.constant_edges import gradient
from ddvideo.tasks.dewatermark.video.scene import predict_scene, single_frames, ways_between, without_flow

__all__ = ["measured_fade", "shown", "signature"]

_SAMPLES = 24
_SMOOTHED_FRAMES = 5
_FADE_FRAMES = 15
"""A fade is looked for so near to where the mark comes or goes."""
_GONE = 0.05
_FADING_VARIANCE = 0.1
"""Of the colours of a frame of which it is not known how much of the mark it shows."""
_LEAST, _MOST = 0.15, 0.85
"""A mark that shows less than this is not there, and one that shows more is there as a whole."""


def signature(frames: Sequence[ByteArray], where: BoolArray) -> FloatArray:
    """The edges of a mark that shows in most of the frames.

    Args:
        frames: ``(h, w, 3)`` uint8.
        where: ``(h, w)``: where it has edges.

    Returns:
        ``(h, w, 6)``: the frames' median gradient there, 0 elsewhere.
    Source: Dekel et al., CVPR 2017, eq. 3.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, _SAMPLES).round().astype(int))
    edges = np.stack([gradient(frames[t].astype(np.float32) / np.float32(255)) for t in chosen])
    return np.asarray(np.median(edges, 0) * where[..., None], np.float32)


def shown(frames: Sequence[ByteArray], edges: FloatArray) -> FloatArray:
    """How much of a mark each frame shows.

    Args:
        frames: ``(h, w, 3)`` uint8, in order.
        edges: ``(h, w, 6)``: see :func:`signature`.

    Returns:
        ``(T,)`` in [0, 1]: 0 and 1 except in a fade.
    """
    rows, columns = np.nonzero(np.abs(edges).max(2) > 0)
    if len(rows) == 0:
        return np.ones(len(frames), np.float32)
    wanted = edges[rows, columns]
    energy = float((wanted**2).sum())
    found = [
        float((gradient(frame.astype(np.float32) / np.float32(255))[rows, columns] * wanted).sum()) / energy
        for frame in frames
    ]
    smooth = median_filter(np.array(found, np.float32), _SMOOTHED_FRAMES, mode="nearest")
    there = smooth > 0.5
    switches = np.flatnonzero(np.diff(there))
    fading = _near(switches, len(there)) & (smooth > _LEAST) & (smooth < _MOST)
    # A fade reaches from its switch; further away, edges of the scene may look like some of the mark's.
    runs, _ = label(fading)
    fading &= np.isin(runs, np.concatenate([runs[switches], runs[switches + 1]]))
    return np.asarray(np.where(fading, smooth, there), np.float32)


def measured_fade(
    frames: Sequence[ByteArray], steps: Sequence[FloatArray | None], mark: Mark, seen: FloatArray
) -> FloatArray:
    """How much of a known mark each frame shows, by what frames differ by from the scene that others tell of.

    Args:
        frames: see :func:`ddvideo.tasks.dewatermark.video.alpha_regression.fit_mark`.
        steps: likewise.
        mark: from there.
        seen: ``(T,)`` from :func:`shown`; it changes only near to where the mark comes or goes.
    """
    near = _near(np.flatnonzero(np.diff(seen > 0.5)), len(seen))
    if not near.any() or not mark.alpha.any():
        return seen
    measured = single_frames(frames, mark, seen, doubt=0.0)
    covered = mark.alpha > 0
    for t in np.flatnonzero(near).tolist():
        measured[t] = measured[t][0], np.where(covered, np.float32(_FADING_VARIANCE), measured[t][1])
    scene = [colours for colours, _ in measured]
    predictions = predict_scene(measured, ways_between(scene, steps, without_flow(mark)))
    found = seen.copy()
    for t in np.flatnonzero(near).tolist():
        before, sure_before, after, sure_after = predictions.both(t)
        sure = sure_before + sure_after
        behind = (sure_before[..., None] * before + sure_after[..., None] * after) / np.maximum(sure, 1e-6)[..., None]
        whole = mark.alpha[..., None] * (mark.colour - behind) * np.sqrt(sure)[..., None]
        there = (unit(frames[t]) - behind) * np.sqrt(sure)[..., None]
        energy = float((whole * whole).sum())
        share = float((whole * there).sum()) / energy if energy > 0 else float(seen[t])
        found[t] = 0 if share < _GONE else 1 if share > 1 - _GONE else share
    return found


def _near(switches: AnyArray, count: int) -> BoolArray:
    near = np.zeros(count, bool)
    for switch in switches:
        near[max(switch + 1 - _FADE_FRAMES, 0) : switch + 1 + _FADE_FRAMES] = True
    return near
