from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from ddvideo.errors import ShapeError, UsageError
from ddvideo.report import PreviewComposer, Thumbnails
from ddvideo.report.preview import CHECKER_DARK, CHECKER_LIGHT, GAP_PX, LABEL_PX, to_bytes
from ddvideo.types import InputInfo

LAYERS = ("foreground", "background", "alpha")


def make_info(width: int, height: int, **changes) -> InputInfo:
    values = {"path": Path("a.mp4"), "kind": "video", "frames": 9, "fps": Fraction(25), "duration_seconds": 0.36}
    return InputInfo(width=width, height=height, codec="h264", pix_fmt="yuv420p", **values | changes)


def flat(height: int, width: int, *levels: float) -> np.ndarray:
    return np.broadcast_to(np.float32(levels), (height, width, len(levels))).copy()


def panel_of(composer: PreviewComposer, row: np.ndarray, index: int) -> np.ndarray:
    left = index * (composer.panel_width + GAP_PX)
    return row[composer.height - composer.panel_height :, left : left + composer.panel_width]


def some_layers(height: int, width: int, alpha: float = 1.0) -> dict[str, np.ndarray]:
    return {
        "foreground": flat(height, width, 0.8, 0.2, 0.2),
        "background": flat(height, width, 0.2, 0.8, 0.2),
        "alpha": flat(height, width, alpha),
    }


@pytest.mark.parametrize(
    ("width", "height", "changes"),
    [
        (854, 480, {}),
        (1920, 1080, {}),
        (3840, 2160, {}),
        (161, 91, {}),
        (1080, 1920, {}),
        (480, 854, {"rotation_degrees": 90}),
        (720, 576, {"sample_aspect_ratio": Fraction(64, 45)}),
        (16, 16, {}),
        (1, 1, {}),
        (16000, 200, {}),
        (200, 16000, {}),
    ],
)
def test_preview_is_even_fits_and_keeps_the_shape_of_the_picture(width, height, changes):
    info = make_info(width, height, **changes)
    for layers in ((), LAYERS[:1], LAYERS[:2]):
        assert PreviewComposer(info, layers).width % 2 == 0
    composer = PreviewComposer(info, LAYERS)
    row = composer.compose(flat(height, width, 0.5, 0.5, 0.5), some_layers(height, width))
    assert row.dtype == np.uint8
    assert row.shape == (composer.height, composer.width, 3)
    assert composer.width % 2 == composer.height % 2 == 0
    assert composer.width <= 1920
    assert composer.panel_height <= 1080
    shown = width * float(info.sample_aspect_ratio) / height
    shown = 1 / shown if info.rotation_degrees == 90 else shown
    if min(composer.panel_width, composer.panel_height) > 40:
        assert composer.panel_width / composer.panel_height == pytest.approx(shown, rel=0.06)
    told = composer.info
    assert (told.width, told.height, told.rotation_degrees, told.sample_aspect_ratio) == (
        composer.width,
        composer.height,
        0,
        1,
    )


def test_panels_stand_in_order_with_their_own_colours():
    composer = PreviewComposer(make_info(200, 100), LAYERS)
    row = composer.compose(flat(100, 200, 0.2, 0.2, 0.8), some_layers(100, 200, alpha=0.5))
    assert panel_of(composer, row, 0)[50, 100] == pytest.approx((51, 51, 204), abs=1)
    assert panel_of(composer, row, 2)[50, 100] == pytest.approx((51, 204, 51), abs=1)
    assert panel_of(composer, row, 3)[50, 100] == pytest.approx((128, 128, 128), abs=1)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_foreground_lies_over_a_checkerboard_by_its_alpha(alpha):
    composer = PreviewComposer(make_info(96, 96), LAYERS, labels=False)
    row = composer.compose(flat(96, 96, 0, 0, 0), some_layers(96, 96, alpha))
    shown = panel_of(composer, row, 1).reshape(-1, 3).astype(float)
    checker = np.array([[CHECKER_LIGHT] * 3, [CHECKER_DARK] * 3])
    for wanted in alpha * np.array([204, 51, 51]) + (1 - alpha) * checker:
        assert np.abs(shown - wanted).max(axis=1).min() <= 1.5
    assert len(np.unique(shown, axis=0)) == (1 if alpha == 1 else 2)


