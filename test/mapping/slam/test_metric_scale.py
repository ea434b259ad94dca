"""How long a unit of a map is, told by depth or odometry: once the newest measurements agree, and never by more than it
keeps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose
from cl_localization.mapping.slam.metric_scale import DEPTH_VIEWS, MIN_CODES, STEPS, MetricScale
from core_makers import CAMERA, look_at, motion

IMAGE = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
LOOK = Look(Features(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32), np.zeros(0, np.float32)),
            CAMERA.pinhole(), np.zeros(0, np.float32))


def told(scale: MetricScale, metres: list[float | None]) -> list[float | None]:
    """Return what is found after each of some steps of a unit that odometry says is so long; None: it begins anew
    there, elsewhere."""
    found, way_m = [], 0.0
    for number, length_m in enumerate([0.0, *metres]):
        way_m += 100.0 if length_m is None else length_m
        odom_T_cam = None if length_m is None else motion(np.zeros(3), np.array([way_m, 0.0, 0.0]))
        at = motion(np.zeros(3), np.array([float(number), 0.0, 0.0]))
        found.append(scale.add(Frame(number, IMAGE, CAMERA, odom_T_cam=odom_T_cam), LOOK,
                               SeenPose(at, np.eye(6), np.zeros(0, int), np.zeros(0, int), 0, 0.0)))
    return found[1:]


def new_scale() -> MetricScale:
    return MetricScale(MapCode(MapCodeConfig(), "test", 64))


def test_steps_that_agree_tell_the_scale() -> None:
    found = told(new_scale(), [2.0] * STEPS)
    assert found[:-1] == [None] * (STEPS - 1) and np.isclose(found[-1], 2.0)


def test_only_the_newest_steps_count_and_are_kept() -> None:
    scale = new_scale()
    assert set(told(scale, [1.0, 3.0] * 50)) == {None} and len(scale._by_odometry) <= STEPS
    assert np.isclose(told(scale, [2.0] * STEPS)[-1], 2.0)


def test_steps_count_once_they_are_longer_than_odometry_is_exact() -> None:
    assert np.isclose(told(new_scale(), [0.07, 0.03] * 2 * STEPS)[-1], 0.05, rtol=0.1)


def test_odometry_that_begins_anew_makes_no_step() -> None:
    assert set(told(new_scale(), [None, 1.0] * 3 * STEPS)) == {None}


def test_steps_before_the_camera_was_carried_do_not_count() -> None:
    scale = new_scale()
    told(scale, [2.0] * (STEPS - 1))
    scale.forget()
    assert set(told(scale, [2.0] * (STEPS - 1))) == {None}


class Depth:
    """A view of codes whose unit is 2 m, of which few have depth; the others may be behind the camera."""

    def __init__(self, measured: int = MIN_CODES, others: int = 3 * MIN_CODES, behind: bool = False) -> None:
        random = np.random.default_rng(0)
        self.world_T_cam = look_at((0.3, 0.1, -0.2), (2.0, 0.0, 3.0))
        points_m = random.uniform([-0.5, -0.5, 1.0], [0.5, 0.5, 3.0], (measured + others, 3))
        self.depths_m = 2.0 * points_m[:, 2]
        if behind:
            points_m[measured:, 2] *= -1
        else:
            self.depths_m[measured:] = 0.0
        positions_m = points_m @ self.world_T_cam[:3, :3].T + self.world_T_cam[:3, 3]
        self.scale = MetricScale(SimpleNamespace(codes={"positions_m": positions_m}))

    def told(self, views: int, odom_step_m: float | None = None) -> list[float | None]:
        """Return what is found after each of some views, between which odometry says that so much was moved."""
        rows = np.arange(len(self.depths_m))
        look = Look(LOOK.features, CAMERA.pinhole(), self.depths_m)
        found = []
        for number in range(views):
            on = np.array([float(number), 0.0, 0.0])
            odom_T_cam = None if odom_step_m is None else motion(np.zeros(3), odom_step_m * on)
            at = SeenPose(self.world_T_cam, np.eye(6), rows, rows, len(rows), 0.0)
            found.append(self.scale.add(Frame(number, IMAGE, CAMERA, odom_T_cam=odom_T_cam), look, at))
        return found


@pytest.mark.parametrize("behind", [False, True])
def test_depth_that_agrees_tells_the_scale_whatever_has_none_or_is_behind_the_camera(behind: bool) -> None:
    found = Depth(behind=behind).told(DEPTH_VIEWS)
    assert found[:-1] == [None] * (DEPTH_VIEWS - 1) and np.isclose(found[-1], 2.0)


def test_depth_of_few_codes_tells_nothing() -> None:
    assert set(Depth(MIN_CODES - 1).told(DEPTH_VIEWS)) == {None}


def test_depth_is_believed_before_odometry() -> None:
    assert np.isclose(Depth().told(2 * STEPS, odom_step_m=1.0)[-1], 2.0)
