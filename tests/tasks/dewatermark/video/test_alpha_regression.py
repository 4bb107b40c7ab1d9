"""The fit of a mark, and the scene behind it, where both are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest

from ddvideo.metrics import psnr_db
from ddvideo.tasks.dewatermark.mark import Mark
from ddvideo.tasks.dewatermark.video.alpha_regression import fit_mark
from ddvideo.tasks.dewatermark.video.constant_edges import WEAK, constant_edges, find_marks
from ddvideo.tasks.dewatermark.video.scene import scene_behind
from tests.tasks.dewatermark.mark_scenes import (
    PAN,
    T,
    eight_bits,
    emblem,
    marked,
    plate,
    red_and_blue,
    scenery,
    steps,
    unit,
    white,
)

KINDS = {
    "white": (emblem(), white()),
    "faint": (emblem(0.3), white()),
    "colours": (emblem(), red_and_blue()),
    "opaque": (plate(), red_and_blue(x=50)),
}
WHOLE = np.ones(T, np.float32)
PSNR_DB = {"white": 55, "faint": 55, "colours": 35, "opaque": 48}
ALPHA_ERROR = {"white": 0.003, "faint": 0.003, "colours": 0.045, "opaque": 0.001}
COLOUR_ERROR = {"white": 0.003, "faint": 0.003, "colours": 0.04, "opaque": 0.025}


@dataclass(frozen=True)
class Case:
    clean: np.ndarray
    frames: list
    alpha: np.ndarray
    colour: np.ndarray
    hull: np.ndarray
    edges: np.ndarray
    mark: Mark

    @property
    def inside(self):
        return self.alpha > 0.02

    def scene(self, **options):
        return np.stack(list(scene_behind(self.frames, steps(), self.mark, WHOLE, **options)))

    def db(self, frames):
        """PSNR inside the mark."""
        return psnr_db(np.asarray(frames)[:, self.inside], self.clean[:, self.inside])


@cache
def case(kind):
    alpha, colour = KINDS[kind]
    clean = scenery(PAN)
    frames = eight_bits(marked(clean, alpha, colour))
    found = constant_edges(frames, range(T))
    ((piece, hull),) = find_marks(found)
    edges = found.score > WEAK
    mark = fit_mark(frames, steps(), WHOLE, piece, hull, edges)
    return Case(clean, frames, alpha, colour, hull, edges, mark)


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_recovered(kind):
    it = case(kind)
    error = np.abs(it.mark.alpha - it.alpha)
    assert error[it.inside].mean() < ALPHA_ERROR[kind]
    assert 0 <= it.mark.alpha.min() <= it.mark.alpha.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_is_nothing_beyond_the_hull(kind):
    it = case(kind)
    assert not it.mark.alpha[~it.hull].any()
    assert (it.mark.alpha > 0)[it.alpha == 0].mean() < 0.03


def test_a_mark_that_reaches_beyond_the_hull_ends_there():
    it = case("white")
    hull = it.hull.copy()
    hull[:, 60:] = False
    mark = fit_mark(it.frames[:10], steps(frames=10), WHOLE[:10], (it.alpha > 0.1) & hull, hull, it.edges)
    assert not mark.alpha[:, 60:].any()
    assert mark.alpha[:, :56].max() > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_colour_is_recovered(kind):
    it = case(kind)
    error = np.abs(it.mark.colour - it.colour).mean(2)
    assert (error * it.alpha).sum() / it.alpha.sum() < COLOUR_ERROR[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_scene_behind_is_better_than_the_input_and_inpainting(kind):
    it = case(kind)
    scene = it.scene()
    covered = it.inside.astype(np.uint8) * np.uint8(255)
    inpainted = unit([cv2.inpaint(frame, covered, 5, cv2.INPAINT_TELEA) for frame in it.frames])
    assert it.db(scene) > max(it.db(inpainted) + 8, it.db(unit(it.frames)) + 15, PSNR_DB[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_beside_the_mark_the_scene_is_the_frame_bit_by_bit(kind):
    it = case(kind)
    beside = it.mark.alpha == 0
    np.testing.assert_array_equal(it.scene()[:, beside], unit(it.frames)[:, beside])


def test_what_does_not_end_at_edges_that_were_seen_is_no_mark():
    it = case("white")
    given = it.frames[:10], steps(frames=10), WHOLE[:10], it.alpha > 0.1, it.hull
    assert fit_mark(*given, it.edges).alpha.max() > 0.5
    assert not fit_mark(*given, np.zeros_like(it.edges)).alpha.any()


def test_a_colour_that_is_wrong_is_noticed_and_other_frames_are_believed():
    it = case("white")
    mark = Mark(alpha=it.alpha, colour=white() - np.float32(0.1))
    assert it.db(np.stack(list(scene_behind(it.frames, steps(), mark, WHOLE)))) > 32


def test_over_a_scene_that_moves_as_the_flow_says_frames_tell_more_of_each_other():
    it = case("white")
    mark = Mark(alpha=it.alpha, colour=it.colour)
    assert it.db(np.stack(list(scene_behind(it.frames, steps(), mark, WHOLE)))) > 57.5


def test_frames_that_do_not_show_the_mark_come_back_and_help():
    """Behind an opaque plate before a still scene, they are all there is."""
    clean = np.repeat(scenery(frames=1), 8, 0)
    alpha, colour = KINDS["opaque"]
    seen = np.float32([1, 1, 1, 0, 0, 1, 1, 1])
    frames = eight_bits(marked(clean, seen[:, None, None] * alpha, colour))
    scene = np.stack(list(scene_behind(frames, steps((0, 0), frames=8), Mark(alpha=alpha, colour=colour), seen)))
    np.testing.assert_allclose(scene[3:5], unit(frames[3:5]), atol=0.01)
    assert psnr_db(scene[:, alpha > 0], clean[:, alpha > 0]) > 35


def test_where_no_frame_tells_the_generator_does():
    """A still scene and an opaque plate: without a drawing it is inpainted."""
    clean = np.repeat(scenery(frames=1), 8, 0)
    alpha, colour = KINDS["opaque"]
    frames = eight_bits(marked(clean, alpha, colour))
    ways, mark = steps((0, 0), frames=8), Mark(alpha=alpha, colour=colour)
    drawn, inpainted = (
        np.stack(list(scene_behind(frames, ways, mark, WHOLE[:8], drawn=what))) for what in (eight_bits(clean), ())
    )
    inside = alpha > 0
    assert psnr_db(drawn[:, inside], clean[:, inside]) > 40
    assert psnr_db(inpainted[:, inside], clean[:, inside]) < 30


def test_frames_without_a_way_to_each_other_are_told_by_themselves():
    """A known, translucent mark is taken off, with no more than what shows through."""
    it = case("white")
    mark = Mark(alpha=it.alpha, colour=it.colour)
    alone = np.stack(list(scene_behind(it.frames, [None] * T, mark, WHOLE)))
    assert it.db(alone) > 45


@pytest.mark.parametrize("frames", [1, 2])
def test_one_or_two_frames(frames):
    it = case("white")
    mark = fit_mark(it.frames[:frames], steps(frames=frames), WHOLE[:frames], it.alpha > 0.1, it.hull, it.edges)
    assert np.isfinite(mark.alpha).all()
    assert np.isfinite(mark.colour).all()
    scene = list(scene_behind(it.frames[:frames], steps(frames=frames), mark, WHOLE[:frames]))
    assert len(scene) == frames
    assert np.isfinite(scene).all()