def test_a_layer_without_a_matte_is_shown_as_it_is():
    composer = PreviewComposer(make_info(64, 64), ("foreground",), labels=False)
    row = composer.compose(flat(64, 64, 0, 0, 0), {"foreground": flat(64, 64, 0.8, 0.2, 0.2)})
    assert panel_of(composer, row, 1)[30, 30] == pytest.approx((204, 51, 51), abs=1)


@pytest.mark.parametrize(
    ("degrees", "corner"),
    [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1)), (-90, (0, -1)), (360, (0, 0))],
)
def test_preview_is_upright_as_a_player_shows_it(degrees, corner):
    """A coded frame whose top left is white, turned counter-clockwise: 90 degrees bring it to the bottom left."""
    frame = flat(40, 60, 0, 0, 0)
    frame[:10, :10] = 1
    composer = PreviewComposer(make_info(60, 40, rotation_degrees=degrees), (), labels=False)
    panel = composer.compose(frame, {})
    white = {(y, x) for y in (0, -1) for x in (0, -1) if panel[y, x].min() > 250}
    assert white == {corner}


def test_labels_are_written_and_can_be_left_out():
    info = make_info(200, 100)
    with_labels, without = (PreviewComposer(info, LAYERS, labels=labels) for labels in (True, False))
    frame, layers = flat(100, 200, 0, 0, 0), some_layers(100, 200)
    assert with_labels.height == without.height + LABEL_PX
    strip = with_labels.compose(frame, layers)[:LABEL_PX]
    for index in range(4):
        left = index * (with_labels.panel_width + GAP_PX)
        assert strip[:, left : left + with_labels.panel_width].max() > 200, "a name in light ink above each panel"
    assert np.array_equal(with_labels.compose(frame, layers)[LABEL_PX:], without.compose(frame, layers))


@pytest.mark.parametrize(
    ("given", "level"),
    [
        (np.full((4, 4, 3), 0.5, np.float32), 128),
        (np.full((4, 4), 2.0, np.float32), 255),
        (np.full((4, 4), -1.0), 0),
        (np.full((4, 4, 1), np.nan, np.float32), 0),
        (np.full((4, 4, 3), 77, np.uint8), 77),
        (np.full((4, 4, 3), 65535, np.uint16), 255),
        (np.full((4, 4, 3), 77 * 256 + 10, np.uint16), 77),
    ],
)
def test_any_kind_of_picture_becomes_bytes(given, level):
    shown = to_bytes(given)
    assert shown.shape == (4, 4, 3)
    assert shown.dtype == np.uint8
    assert np.unique(shown).tolist() == [level]


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (4, 4, 4), (0, 4, 3), (1, 4, 4, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ShapeError, match="picture"):
        to_bytes(np.zeros(shape, np.float32))


def test_a_picture_of_another_size_is_refused():
    composer = PreviewComposer(make_info(60, 40), ("background",))
    with pytest.raises(ShapeError, match=r"\(40, 60\) .* not \(60, 40\)"):
        composer.compose(flat(40, 60, 0, 0, 0), {"background": flat(60, 40, 0, 0, 0)})


def test_too_many_panels_are_refused():
    with pytest.raises(UsageError, match="does not fit"):
        PreviewComposer(make_info(60, 40), ("a",) * 30, max_width=100)


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 3), (0, 90), (100, 148), (7, 9)])
def test_thumbnails_keep_frames_spread_over_what_is_offered(start, stop):
    info = make_info(320, 180)
    thumbnails = Thumbnails(info, LAYERS, start=start, stop=stop)
    for index in range(start, stop):
        thumbnails.offer(index, flat(180, 320, index % 7 / 7, 0, 0), some_layers(180, 320))
    kept = [index for index, _ in thumbnails]
    assert len(kept) == min(4, stop - start)
    assert kept == sorted(set(kept))
    assert all(start <= index < stop for index in kept)
    if stop - start > 8:
        gaps = np.diff([start - (kept[0] - start) - 1, *kept])
        assert gaps.max() - gaps.min() <= 2
        assert gaps.min() >= (stop - start) // 4 - 1
    for index, panels in thumbnails:
        assert list(panels) == ["input", *LAYERS]
        picture = cv2.imdecode(np.frombuffer(panels["input"], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (134, 240, 3) or picture.shape == (136, 240, 3)
        assert picture[50, 50, 2] == pytest.approx(255 * (index % 7) / 7, abs=1), "red, and stored as RGB"
