"""The camera's path through a shot: homographies between neighbouring frames, chained to one canvas."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ddvideo.arrays import AnyArray, ByteArray, FloatArray

__all__ = [
    "CameraTracker",
    "canvas_bounds",
    "homography_flow",
    "pair_homography",
    "pixel_steps",
    "rebased",
    "warp_points",
]

_LEAST_TRACKS = 12
_INLIER_PX = 0.3
_CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)


def pair_homography(grey_from: ByteArray, grey_to: ByteArray) -> FloatArray:
    """Homography of the dominant (background) motion between two frames.

    Corners spread over the frame are tracked forth and back (pyramidal Lucas-Kanade) and fitted with MAGSAC; with too
    few good tracks, or a result that folds the frame, the identity is returned.

    Args:
        grey_from: ``(H, W)`` uint8.
        grey_to: likewise.

    Returns:
        ``(3, 3)`` float32 in pixels: ``p_to ~ M p_from``.
    """
    identity = np.eye(3, dtype=np.float32)
    points = _spread_corners(grey_from)
    if len(points) < _LEAST_TRACKS:
        return identity
    there, seen, _ = cv2.calcOpticalFlowPyrLK(
        grey_from, grey_to, points, np.empty_like(points), winSize=(15, 15), maxLevel=3
    )
    back, seen_back, _ = cv2.calcOpticalFlowPyrLK(
        grey_to, grey_from, there, np.empty_like(points), winSize=(15, 15), maxLevel=3
    )
    good = (seen.ravel() == 1) & (seen_back.ravel() == 1) & (np.abs(back - points).max(axis=(1, 2)) < 0.7)
    if good.sum() < _LEAST_TRACKS:
        return identity
    matrix, _ = cv2.findHomography(points[good], there[good], cv2.USAC_MAGSAC, 1.0, maxIters=2000, confidence=0.999)
    if matrix is None or not _plausible(matrix, grey_from.shape):
        return identity
    matrix = _refined(matrix, points[good], there[good])
    return np.asarray(matrix / matrix[2, 2], np.float32)


def _refined(matrix: FloatArray, points: FloatArray, there: FloatArray) -> FloatArray:
    """Least squares on the tracks that fit best: what is summed over a shot's frames has to be exact."""
    error = np.linalg.norm(cv2.perspectiveTransform(points, matrix) - there, axis=2).ravel()
    near = error < _INLIER_PX
    if near.sum() < 4 * _LEAST_TRACKS:
        return matrix
    refined, _ = cv2.findHomography(points[near], there[near], 0)
    return matrix if refined is None else refined


