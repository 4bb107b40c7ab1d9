from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ddvideo.fit.shot_prior import camera_motion
from ddvideo.motion.temporal_filter import ObservedFlows
from ddvideo.tasks.contract import Seeds, Window
from ddvideo.tasks.segment import SEGMENT
from ddvideo.tasks.segment.decisions import Decisions
from ddvideo.tasks.segment.regions import Regions
from ddvideo.types import Shot

H, W = 24, 36
RIGHT = np.broadcast_to(np.float16([3, 0]), (H // 2, W // 2, 2))


def window(indices, *, flow=RIGHT, back=-RIGHT):
    seen = {name: values for name, values in (("flow", flow), ("flow_back", back)) if values is not None}
    return Window(
        shot=Shot(0, 20),
        indices=indices,
        frames=[np.zeros((H, W, 3), np.uint8)] * len(indices),
        observations=[seen] * len(indices),
        camera=camera_motion(np.eye(3, dtype=np.float32)[None].repeat(20, 0), np.array(indices)),
        full_size=(H, W),
    )


def test_flows_come_at_working_size_and_are_believed_where_they_return():
    there, trust = ObservedFlows(window((4, 5)), 1)[0]
    np.testing.assert_array_equal(there, np.broadcast_to(np.float32([3, 0]), (H, W, 2)))
    np.testing.assert_array_equal(trust, np.ones((H, W), np.float32))
    back, _ = ObservedFlows(window((4, 5)), -1)[1]
    np.testing.assert_array_equal(back, -there)
    _, lost = ObservedFlows(window((4, 5), back=RIGHT), 1)[0]
    assert lost.max() < 1e-6


@pytest.mark.parametrize(
    ("step", "linked"), [(1, [True, False, True, False]), (-1, [False, True, False, True])], ids=["ahead", "back"]
)
def test_only_neighbours_in_time_are_linked(step, linked):
    links = ObservedFlows(window((2, 3, 7, 8)), step)
    assert [links[t] is not None for t in range(4)] == linked


@pytest.mark.parametrize("missing", ["flow", "back"])
def test_without_both_flows_there_is_no_link(missing):
    links = ObservedFlows(window((2, 3), **{missing: None}), 1)
    assert links[0] is None


def test_segments_alpha_is_steadied_along_the_flow():
    """What is found flickers on a bar that moves three pixels a frame; behind a gap in time nothing is carried over."""
    indices = (0, 1, 2, 3, 9)
    labels = [np.zeros((H, W), np.uint16) for _ in indices]
    for t, frame in enumerate(labels):
        frame[:, 6 + 3 * t : 15 + 3 * t] = 1
    likelihood = np.float32([0, 1, 0, 1, 0, 0, 0, 1, 0, 1])  # in the third frame it is lost
    state = SimpleNamespace(
        regions=Regions(labels),
        likelihood=likelihood,
        hinted=None,
        by_appearance=False,
        decisions=Decisions(),
        consensus=SimpleNamespace(voted={}),
        features=[np.zeros((2, 3), np.float32)] * len(indices),
    )
    raw = [likelihood.reshape(-1, 2)[t][frame] for t, frame in enumerate(labels)]
    alpha = SEGMENT.conclude(window(indices), Seeds(state=state), None, None).maps["alpha"]
    assert alpha.dtype == np.float16
    core = [slice(9 + 3 * t, 12 + 3 * t) for t in range(5)]
    assert alpha[2][:, core[2]].mean() == pytest.approx(0.7, abs=0.01)
    assert alpha[1][:, core[1]].mean() == pytest.approx((1 + 0.3 + 0.7 * 0.7) / 2, abs=0.01)
    np.testing.assert_array_equal(alpha[4], raw[4])
