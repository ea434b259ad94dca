"""How long a unit of a map is, told by odometry: once its newest steps agree, and never by more than it keeps."""

from __future__ import annotations

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose
from cl_localization.mapping.slam.metric_scale import STEPS, MetricScale
from core_makers import CAMERA, motion

IMAGE = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
LOOK = Look(Features(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32), np.zeros(0, np.float32)),
            CAMERA.pinhole(), np.zeros(0, np.float32))


def told(scale: MetricScale, metres: list[float]) -> list[float | None]:
    """Return what is found after each of some steps of a unit that odometry says is so long."""
    found, way_m = [], 0.0
    for number, length_m in enumerate([0.0, *metres]):
        way_m += length_m
        frame = Frame(number, IMAGE, CAMERA, odom_T_cam=motion(np.zeros(3), np.array([way_m, 0.0, 0.0])))
        at = motion(np.zeros(3), np.array([float(number), 0.0, 0.0]))
        found.append(scale.add(frame, LOOK, SeenPose(at, np.eye(6), np.zeros(0, int), np.zeros(0, int), 0, 0.0)))
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