def _spread_corners(grey: ByteArray, rows: int = 4, columns: int = 6, each: int = 18) -> FloatArray:
    """Corners taken from every cell of a raster, so that one busy region cannot outvote the rest: ``(N, 1, 2)``."""
    height, width = grey.shape
    found = []
    for r in range(rows):
        for c in range(columns):
            y, x = r * height // rows, c * width // columns
            cell = grey[y : (r + 1) * height // rows, x : (c + 1) * width // columns]
            corners = cv2.goodFeaturesToTrack(cell, each, 0.01, 4)
            if corners is not None:
                found.append(corners.reshape(-1, 1, 2) + np.array([x, y], np.float32))
    return np.concatenate(found).astype(np.float32) if found else np.empty((0, 1, 2), np.float32)


def _plausible(matrix: FloatArray, shape: tuple[int, ...]) -> bool:
    """Whether the frame's corners keep their order and about their size."""
    height, width = shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = cv2.perspectiveTransform(corners[:, None], matrix.astype(np.float64))[:, 0]
    if not np.isfinite(moved).all() or not cv2.isContourConvex(moved.astype(np.float32)):
        return False
    share = cv2.contourArea(moved.astype(np.float32), oriented=True) / (width * height)
    return 0.6 < share < 1.7


class CameraTracker:
    """Collects the camera's path frame by frame, so that a shot of any length is followed in little memory."""

    def __init__(self) -> None:
        self._steps: list[FloatArray] = []
        self._previous: ByteArray | None = None

    def add(self, grey: ByteArray) -> None:
        """Follow the camera to the next frame, ``(H, W)`` uint8."""
        if self._previous is not None:
            self._steps.append(pair_homography(self._previous, grey))
        self._previous = grey

    def path(self) -> FloatArray:
        """The path so far, chained to its middle frame.

        Returns:
            ``(T, 3, 3)`` float32: row t maps frame t to the middle frame, both in [-1, 1] over the frame.
        """
        if self._previous is None:
            return np.empty((0, 3, 3), np.float32)
        from_pixels = _to_unit(*self._previous.shape)
        to_pixels = np.linalg.inv(from_pixels)
        from_first = [np.eye(3)]
        for step in self._steps:  # maps the first frame to frame t
            chained = from_pixels @ step.astype(np.float64) @ to_pixels @ from_first[-1]
            from_first.append(chained / chained[2, 2])
        return rebased(np.stack([np.linalg.inv(matrix) for matrix in from_first]), len(from_first) // 2)


def rebased(path: FloatArray, origin: int) -> FloatArray:
    """The same path with frame ``origin`` as the plane that all others map to: ``(T, 3, 3)`` float32."""
    wide = path.astype(np.float64)
    moved = np.linalg.inv(wide[origin]) @ wide
    return np.asarray(moved / moved[:, 2:, 2:], np.float32)


def warp_points(matrices: FloatArray, xy: FloatArray) -> FloatArray:
    """Apply one homography a frame to points.

    Args:
        matrices: ``(T, 3, 3)``.
        xy: ``(N, 2)`` or ``(T, N, 2)``.

    Returns:
        ``(T, N, 2)`` float32.
    """
    points = np.broadcast_to(xy, (len(matrices), *xy.shape[-2:]))
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], -1) @ matrices.transpose(0, 2, 1)
    return np.asarray(homogeneous[..., :2] / homogeneous[..., 2:], np.float32)


def homography_flow(matrix: AnyArray, shape: tuple[int, int]) -> FloatArray:
    """Where a homography in pixels moves each pixel of an image of this height and width: ``(H, W, 2)`` float32."""
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float64), np.arange(shape[0], dtype=np.float64))
    grid = np.stack([x, y], -1)
    moved = np.stack([grid[..., 0], grid[..., 1], np.ones_like(x)], -1) @ np.asarray(matrix, np.float64).T
    return np.asarray(moved[..., :2] / moved[..., 2:] - grid, np.float32)


def pixel_steps(
    matrices: FloatArray, indices: Sequence[int], size: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> list[FloatArray | None]:
    """The camera's step from each frame to the next, in pixels of a part of the picture.

    Args:
        matrices: ``(T, 3, 3)`` frames to one plane, in [-1, 1] over the frame.
        indices: of the frames.
        size: height and width of a frame.
        corner: top and left of the part.

    Returns:
        per frame ``(3, 3)`` from the frame before; None where the frame before is not its neighbour in time.
    """
    to_unit = _to_unit(*size) @ np.array([[1, 0, corner[1]], [0, 1, corner[0]], [0, 0, 1]], np.float64)
    steps: list[FloatArray | None] = [None]
    for t in range(1, len(indices)):
        step = np.linalg.inv(matrices[t].astype(np.float64)) @ matrices[t - 1]
        follows = indices[t] == indices[t - 1] + 1
        steps.append(np.asarray(np.linalg.inv(to_unit) @ step @ to_unit, np.float32) if follows else None)
    return steps


def _to_unit(height: int, width: int) -> FloatArray:
    """Pixels to [-1, 1] over the frame: ``(3, 3)`` float64."""
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]], np.float64)


def canvas_bounds(path: FloatArray) -> FloatArray:
    """Box that holds every frame of a path on the canvas: ``[x0, y0, x1, y1]``, in units of half a frame."""
    corners = warp_points(path, _CORNERS.astype(np.float32)).reshape(-1, 2)
    return np.asarray(np.concatenate([corners.min(0), corners.max(0)]), np.float32)
