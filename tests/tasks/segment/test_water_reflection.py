"""Mirror images on water: found where there is one, below the line it hangs on, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.regions import Regions
from ddvideo.tasks.segment.water_reflection import find_water_reflection

H, W, FRAMES, CELL = 120, 160, 7, 8
WATERLINE = 72


def cells():
    y, x = np.mgrid[0:H, 0:W]
    return (y // CELL) * (W // CELL) + x // CELL


def thing(t, *, mirrored=True):
    """What is above the line, and all of it with its image below, or else with a base: ``(H, W)``."""
    y, x = np.mgrid[0:H, 0:W]
    body = (abs(x - 70 - t) < 32) & (y >= 48)
    neck = (abs(x - 90 - t) < 9) & (y >= 24)
    above = (body | neck) & (y < WATERLINE)
    image = above[np.clip(2 * WATERLINE - 1 - y, 0, H - 1), x]
    base = (abs(x - 70 - t) < 50) & (y < WATERLINE + 36)
    return above, above | ((image if mirrored else base) & (y >= WATERLINE))


def clip(*, mirrored, broken=0.0):
    """Frames of a blotched thing over ground; below it its dim image upside down, or a base with other blotches.

    ``broken``: that part of the image has other blotches, too.
    """
    rng = np.random.default_rng(3)
    skin, other, ground = (
        cv2.resize(rng.integers(low, low + 90, (H // 4, W // 4, 3)).astype(np.uint8), (W, H)).astype(np.float32)
        for low in (120, 120, 30)
    )
    y = np.arange(H)
    frames, regions = [], []
    for t in range(FRAMES):
        above, whole = thing(t, mirrored=mirrored)
        picture = np.where(above[..., None], np.roll(skin, t, 1), ground + rng.normal(0, 3, (H, W, 3)))
        flipped = picture[np.clip(2 * WATERLINE - 1 - y, 0, H - 1)] * 0.7
        below = (1 - broken) * flipped + broken * np.roll(other, t, 1) if mirrored else np.roll(other, t, 1)
        picture = np.where((whole & ~above)[..., None], below, picture)
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        regions.append(whole)
    return frames, regions


def found_in(frames, wholes, decisions=None):
    regions = Regions([cells() for _ in frames])
    likelihood = regions.mean(whole.astype(np.float32) for whole in wholes)
    found = find_water_reflection(likelihood, frames, regions, decisions or Decisions())
    return regions.paint(found.astype(np.float32)) > 0.5


def test_what_lies_below_the_water_line_is_a_mirror_image():
    frames, wholes = clip(mirrored=True)
    found = found_in(frames, wholes)
    for t, whole in enumerate(wholes):
        above, _ = thing(t)
        assert found[t][whole & ~above].mean() > 0.9, "the image is found"
        assert found[t][above].mean() < 0.1, "and the thing is left"


@pytest.mark.parametrize(("broken", "is_found"), [(0.8, True), (1.0, False)])
def test_an_image_broken_by_ripples_is_found_as_long_as_a_third_is_alike(broken, is_found):
    decisions = Decisions()
    found = found_in(*clip(mirrored=True, broken=broken), decisions)
    assert found.any() == is_found
    likeness = float(decisions.arrays()["decided_mirrored"])
    assert likeness == pytest.approx(0.34 if is_found else 0.24, abs=0.02)


def test_what_a_thing_stands_on_is_no_mirror_image():
    frames, wholes = clip(mirrored=False)
    assert not found_in(frames, wholes).any()


def test_that_there_is_none_is_decided_once_for_a_shot():
    decisions = Decisions()
    assert not found_in(*clip(mirrored=False), decisions).any()
    assert not found_in(*clip(mirrored=True), Decisions(decisions.arrays())).any()


def test_a_frame_in_which_no_line_is_possible_keeps_what_it_has():
    """After frames with a mirror image, for long there is but a strip along the frame's upper edge."""
    frames, wholes = clip(mirrored=True)
    bar = np.zeros((H, W), bool)
    bar[:1] = True
    found = found_in(frames + [frames[0]] * 60, wholes + [bar] * 60, Decisions({"decided_mirrored": np.array(0.6)}))
    assert found[0].any()
    assert not found[-1].any()


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3)])
def test_frames_too_small_and_regions_that_are_empty_or_full_are_borne(size):
    labels = np.arange(size[0] * size[1]).reshape(size) // 2
    regions = Regions([labels, labels])
    frames = [np.full((*size, 3), 90, np.uint8)] * 2
    for value in (0.0, 1.0):
        assert not find_water_reflection(np.full(len(regions), value, np.float32), frames, regions, Decisions()).any()
