"""The table of own poses: errors are those after alignment, laps follow each other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.slam import COVERED, HEADERS, STRETCH, Carried, SecondLap, odometry_alone, own_poses, standing_still
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence

PART = "sim:3?rooms=1&frames=120&size=200x150&drift={}[:16]"
SLOWLY = "sim:3?rooms=1&frames=480&size=200x150[:24]"


def test_own_poses_of_a_short_way_are_near_the_truth() -> None:
    run, slam = own_poses("part", open_sequence(PART.format(0)), MapperConfig(), LocalizerConfig(regressor="nearest"))
    assert (run.frames, run.posed, len(run.row())) == (16, 16, len(HEADERS))
    assert run.rmse_cm < 3 and run.path_m > 0.3 and run.codes == len(slam.mapper.map_code) > 1000


def test_without_depth_the_errors_of_a_camera_alone_are_those_up_to_scale() -> None:
    sequence = open_sequence(SLOWLY)
    run, slam = own_poses("part", sequence, MapperConfig(), LocalizerConfig(regressor="nearest"), with_depth=False)
    assert slam.mapper.without_scale == {"default"} and run.posed == 24
    still = standing_still("part", sequence)
    assert run.rmse_cm < 0.3 * still.rmse_cm and still.frames == 24


def test_odometry_that_does_not_drift_has_no_error_and_more_drift_has_more() -> None:
    errors = [odometry_alone(f"sim:3?rooms=1&frames=60&drift={drift}").rmse_cm for drift in (0, 1, 4)]
    assert errors[0] == pytest.approx(0, abs=1e-6) and errors[0] < errors[1] < errors[2]


def test_the_second_lap_follows_the_first_in_time_and_odometry() -> None:
    sequence = open_sequence("sim:3?rooms=1&frames=20&size=64x48&drift=2")
    first, second = list(sequence), list(SecondLap(sequence))
    assert second[0].stamp_ns > first[-1].stamp_ns and len(second) == len(first)
    true = np.linalg.inv(first[-1].world_T_cam) @ second[0].world_T_cam
    assert np.allclose(np.linalg.inv(first[-1].odom_T_cam) @ second[0].odom_T_cam, true)


def test_a_camera_that_is_carried_sees_nothing_on_the_way() -> None:
    carried = Carried(open_sequence("sim:3?rooms=1&frames=50&size=64x48"), 0)
    frames = list(carried)
    assert len(frames) == len(carried) and all(np.diff([frame.stamp_ns for frame in frames]) > 0)
    seen = [frame.image.any() for frame in frames[:STRETCH + COVERED + 1]]
    assert seen == [*[True] * STRETCH, *[False] * COVERED, True]
