"""The way from the last frame: exact where the two share a view, none where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.mapping.slam.depth_pose import Look, look_at_frame
from cl_localization.mapping.slam.frame_pose import pose_from_last
from core_makers import PointScene, SceneEncoder, look_at, wall_depth

WALL = PointScene.wall(400)
LAST, HERE = look_at((0.0, 0.0, 0.0), (0.0, 0.0, 4.0)), look_at((0.1, 0.05, 0.0), (0.3, 0.0, 4.0))


def look(world_T_cam: np.ndarray, depth: bool = True) -> Look:
    """Return the look at the wall from a pose."""
    encoder = SceneEncoder(WALL)
    frame = encoder.frame(world_T_cam, wall_depth(world_T_cam) if depth else None, posed=False)
    return look_at_frame(frame, encoder.encode(frame.image), 6.0)


@pytest.mark.parametrize("predicted", [LAST, HERE], ids=["stopped", "moved on"])
def test_the_pose_follows_from_what_the_last_frame_saw(predicted: np.ndarray) -> None:
    seen = pose_from_last(look(LAST), LAST, look(HERE, depth=False), predicted, PoseConfig())
    distance_m, angle_deg = se3.pose_error(seen.world_T_cam, HERE)
    assert distance_m < 0.02 and angle_deg < 0.2 and seen.inliers > 0.8 * seen.matches and len(seen.rows) == 0


def test_a_last_frame_without_depth_says_nothing() -> None:
    assert pose_from_last(look(LAST, depth=False), LAST, look(HERE), LAST, PoseConfig()) is None


def test_a_camera_that_is_elsewhere_than_predicted_is_not_placed_there() -> None:
    away = look_at((0.0, 0.0, 0.0), (4.0, 0.0, 0.0))
    assert pose_from_last(look(LAST), LAST, look(HERE), away, PoseConfig()) is None
