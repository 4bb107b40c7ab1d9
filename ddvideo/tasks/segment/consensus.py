"""Non-local consensus: superpixels that look alike, anywhere in a shot, vote for each other's layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ddvideo.arrays import AnyArray, FloatArray
from ddvideo.graph.neighbours import OFFSETS, likeness_graph
from ddvideo.graph.voting import vote

__all__ = ["Anchors", "Consensus", "anchor_memory", "anchors_outside"]

_ANCHOR_FRAMES = 8
_VOTED = "anchor_voted_"


@dataclass(frozen=True, eq=False)
class Anchors:
    """Superpixels of frames outside a window whose scores are known: they vote, but are not voted on."""

    features: FloatArray
    """``(A, D)``."""
    scores: Mapping[str, FloatArray]
    """``(A,)`` by the name of the vote."""

    def __len__(self) -> int:
        return len(self.features)


def anchors_outside(indices: Sequence[int], memory: Mapping[str, AnyArray] | None) -> Anchors | None:
    """Superpixels of the shot's key frames that are not among a window's frames; None where there are none."""
    if memory is None:
        return None
    frames = memory["anchor_frames"]
    outside = np.unique(frames[~np.isin(frames, indices)])
    if len(outside) == 0:
        return None
    chosen = outside[np.unique(np.linspace(0, len(outside) - 1, _ANCHOR_FRAMES).round().astype(int))]
    rows = np.isin(frames, chosen)
    return Anchors(
        memory["anchor_features"][rows],
        {name.removeprefix(_VOTED): scores[rows] for name, scores in memory.items() if name.startswith(_VOTED)},
    )


def anchor_memory(
    indices: Sequence[int], features: Sequence[FloatArray], voted: Mapping[str, FloatArray]
) -> dict[str, AnyArray]:
    """What :func:`anchors_outside` reads: superpixels of a prior's frames, with what was voted on each.

    Args:
        indices: frames.
        features: per frame ``(n_t, D)``.
        voted: ``(N,)`` by the name of the vote.
    """
    return {
        **{_VOTED + name: scores for name, scores in voted.items()},
        "anchor_frames": np.repeat(indices, [len(frame) for frame in features]).astype(np.int64),
        "anchor_features": np.concatenate(features),
    }


class Consensus:
    """Votes over the nodes of a window and its anchors.

    Args:
        features: per frame ``(n_t, D)``.
        anchors: of the same shot, or None.
        offsets: frames, relative to its own, among which a node's likes are sought.
    Source: Faktor and Irani, BMVC 2014.
    """

    def __init__(
        self,
        features: Sequence[FloatArray],
        anchors: Anchors | None = None,
        *,
        offsets: Sequence[int] = OFFSETS,
    ) -> None:
        self._count = sum(len(frame) for frame in features)
        self._anchors = anchors
        self._graph: csr_array = likeness_graph(
            features, offsets=offsets, anchors=None if anchors is None else anchors.features
        )
        self.voted: dict[str, FloatArray] = {}
        """``(N,)``: what has come of the votes that have a name."""

    def vote(self, scores: FloatArray, *, steps: int, name: str = "", weights: FloatArray | None = None) -> FloatArray:
        """``(N,)`` scores after so many rounds; anchors keep the score they have under ``name``.

        Args:
            scores: ``(N,)``.
            steps: rounds.
            name: under which it is remembered, and that of the anchors' scores.
            weights: ``(N,)`` > 0, how much each has to say to begin with; all the same where it is left out.
        Source: of weights, Knutsson and Westin, CVPR 1993, eq. 2 (normalised averaging).
        """
        if weights is not None:
            scores = scores * weights
        if self._anchors is not None:
            scores = np.concatenate([scores, self._anchors.scores[name]])
        found = vote(self._graph, scores, steps=steps)[: self._count]
        if weights is not None:
            known = np.ones(len(scores), np.float32)
            known[: self._count] = weights
            found = found / vote(self._graph, known, steps=steps)[: self._count]
        if name:
            self.voted[name] = found
        return found
