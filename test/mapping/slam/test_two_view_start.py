"""A map without depth is begun with two views that tell distances, and with odometry only if that says the same."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.mapping.slam.depth_pose import Look
from cl_localization.mapping.slam.two_view_start import MIN_STEP_M, UNIT_M, Start, TwoViewStart
from core_makers import CAMERA, PointScene, look_at, motion, unit_vectors

IMAGE = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
ROOM = PointScene.room(300)
FIRST, ASIDE = look_at((0.0, 0.0, 0.0), (0.0, 0.0, 3.5)), look_at((0.4, 0.0, 0.0), (0.0, 0.0, 3.5))
TRUE = se3.inverse(FIRST) @ ASIDE


def add(start: TwoViewStart, world_T_cam: np.ndarray, scene: PointScene = ROOM,
        odom_T_cam: np.ndarray | None = None, stamp_ns: int = 0) -> Start | None:
    """Give it what a camera at a pose sees of points."""
    look = Look(scene.features(world_T_cam), CAMERA.pinhole(), np.zeros(len(scene.visible(world_T_cam)[0]), np.float32))
    return start.add(Frame(stamp_ns, IMAGE, CAMERA, odom_T_cam=odom_T_cam), look)


def begun(second: np.ndarray = ASIDE, scene: PointScene = ROOM, odom_step: np.ndarray | None = None) -> Start | None:
    """Return the start by two views, between which odometry says that the camera moved by a step (4, 4)."""
    start, odom_T_first = TwoViewStart(), motion(np.array([0.0, 0.0, 1.0]), np.array([5.0, 0.0, 0.0]))
    assert add(start, FIRST, scene, None if odom_step is None else odom_T_first) is None
    return add(start, second, scene, None if odom_step is None else odom_T_first @ odom_step)


def far_away(near: int) -> PointScene:
    """Return points of which all but some are too far away to tell anything."""
    return PointScene(np.where(np.arange(300)[:, None] < near, 1.0, 100.0) * ROOM.points_m, ROOM.descriptors)


def test_without_odometry_what_is_seen_is_taken_to_be_a_unit_away() -> None:
    start = begun()
    assert not start.is_metric and len(start.frames) == 2
    both = np.intersect1d(ROOM.visible(FIRST)[0], ROOM.visible(ASIDE)[0])
    scale = np.median(ROOM.points_m[both, 2]) / UNIT_M
    start.first_T_second[:3, 3] *= scale
    assert np.allclose(start.first_T_second, TRUE, atol=0.01)


def test_odometry_tells_how_far_the_two_views_are_apart() -> None:
    step = TRUE.copy()
    step[:3, 3] *= 2.0
    start = begun(odom_step=step)
    assert start.is_metric and np.isclose(np.linalg.norm(start.first_T_second[:3, 3]), 2 * np.linalg.norm(TRUE[:3, 3]))


@pytest.mark.parametrize("direction", [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.0, 0.6]])
def test_odometry_in_another_direction_begins_no_map(direction: list[float]) -> None:
    assert begun(odom_step=motion(np.zeros(3), 0.4 * np.array(direction))) is None


def test_odometry_that_hardly_moved_tells_no_scale() -> None:
    step = TRUE.copy()
    step[:3, 3] *= 0.9 * MIN_STEP_M / np.linalg.norm(step[:3, 3])
    assert begun(odom_step=step) is None


def test_far_things_alone_begin_no_map() -> None:
    assert begun(scene=far_away(220)) is not None
    assert begun(scene=far_away(110)) is None


def test_a_first_view_that_is_out_of_sight_is_replaced() -> None:
    start = TwoViewStart()
    add(start, look_at((0.0, 0.0, 0.0), (0.0, 0.0, -3.0)), PointScene(-ROOM.points_m, unit_vectors(
        np.random.default_rng(7), 300, 64)))
    assert add(start, FIRST) is None
    assert len(add(start, ASIDE).frames) == 2


def test_of_frames_without_end_the_first_and_the_newest_wait_for_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_localization.mapping.slam.two_view_start.MAX_FRAMES", 3)
    start = TwoViewStart()
    for stamp_ns in range(5):
        assert add(start, FIRST, stamp_ns=stamp_ns) is None
    assert [frame.stamp_ns for frame, _ in add(start, ASIDE, stamp_ns=5).frames] == [0, 4, 5]


def test_nothing_waits_for_a_start_after_the_camera_was_found_in_a_map() -> None:
    start = TwoViewStart()
    add(start, FIRST)
    start.forget()
    assert add(start, ASIDE) is None
