"""Whether two poses can be those of one camera: by odometry, by speed, and odometry that jumps or freezes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from cl_localization.config import TrackerConfig
from cl_localization.tracking.gating import OdometryMonitor, PoseMeasurement, innovation
from core_makers import motions
from tracking_makers import PERIOD_NS, SECOND, at

CONFIG = TrackerConfig()
EXACT = np.zeros((6, 6))


def measured(pose: np.ndarray, monitor: OdometryMonitor, odom: np.ndarray | None, stamp_ns: int,
             covariance: np.ndarray = EXACT) -> PoseMeasurement:
    """Return a measurement with the odometry's reading."""
    return PoseMeasurement(stamp_ns, pose, covariance, monitor.read(odom, stamp_ns, CONFIG))


@given(motions(10), motions(10), motions(1))
def test_poses_that_the_odometry_leads_to_are_not_off_wherever_its_frame_is(map_T_odom, odom_T_cam, step):
    monitor = OdometryMonitor()
    one = measured(map_T_odom @ odom_T_cam, monitor, odom_T_cam, SECOND)
    two = measured(map_T_odom @ odom_T_cam @ step, monitor, odom_T_cam @ step, 100 * SECOND)
    gap = innovation(one, two, CONFIG)
    assert gap.by_odometry and gap.within_gate and gap.distance_m < 1e-6 and gap.angle_deg < 1e-4


def test_the_bound_grows_with_the_way_the_turns_and_the_uncertainty():
    def allowed(step: np.ndarray, sigma: float) -> tuple[float, float]:
        monitor = OdometryMonitor()
        one = measured(np.eye(4), monitor, np.eye(4), SECOND, np.eye(6) * sigma**2)
        gap = innovation(one, measured(step, monitor, step, 3 * SECOND, np.eye(6) * sigma**2), CONFIG)
        return gap.allowed_m, gap.allowed_deg

    still = allowed(np.eye(4), 0.0)
    assert still == (CONFIG.gate_floor_m, CONFIG.gate_floor_deg)
    driven, turned, unsure = allowed(at(2.0), 0.0), allowed(at(0, 0, 90), 0.0), allowed(np.eye(4), 0.02)
    assert driven[0] == pytest.approx(0.1 + 0.05 * 2 + np.deg2rad(2.0)) and driven[1] == pytest.approx(3 + 2)
    assert turned == (0.1, pytest.approx(3 + 4.5))
    assert unsure[0] == pytest.approx(0.1 + 4 * 0.02 * np.sqrt(2))
    assert unsure[1] == pytest.approx(3 + 4 * np.rad2deg(0.02 * np.sqrt(2)))
    assert allowed(at(2.0), 0.02)[0] == pytest.approx(driven[0] + 4 * (1 + 2.0) * 0.02 * np.sqrt(2))  # the lever turns


def test_without_odometry_the_bound_is_how_far_the_camera_can_have_come():
    monitor = OdometryMonitor()
    one, near, far = (measured(at(x_m), monitor, None, stamp_ns) for x_m, stamp_ns in
                      ((0, SECOND), (0.35, SECOND + PERIOD_NS), (0.5, SECOND + PERIOD_NS)))
    assert innovation(one, near, CONFIG).within_gate and not innovation(one, far, CONFIG).within_gate
    assert innovation(one, far, CONFIG).allowed_m == pytest.approx(0.1 + 3 * 0.1)
    assert "by the largest speed" in str(innovation(one, far, CONFIG))


def test_odometry_that_has_jumped_is_only_listened_to_where_it_agrees():
    monitor = OdometryMonitor()
    readings = [monitor.read(at(x_m), SECOND + i * PERIOD_NS, CONFIG) for i, x_m in enumerate((0, 0.1, 5.0, 5.1))]
    assert [reading.jumps for reading in readings] == [0, 0, 1, 1]
    assert [round(reading.travelled_m, 6) for reading in readings] == [0, 0.1, 0.5, 0.6]
    before = PoseMeasurement(SECOND + PERIOD_NS, at(0.1), EXACT, readings[1])
    for x_m, by_odometry, agrees in ((0.2, False, True), (5.0, True, True), (2.0, False, False)):
        gap = innovation(before, PoseMeasurement(SECOND + 2 * PERIOD_NS, at(x_m), EXACT, readings[2]), CONFIG)
        assert (gap.by_odometry, gap.within_gate) == (by_odometry, agrees)


def test_a_turn_that_no_camera_can_make_is_a_jump_too_and_huge_numbers_are():
    monitor = OdometryMonitor()
    turns = [at(0), at(0, 0, 90), at(1e100, 0, 90), at(0, 0, 90)]
    readings = [monitor.read(odom, SECOND + i * PERIOD_NS, CONFIG) for i, odom in enumerate(turns)]
    assert [reading.jumps for reading in readings] == [0, 1, 2, 3] and readings[-1].travelled_m < 1


def test_an_image_without_odometry_has_no_reading_and_breaks_nothing():
    monitor = OdometryMonitor()
    first = monitor.read(at(0), SECOND, CONFIG)
    assert monitor.read(None, SECOND + PERIOD_NS, CONFIG) is None
    assert monitor.read(at(0.4), SECOND + 2 * PERIOD_NS, CONFIG).jumps == first.jumps


def test_rejected_odometry_is_reliable_again_once_it_was_right_about_half_a_metre():
    monitor = OdometryMonitor()
    monitor.reject(measured(at(0), monitor, at(0), SECOND))
    for i in range(1, 5):
        monitor.check(measured(at(0.2 * i), monitor, at(0), SECOND + i * PERIOD_NS), CONFIG)  # frozen
    assert not monitor.is_reliable
    for i in range(5, 10):
        assert not monitor.is_reliable
        monitor.check(measured(at(0.2 * i), monitor, at(0.2 * (i - 4)), SECOND + i * PERIOD_NS), CONFIG)
    assert monitor.is_reliable
