"""The way from the last frame: exact where the two share a view, none where they do not; and which poses are trusted
that no frame before leads to."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.geometry import se3
from cl_localization.mapping.slam.depth_pose import Look, look_at_frame
from cl_localization.mapping.slam.frame_pose import (
    JUMP_AFTER_S,
    KNOWN_PX,
    NEAR_PX,
    FoundPose,
    FramePoser,
    pose_from_last,
)
from cl_localization.mapping.slam.options import SlamConfig
from core_makers import PointScene, SceneEncoder, look_at, motion, wall_depth
from slam_makers import Drive, room_points, turning

WALL = PointScene.wall(400)
LAST, HERE = look_at((0.0, 0.0, 0.0), (0.0, 0.0, 4.0)), look_at((0.1, 0.05, 0.0), (0.3, 0.0, 4.0))


def look(world_T_cam: np.ndarray, depth: bool = True) -> Look:
    """Return the look at the wall from a pose."""
    encoder = SceneEncoder(WALL)
    frame = encoder.frame(world_T_cam, wall_depth(world_T_cam) if depth else None, posed=False)
    return look_at_frame(frame, encoder.encode(frame.image), 6.0)


@pytest.mark.parametrize("predicted", [LAST, HERE], ids=["stopped", "moved on"])
def test_the_pose_follows_from_what_the_last_frame_saw(predicted: np.ndarray) -> None:
    seen = pose_from_last(look(LAST), LAST, look(HERE, depth=False), predicted, NEAR_PX, PoseConfig())
    distance_m, angle_deg = se3.pose_error(seen.world_T_cam, HERE)
    assert distance_m < 0.02 and angle_deg < 0.2 and seen.inliers > 0.8 * seen.matches and len(seen.rows) == 0


def test_a_last_frame_without_depth_says_nothing() -> None:
    assert pose_from_last(look(LAST, depth=False), LAST, look(HERE), LAST, NEAR_PX, PoseConfig()) is None


def test_a_camera_that_is_elsewhere_than_predicted_is_not_placed_there() -> None:
    away = look_at((0.0, 0.0, 0.0), (4.0, 0.0, 0.0))
    assert pose_from_last(look(LAST), LAST, look(HERE), away, NEAR_PX, PoseConfig()) is None


def test_points_farther_than_asked_from_where_they_should_be_are_not_matched() -> None:
    assert pose_from_last(look(LAST), LAST, look(HERE), HERE, KNOWN_PX, PoseConfig()) is not None
    turned = HERE.copy()
    turned[:3, :3] = HERE[:3, :3] @ se3.rotation_from_vector(np.array([0.0, np.deg2rad(5.0), 0.0]))
    assert pose_from_last(look(LAST), LAST, look(HERE), turned, KNOWN_PX, PoseConfig()) is None
    assert pose_from_last(look(LAST), LAST, look(HERE), turned, NEAR_PX, PoseConfig()) is not None


class Known:
    """A map of a part of a room, and a camera in it."""

    def __init__(self) -> None:
        self.drive = Drive(room_points(1))
        self.drive.go(turning(10, turn_deg=60.0))
        self.map_code = self.drive.slam.mapper.map_code
        self.poser = FramePoser(self.map_code, SlamConfig(min_features=40), LocalizerConfig(regressor="nearest"),
                                set())
        true = turning(3, turn_deg=60.0)[1]
        self.world_T_cam = np.linalg.inv(turning(1)[0]) @ true
        self.frame = self.drive.frame(true)
        self.features = self.drive.encoder.encode(self.frame.image)

    def find(self, predicted: np.ndarray, seconds: float, scene: int = 0, has_depth: bool = True) -> FoundPose | None:
        """Return what is found of a camera that is predicted at a pose (4, 4), so long after the last one there."""
        look = look_at_frame(self.frame, self.features, 6.0)
        look = look if has_depth else look.without_depth()
        return self.poser.find(look, [predicted], scene, seconds, (look.without_depth(), predicted))


@pytest.fixture(scope="module")
def known() -> Known:
    return Known()


def test_a_camera_that_was_not_seen_for_long_may_have_been_carried_and_one_that_was_just_seen_may_not(
        known: Known) -> None:
    away = motion(np.zeros(3), np.array([30.0, 0.0, 0.0])) @ known.world_T_cam
    carried = known.find(away, 2 * JUMP_AFTER_S)
    assert se3.pose_error(carried.seen.world_T_cam, known.world_T_cam)[0] < 0.03 and not carried.is_tracked
    assert known.find(away, 0.5 * JUMP_AFTER_S) is None


def test_a_camera_does_not_turn_round_in_a_moment(known: Known) -> None:
    turned = known.world_T_cam @ motion(np.array([0.0, np.pi / 2, 0.0]), np.zeros(3))
    assert known.find(turned, 0.05) is None
    assert known.find(turned, 0.5).is_tracked


@pytest.mark.parametrize("has_depth", [False, True])
def test_a_part_of_the_map_with_the_same_coordinates_is_not_taken_for_the_one_that_the_camera_is_in(
        known: Known, has_depth: bool) -> None:
    assert known.find(known.world_T_cam, 0.1, has_depth=has_depth).scene == 0
    other = known.map_code.scene_number("other")
    assert known.find(known.world_T_cam, 0.1, other, has_depth) is None
