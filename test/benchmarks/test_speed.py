"""The tables of `bench speed`: what their rows say."""

from __future__ import annotations

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.following import Answer
from benchmarks.speed import HEADERS, HEADERS_NODES, cost_shares, flow_run, rate_row, summarized
from cl_localization.config import TrackerConfig
from flow_makers import PERIOD_NS, localized, pose, wall_frame


def test_a_row_tells_errors_and_calibration() -> None:
    first, *others = [localized(wall_frame(pose(), number)) for number in range(4)]
    off = replace(others[0], world_T_cam=pose(0.07), carried_ns=PERIOD_NS)
    answers = [Answer(one, trusted, pose()) for one, trusted in ((first, True), (off, True), (others[1], True),
                                                               (others[2], False))]
    run = summarized("wall", 3, 2, 4, answers)
    assert (run.posed, run.within_5cm_percent, run.within_10cm_percent) == (3, 50.0, 75.0)
    assert run.inside_percent == pytest.approx(200 / 3) and run.median_cm == 0.0
    row = run.row()
    assert len(row) == len(HEADERS) and row == ("wall", "2 of 4", "3", "50.0", "75.0", "0.00", "0.00", "66.7")


def test_a_row_without_any_pose_has_dashes() -> None:
    row = summarized("wall", 1, 1, 1, [Answer(localized(wall_frame(pose())), False, pose())]).row()
    assert row == ("wall", "1 of 1", "0", "0.0", "0.0", "-", "-", "-")


def test_every_third_image_localized_fully_gives_every_image_a_pose() -> None:
    frames = [wall_frame(pose(0.01 * number), number) for number in range(12)]
    run = flow_run("wall", frames, {frame.stamp_ns: localized(frame, support=500) for frame in frames}, 3,
                   TrackerConfig())
    assert (run.images, run.posed, run.looks, run.within_5cm_percent) == (12, 12, 4, 100.0)


def test_flow_is_compared_with_the_network_on_the_same_image() -> None:
    frames = [wall_frame(pose(), number) for number in range(7)]
    localizer = SimpleNamespace(encoder=SimpleNamespace(encode=lambda image: image.mean()))
    shares = cost_shares(localizer, frames, {frame.stamp_ns: localized(frame) for frame in frames})
    assert len(shares) == 2 and all(share > 0 for share in shares)


def test_a_row_of_the_nodes_says_how_often_and_how_soon() -> None:
    image_rate = pytest.importorskip("benchmarks.image_rate", reason="ROS 2 or the built messages are not here")
    outcome = image_rate.RateOutcome("process", True, 27.96, 4.04, 21.4, np.nan)
    row = rate_row(outcome)
    assert len(row) == len(HEADERS_NODES)
    assert row == ("mapper in a process of its own", "on", "28.0", "21", "nan", "4.0")
    assert asdict(outcome)["tf_hz"] == 27.96
