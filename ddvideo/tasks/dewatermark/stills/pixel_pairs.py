"""Pairs of neighbouring pixels in a region: their differences, and the values that have given differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sl

from ddvideo.arrays import AnyArray, BoolArray

__all__ = ["PixelPairs"]

_RIDGE = 1e-4
_NEIGHBOURS = ((0, 1), (1, 0))


class PixelPairs:
    """All pairs of neighbours of which at least one lies in a region; unknowns are the region's pixels, 0 outside."""

    def __init__(self, region: BoolArray, steps: Sequence[tuple[int, int]] = _NEIGHBOURS) -> None:
        """Prepare.

        Args:
            region: ``(h, w)``.
            steps: rows and columns from a pixel to its partner, neither negative.
        """
        self.region = region
        height, width = region.shape
        index = np.arange(region.size).reshape(region.shape)
        inside = region.ravel()
        firsts, seconds = [], []
        for down, right in steps:
            first, second = index[: height - down, : width - right].ravel(), index[down:, right:].ravel()
            used = inside[first] | inside[second]
            firsts.append(first[used])
            seconds.append(second[used])
        self.first, self.second = np.concatenate(firsts), np.concatenate(seconds)
        self.where = np.flatnonzero(inside)
        count = len(self.first)
        rows = np.tile(np.arange(count), 2)
        signs = np.repeat([-1.0, 1.0], count)
        columns = np.concatenate([self.first, self.second])
        matrix = sp.csc_matrix((signs, (rows, columns)), (count, region.size))[:, self.where]
        self._matrix = matrix.tocsr()
        self._transposed = self._matrix.T.tocsr()

    def ends(self, values: AnyArray) -> tuple[AnyArray, AnyArray]:
        """``(h, w)`` or ``(h, w, C)`` at the first and the second pixel of each pair: ``(P,)`` or ``(P, C)``."""
        flat = values.reshape(self.region.size, *values.shape[2:])
        return flat[self.first], flat[self.second]

    def differences(self, values: AnyArray) -> AnyArray:
        """Second less first."""
        first, second = self.ends(values)
        return np.asarray(second - first)

    def steps_of(self, unknowns: AnyArray) -> AnyArray:
        """Differences ``(P,)`` of what is ``unknowns``, ``(n,)``, in the region and 0 outside."""
        return np.asarray(self._matrix @ unknowns)

    def spread(self, unknowns: AnyArray) -> AnyArray:
        """``(n,)`` as a picture ``(h, w)``, 0 outside the region."""
        out = np.zeros(self.region.size)
        out[self.where] = unknowns
        return out.reshape(self.region.shape)

    def solver(
        self, weights: AnyArray, pull: AnyArray | float = 0.0
    ) -> Callable[[AnyArray, AnyArray | float], AnyArray]:
        """Least squares: what has weighted differences nearest to those wanted, and is near to given values.

        Args:
            weights: ``(P,)`` of the differences.
            pull: ``(n,)`` weight of the given values.

        Returns:
            takes weighted differences ``(P,)`` and weighted values ``(n,)``, and tells the unknowns ``(n,)``.
        """
        diagonal = np.broadcast_to(np.asarray(pull) + _RIDGE, (len(self.where),))
        system = self._transposed @ sp.diags(weights) @ self._matrix + sp.diags(diagonal)
        solve = sl.factorized(system.tocsc())
        return lambda differences, values: np.asarray(solve(self._transposed @ differences + values))
