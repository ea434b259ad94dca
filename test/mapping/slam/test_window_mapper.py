"""Keyframes without depth whose poses the map gave: they become better with what they show, and odometry tells how
large everything is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, TriangulationConfig
from cl_localization.evaluation.trajectory_error import aligned_errors_m, alignment
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.slam.window_mapper import STEP_SIGMA_M, STEP_SIGMA_SHARE, WindowMapper, measured_steps
from core_makers import CAMERA, PointScene, look_at, motion

POSES = [look_at((x, 0.1 * (-1) ** index, 0.05 * index), (0.0, 0.0, 3.8))
         for index, x in enumerate(np.linspace(-0.8, 0.8, 12))]
SCENE = PointScene.room(250)


class Session:
    """A mapper and the views it was given."""

    def __init__(self, has_odometry: bool = False, map_code: MapCode | None = None) -> None:
        self.map_code = map_code or MapCode(MapCodeConfig(), "scene", 64)
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


def test_codes_that_the_map_had_before_stay_and_hold_the_views_that_show_them() -> None:
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    map_code.set_cell_size(0.05)
    before = map_code.add_keyframe(POSES[5], 0, map_code.scene_number("room"))
    half = slice(None, None, 2)
    rows = map_code.insert(NewCodes(SCENE.descriptors[half], SCENE.points_m[half],
                                    np.full(len(SCENE.points_m[half]), 0.002, np.float32)), before)
    session, off = Session(map_code=map_code), motion(np.zeros(3), np.array([0.015, 0.0, 0.0]))
    views = [session.add(pose, off @ pose) for pose in POSES[:6]]
    assert np.allclose(map_code.codes["positions_m"][rows], SCENE.points_m[half], atol=1e-6)
    off_m = [np.linalg.norm((view.world_T_cam - pose)[:3, 3]) for view, pose in zip(views, POSES)]
    assert max(off_m[1:]) < 0.005


def test_what_is_moved_in_the_end_lies_to_the_first_keyframe_of_each_part() -> None:
    session, wrong = Session(), motion(np.array([0.0, 0.0, 0.002]), np.array([0.01, 0.0, 0.0]))
    for scene in ("room", "other"):
        for pose in (POSES[0] @ wrong, *POSES[1:4]):
            session.add(pose, pose if pose is not POSES[2] else pose @ wrong, scene)
    firsts = session.map_code.pose_of(np.array([0, 4]))
    session.mapper.finish()
    assert np.allclose(session.map_code.pose_of(np.array([0, 4])), firsts, rtol=0, atol=1e-9)


def test_only_keyframes_whose_views_are_remembered_are_near_enough_to_go_on_from() -> None:
    session = Session()
    session.add(POSES[0], POSES[0])
    session.map_code.add_keyframe(POSES[1], 1, 0)
    assert np.allclose(session.mapper.known_poses(0), POSES[:1], atol=1e-6)


def test_odometry_measures_the_way_between_views_of_one_part_that_both_have_it() -> None:
    parts, known = [0, 0, 0, 0, 1, 1], [True, True, False, True, True, True]
    odom_T_cam = [motion(np.array([0.0, 0.1 * x_m, 0.2]), np.array([x_m, 0.0, 0.0])) for x_m in range(0, 12, 2)]
    steps = measured_steps([SimpleNamespace(scene=part, odom_T_cam=pose if is_known else None)
                            for part, pose, is_known in zip(parts, odom_T_cam, known)])
    assert steps.first.tolist() == [0, 4] and steps.second.tolist() == [1, 5]
    assert np.allclose(odom_T_cam[4] @ steps.first_T_second[1], odom_T_cam[5])
    assert np.allclose(steps.position_sigmas_m, STEP_SIGMA_M + STEP_SIGMA_SHARE * 2.0)
