"""The pixels that a flat mark of known strength and colour covers: a minimum cut of a graph of neighbouring pixels."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ddvideo.arrays import AnyArray, BoolArray, FloatArray
from ddvideo.tasks.dewatermark.stills.pixel_pairs import PixelPairs

__all__ = ["cut_mask"]

_REACH_PX = (1, 2, 3)
"""Neighbours so far apart are compared: over the width of a smooth edge, and within narrow lines."""
_NOISE, _MOST = 0.02, 4.0
_EDGE = 0.35
"""Cost of an edge of the mark that nothing speaks for."""
_BEYOND = 0.03
"""A scene's colours may seem to leave [0, 1] by so much, and by noise."""
_UNITS = 100
"""Costs are rounded to whole parts of this."""


def cut_mask(image: FloatArray, region: BoolArray, gain: float, offset: AnyArray) -> BoolArray:
    """Pixels ``(h, w)`` of a mark under which a scene's colour ``C`` is seen as ``gain * C + offset``.

    Two neighbours cost ``log(1 + d^2 / noise^2)``, where ``d`` is the difference of their colours: as they are seen if
    both or neither are covered, and with the mark taken off the covered one if only one is. The cheapest choice for all
    pixels at once is a minimum cut. Costs that are not submodular are raised to the least that is.

    Args:
        image: ``(h, w, 3)`` in [0, 1].
        region: ``(h, w)``: that holds the mark.
        gain: of the mark, in (0, 1): ``1 - alpha``.
        offset: ``(3,)``: ``alpha`` times its colour.

    Source: Boykov and Jolly, ICCV 2001; Rother et al., CVPR 2005 (truncation of what is not submodular).
    """
    flat = image.reshape(-1, 3).astype(np.float64)
    behind = (flat - offset) / gain
    open_ = region.ravel() & (np.minimum(behind, 1 - behind).min(1) > -_BEYOND - _NOISE / gain)
    # Pixels that cannot be of the mark stand for one node, the sink.
    nodes = np.flatnonzero(open_)
    source, sink = len(nodes), len(nodes) + 1
    number = np.full(region.size, sink)
    number[nodes] = np.arange(len(nodes))
    steps = [step for far in _REACH_PX for step in ((0, far), (far, 0))]
    pairs = PixelPairs(region, steps)
    first, second = pairs.first, pairs.second
    leaves, enters = _edge_costs(flat[first], flat[second], gain, offset)
    # An edge that costs less than none draws its one pixel into the mark and its other out of it.
    drawn = np.minimum(leaves, 0) - np.minimum(enters, 0)
    wanted = (np.bincount(first, drawn, region.size) - np.bincount(second, drawn, region.size))[nodes]
    own = np.arange(len(nodes))
    starts = [number[first], number[second], np.full(len(nodes), source), own]
    ends = [number[second], number[first], own, np.full(len(nodes), sink)]
    costs = [np.maximum(np.minimum(enters, 0) + leaves, 0), np.maximum(np.minimum(leaves, 0) + enters, 0)]
    costs += [np.maximum(-wanted, 0), np.maximum(wanted, 0)]
    return _reached(np.concatenate(starts), np.concatenate(ends), np.concatenate(costs), nodes, region)


def _edge_costs(one: AnyArray, other: AnyArray, gain: float, offset: AnyArray) -> tuple[AnyArray, AnyArray]:
    """What it costs more than no edge that only the first of two pixels ``(P, 3)`` is covered, or only the other."""
    none = _cost(one - other)
    leaves = _cost(one - gain * other - offset) + _EDGE - none
    enters = _cost(other - gain * one - offset) + _EDGE - none
    low = leaves < enters
    return np.where(low, leaves, np.maximum(leaves, -enters)), np.where(low, np.maximum(enters, -leaves), enters)


def _cost(difference: AnyArray) -> AnyArray:
    return np.asarray(np.minimum(np.log1p((difference**2).mean(1) / _NOISE**2), _MOST))


def _reached(starts: AnyArray, ends: AnyArray, costs: AnyArray, nodes: AnyArray, region: BoolArray) -> BoolArray:
    """The side of the source in the minimum cut; its node comes after the others, and the sink's last."""
    source, sink = len(nodes), len(nodes) + 1
    whole = np.rint(costs * _UNITS).astype(np.int32)
    used = (whole > 0) & (starts != sink) & (starts != ends)
    graph = sp.csr_matrix((whole[used], (starts[used], ends[used])), (sink + 1, sink + 1))
    graph.sum_duplicates()
    left = graph - maximum_flow(graph, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    mask = np.zeros(region.size, np.bool_)
    mask[nodes[reached[reached < source]]] = True
    return mask.reshape(region.shape)
