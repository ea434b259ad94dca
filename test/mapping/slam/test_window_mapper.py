"""Keyframes without depth whose poses the map gave: they become better with what they show, and odometry tells how
large everything is."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, TriangulationConfig
from cl_localization.evaluation.trajectory_error import aligned_errors_m, alignment
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.window_mapper import WindowMapper, measured_steps
from core_makers import CAMERA, PointScene, look_at, motion

POSES = [look_at((x, 0.1 * (-1) ** index, 0.05 * index), (0.0, 0.0, 3.8))
         for index, x in enumerate(np.linspace(-0.8, 0.8, 12))]
SCENE = PointScene.room(250)


class Session:
    """A mapper and the views it was given."""

    def __init__(self, has_odometry: bool = False) -> None:
        self.map_code = MapCode(MapCodeConfig(), "scene", 64)
        self.mapper = WindowMapper(self.map_code, TriangulationConfig(min_parallax_deg=0.7))
        self.has_odometry, self.given = has_odometry, []

    def add(self, true: np.ndarray, given: np.ndarray, scene: str = "room") -> View:
        """Add a view from a true pose (4, 4) that is believed to be another."""
        number = self.map_code.scene_number(scene)
        view = View.of(self.map_code.add_keyframe(given, 0, number), given, CAMERA,
                       SCENE.features(true, seed=len(self.given), noise_px=0.3, similarity=0.95), number)
        view.odom_T_cam = motion(np.array([0.0, 0.3, 0.0]), np.ones(3)) @ true if self.has_odometry else None
        self.given.append(given)
        self.mapper.add(view)
        return view

    def add_all(self, scale: float, off_m: float = 0.0) -> None:
        """Add all views as if everything had another size; the poses of all but the first two are a little wrong."""
        random = np.random.default_rng(3)
        for index, pose in enumerate(POSES):
            given = pose.copy()
            given[:3, 3] = scale * pose[:3, 3] + (random.normal(scale=off_m, size=3) if index > 1 else 0.0)
            self.add(pose, given)
        self.mapper.finish()

    def positions_m(self) -> np.ndarray:
        return self.map_code.keyframe_world_T_cam[:, :3, 3]


TRUE_M = np.array(POSES)[:, :3, 3]


def test_poses_become_better_with_what_they_show() -> None:
    session = Session()
    session.add_all(scale=1.0, off_m=0.01)
    before = aligned_errors_m(np.array(session.given)[:, :3, 3], TRUE_M, with_scale=True)
    after = aligned_errors_m(session.positions_m(), TRUE_M, with_scale=True)
    assert np.median(after) < 0.4 * np.median(before) and len(session.map_code) > 100


@pytest.mark.parametrize(("has_odometry", "scale"), [(False, 1.3), (True, 1.0)])
def test_the_scale_stays_as_it_was_unless_odometry_tells_it(has_odometry: bool, scale: float) -> None:
    session = Session(has_odometry)
    session.add_all(1.3 if not has_odometry else 1.03)
    found = 1 / np.cbrt(np.linalg.det(alignment(session.positions_m(), TRUE_M, with_scale=True)[:3, :3]))
    assert abs(found / scale - 1) < 0.015


def test_views_follow_keyframes_that_a_loop_moved_or_joined_and_forget_those_that_are_gone() -> None:
    session = Session()
    views = [session.add(pose, pose) for pose in POSES[:4]]
    moved = motion(np.zeros(3), np.array([0.5, 0.0, 0.0])) @ session.map_code.keyframe_world_T_cam
    session.map_code.move_keyframes(np.arange(4), moved)
    session.map_code.scene_number("other")
    session.map_code.join_scene(0, 1)
    session.map_code.keyframes.remove(np.array([0]), session.map_code.version)
    session.mapper.forget_removed()
    assert [view.scene for view in views[1:]] == [1, 1, 1]
    assert all(np.allclose(view.world_T_cam, pose) for view, pose in zip(views[1:], moved[1:]))
    assert len(measured_steps(views).first) == 0
    assert session.add(POSES[4], moved[3] @ np.linalg.inv(POSES[3]) @ POSES[4], "other").code.max() >= 0


def test_poses_that_nobody_gave_were_not_moved() -> None:
    session = Session()
    session.add_all(1.0)
    assert session.mapper.moved().median_m == 0
    assert np.array_equal(session.mapper.given_poses(np.arange(12)), session.map_code.keyframe_world_T_cam)
