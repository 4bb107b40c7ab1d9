from __future__ import annotations

import cv2
import numpy as np
import pytest

from ddvideo.bounding_box import box_pixels
from ddvideo.errors import InputError, UsageError
from ddvideo.hint_options import HINTS, hinted_frames
from ddvideo.media.masks import read_mask, read_masks
from ddvideo.tasks.segment.user_hints.grabcut import complete_with_grabcut, is_whole, outlines_object
from ddvideo.tasks.segment.user_hints.label_propagation import Known, combine_log_odds, labels_of, propagate_labels
from ddvideo.tasks.segment.user_hints.reading import FrameHint, read_hints

H, W = 90, 160
NOTHING = Known(np.zeros((0, 3), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32))


def disc(centre, radius, size=(H, W)):
    y, x = np.mgrid[: size[0], : size[1]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


@pytest.fixture(scope="module")
def picture():
    """A reddish disc with texture on a textured ground, and where it is."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.normal(0, 60, (H, W, 3)), (0, 0), 2)
    inside = disc((70, 45), 28)
    frame = np.where(inside[..., None], (190, 90, 60), (70, 100, 120)) + noise
    return np.clip(frame, 0, 255).astype(np.uint8), inside


def write(path, pixels):
    assert cv2.imwrite(str(path), pixels)
    return path


def marks(foreground=None, background=None, box=None):
    nothing = np.zeros((H, W), bool)
    return FrameHint(
        foreground=nothing if foreground is None else foreground,
        background=nothing if background is None else background,
        box=box,
    )


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_labels_by_hand():
    assert labels_of(np.float32([0, 0.39, 0.5, 0.61, 1])).tolist()[:2] == [0, 0]
    assert labels_of(np.float32([0.61, 1])).tolist() == [1, 1]
    assert np.isnan(labels_of(np.float32([0.5, np.nan]))).all()


def crowd(frames=40, count=20, drift=0.0):
    """Two crowds of superpixels a frame, far apart, whose looks drift with time."""
    rng = np.random.default_rng(1)
    features = []
    for t in range(frames):
        looks = rng.normal(0, 0.1, (2 * count, 3))
        looks[count:] += 3
        features.append((looks + drift * t).astype(np.float32))
    return features, np.tile(np.repeat([0, 1], count), (frames, 1))


def test_one_frame_tells_of_all_others_far_beyond_the_reach_of_a_link():
    features, truth = crowd(frames=60)
    labels = np.full(truth.size, np.nan, np.float32)
    labels[:40] = truth[0]
    told, reach = propagate_labels(features, labels, NOTHING)
    assert np.array_equal(told[:40], truth[0])
    assert (reach[:40] == 1).all()
    far = slice(50 * 40, None)  # links reach 16 frames
    assert np.array_equal(told[far] > 0.5, truth.ravel()[far] > 0)
    assert 0 < reach[far].min() <= reach[far].max() <= 1


def test_what_is_known_elsewhere_counts_by_how_far_it_is_known():
    features, truth = crowd(frames=2)
    unknown = np.full(truth.size, np.nan, np.float32)
    elsewhere = Known(features[0], truth[0].astype(np.float32), np.full(40, 0.5, np.float32))
    told, reach = propagate_labels(features, unknown, elsewhere)
    assert told == pytest.approx(truth.ravel(), abs=1e-4)
    assert reach.max() <= 0.5 + 1e-6
    assert reach.min() > 0.3


def test_what_no_hint_reaches_stays_as_it_was():
    likelihood = np.float32([0.2, 0.9])
    assert combine_log_odds(likelihood, np.float32([1, 0]), np.zeros(2, np.float32), trust=0.7) == pytest.approx(
        likelihood
    )
    reached = combine_log_odds(likelihood, np.float32([1, 0]), np.ones(2, np.float32), trust=0.7)
    assert reached[0] > 0.9
    assert reached[1] < 0.1


def test_a_mask_is_told_from_strokes_and_blobs_by_its_outline(picture):
    frame, inside = picture
    blob, stroke = disc((66, 45), 12), np.zeros((H, W), np.uint8)
    cv2.line(stroke, (55, 40), (85, 50), 1, 3)
    assert is_whole(frame, marks(inside))
    assert not is_whole(frame, marks(blob))
    assert outlines_object(frame, stroke > 0) == 0
    assert not is_whole(frame, marks(inside, background=disc((140, 20), 5)))


def test_a_box_and_strokes_are_completed_to_the_object(picture):
    frame, inside = picture
    box = box_pixels([38, 12, 65, 66], (H, W), (H, W))
    nothing = np.zeros((H, W), np.float32)
    assert iou(complete_with_grabcut(frame, marks(box=box), nothing), inside) > 0.9
    strokes = marks(disc((66, 45), 8), disc((130, 30), 8))
    found = complete_with_grabcut(frame, strokes, inside.astype(np.float32) * 0.6)
    assert iou(found, inside) > 0.9
    assert found[strokes.foreground].all()
    assert not found[strokes.background].any()
    # A part that looks like the object, and is marked as none of it.
    part = disc((84, 45), 6)
    assert not complete_with_grabcut(frame, marks(disc((60, 45), 8), part), inside.astype(np.float32))[part].any()
    assert np.array_equal(found, complete_with_grabcut(frame, strokes, inside.astype(np.float32) * 0.6))


def test_a_box_keeps_a_guess_that_reaches_as_far_and_takes_what_is_outside_away(picture):
    """A cut by colours would fill the hole; the twin is what the box is not meant for."""
    frame, inside = picture
    box = box_pixels([38, 12, 65, 66], (H, W), (H, W))
    guess = inside & ~disc((84, 45), 6)
    twin = disc((140, 20), 9)
    assert np.array_equal(complete_with_grabcut(frame, marks(box=box), (guess | twin).astype(np.float32)), guess)
    small, all_ = disc((60, 45), 8).astype(np.float32), np.ones((H, W), np.float32)
    for bad in (small, all_):  # too little of it, or no shape in it: the colours decide
        assert iou(complete_with_grabcut(frame, marks(box=box), bad), inside) > 0.9


@pytest.mark.parametrize("channels", ["grey", "red", "alpha", "opaque", "deep"])
def test_white_is_one_whatever_the_file_holds(channels, tmp_path):
    mask = 255 * disc((70, 45), 20).astype(np.uint8)
    full, none = np.full_like(mask, 255), np.zeros_like(mask)
    pixels = {
        "grey": mask,
        "red": np.dstack([none, none, mask]),
        "alpha": np.dstack([full, full, full, mask]),
        "opaque": np.dstack([mask, mask, mask, full]),
        "deep": mask.astype(np.uint16) * 257,
    }[channels]
    read = read_mask(write(tmp_path / "m.png", pixels))
    assert read.dtype == np.float32
    assert np.array_equal(read, mask / 255)


def test_a_hint_lies_at_its_frame_and_at_the_size_of_the_frames(tmp_path):
    path = write(tmp_path / "m.png", 255 * disc((140, 90), 50, (180, 320)).astype(np.uint8))
    options = {**HINTS, "fg_hint": {"path": str(path), "first": 7}, "box": [0, 0, 160, 90], "hint_frame": 9}
    assert hinted_frames(options) == range(7, 10)
    found = read_hints(options, [5, 7, 9], (45, 80), (180, 320))
    assert sorted(found) == [1, 2]
    assert iou(found[1].foreground, disc((35, 22), 12.5, (45, 80))) > 0.9
    assert found[1].box is None
    assert found[2].box[:22, :40].all()
    assert found[2].box.sum() == pytest.approx(45 * 80 / 4, rel=0.05)
    assert hinted_frames(HINTS) == range(0)


def test_frames_of_a_folder_and_what_is_both_is_neither(tmp_path):
    for name in ("fg", "bg"):
        (tmp_path / name).mkdir()
        for t in range(3):
            both = disc((20 + 40 * t, 45), 15) | (disc((20, 80), 9) if name == "bg" else disc((20, 85), 9))
            write(tmp_path / name / f"{t}.png", 255 * (both if name == "fg" else disc((20, 85), 9)).astype(np.uint8))
    hints = {f"{name}_hint": {"path": str(tmp_path / name), "first": 0, "frames": 3} for name in ("fg", "bg")}
    found = read_hints({**HINTS, **hints}, [0, 2], (H, W), (H, W))
    assert found[1].foreground[45, 100]
    assert not found[1].foreground[45, 20]
    assert not any((m.foreground | m.background)[85, 20] for m in found.values())
    assert len(list(read_masks(tmp_path / "fg", [0, 1, 2]))) == 3


def test_a_hint_of_a_turned_video_is_turned_to_its_coded_frames(tmp_path):
    upright = disc((20, 120), 15, (W, H))
    path = write(tmp_path / "m.png", 255 * upright.astype(np.uint8))
    options = {**HINTS, "fg_hint": {"path": str(path), "first": 0, "frames": 1, "turns": 3}}
    found = read_hints(options, [0], (H, W), (H, W))[0].foreground
    assert np.array_equal(np.rot90(found), upright)


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(InputError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(UsageError, match="outside the picture"):
        box_pixels([200, 0, 5, 5], (H, W), (H, W))
