"""Poses of frames follow their keyframes, and stay where those are gone; a new part of a map gets a name of its own."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.own_trajectory import OwnTrajectory, free_scene
from core_makers import motion

FIRST, SECOND = 0, 1
AHEAD = motion(np.array([0.0, 0.4, 0.0]), np.array([0.1, 0.0, 0.3]))


def at(x_m: float) -> np.ndarray:
    """Return a pose (4, 4) on the x axis, turned a little."""
    return motion(np.array([0.0, 0.3, 0.0]), np.array([x_m, 0.0, 0.0]))


class Tour:
    """Two parts of a map with a keyframe each, and a frame after it; the frame of the second part comes first."""

    def __init__(self) -> None:
        self.map_code = MapCode(MapCodeConfig(), "scene", 64)
        self.keyframes = [self.map_code.add_keyframe(at(10.0 * number), 5 + number, self.map_code.scene_number(name))
                          for number, name in enumerate(("first", "second"))]
        self.trajectory = OwnTrajectory(self.map_code)
        self.trajectory.add(20, at(0.0) @ AHEAD, self.keyframes[0])
        self.trajectory.add(10, at(10.0) @ AHEAD, self.keyframes[1])

    def move(self, moved: np.ndarray) -> None:
        """Move all keyframes."""
        rows = np.array(self.keyframes)
        self.map_code.move_keyframes(rows, moved @ self.map_code.pose_of(rows))

    def remove(self, keyframe: int) -> None:
        """Remove a keyframe, as for the budget."""
        self.map_code.keyframes.remove(np.array([keyframe]), self.map_code.version + 1)


def test_frames_follow_their_keyframes_and_are_in_order_of_time() -> None:
    tour, moved = Tour(), motion(np.array([0.0, 0.0, 0.5]), np.ones(3))
    tour.move(moved)
    stamps_ns, poses = zip(*tour.trajectory.poses())
    assert stamps_ns == (10, 20)
    assert np.allclose(poses, [moved @ at(10.0) @ AHEAD, moved @ at(0.0) @ AHEAD], atol=1e-5)


def test_a_frame_without_a_keyframe_is_left_out() -> None:
    tour = Tour()
    tour.trajectory.add(30, at(0.0), -1)
    assert len(tour.trajectory) == 2


def test_frames_are_as_far_from_their_keyframes_as_the_unit_of_length_says() -> None:
    tour = Tour()
    tour.trajectory.rescale({tour.keyframes[0]: 2.0})
    (_, second), (_, first) = tour.trajectory.poses()
    assert np.allclose(second, at(10.0) @ AHEAD, atol=1e-5)
    assert np.allclose(first[:3, 3], at(0.0)[:3, :3] @ (2 * AHEAD[:3, 3]), atol=1e-5)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_frame_whose_keyframe_is_gone_stays_whatever_has_its_number(is_replaced: bool) -> None:
    tour = Tour()
    tour.remove(tour.keyframes[1])
    if is_replaced:
        assert tour.map_code.add_keyframe(at(50.0), 99, SECOND) == tour.keyframes[1]
    assert np.allclose(tour.trajectory.poses()[0][1], at(10.0) @ AHEAD, atol=1e-5)
    assert tour.trajectory.poses(SECOND) == []


def test_the_first_part_is_that_of_the_first_frame() -> None:
    assert [stamp_ns for stamp_ns, _ in Tour().trajectory.poses_of_first_part()] == [20]
    assert OwnTrajectory(MapCode(MapCodeConfig(), "scene", 64)).poses_of_first_part() == []


def test_the_first_part_is_not_where_a_keyframe_is_now_that_has_the_number_of_the_first() -> None:
    tour = Tour()
    trajectory = OwnTrajectory(tour.map_code)
    later = tour.map_code.add_keyframe(at(1.0), 8, FIRST)
    for stamp_ns, keyframe in enumerate([tour.keyframes[0], later, tour.keyframes[1]]):
        trajectory.add(stamp_ns, at(1.0), keyframe)
    tour.remove(tour.keyframes[0])
    assert tour.map_code.add_keyframe(at(50.0), 99, SECOND) == tour.keyframes[0]
    assert [stamp_ns for stamp_ns, _ in trajectory.poses_of_first_part()] == [1]


def test_a_new_part_takes_a_name_that_no_keyframe_has() -> None:
    tour = Tour()
    assert free_scene(tour.map_code, "first") == tour.map_code.scene_names.index("first 2") == 2
    tour.remove(tour.keyframes[0])
    assert free_scene(tour.map_code, "first") == FIRST
