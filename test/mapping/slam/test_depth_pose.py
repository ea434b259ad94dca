"""The pose of a frame from codes and depth: as exact as what was measured, and no pose where little agrees."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import PoseConfig
from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import MeasuredDepth, refined_pose
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.depth_pose import Look, look_at_frame, pose_near
from core_makers import CAMERA, PointScene, SceneEncoder, look_at, motion, wall_depth

WALL = PointScene.wall(400)
HERE = look_at((0.1, 0.05, 0.0), (0.0, 0.0, 4.0))


@pytest.fixture(scope="module")
def wall_map() -> tuple[MapCode, SceneEncoder]:
    """A map of the wall from three views."""
    encoder = SceneEncoder(WALL)
    mapper = Mapper(encoder=encoder)
    for x in (-0.3, 0.0, 0.3):
        pose = look_at((x, 0.0, 0.0), (0.0, 0.0, 4.0))
        mapper.add(encoder.frame(pose, wall_depth(pose)))
    return mapper.map_code, encoder


def look(encoder: SceneEncoder, depth: bool = True) -> Look:
    """Return the look at a frame taken at HERE."""
    frame: Frame = encoder.frame(HERE, wall_depth(HERE) if depth else None, posed=False)
    return look_at_frame(frame, encoder.encode(frame.image), 6.0)


@pytest.mark.parametrize("depth", [True, False])
def test_a_pose_near_the_predicted_one_is_found(wall_map: tuple[MapCode, SceneEncoder], depth: bool) -> None:
    map_code, encoder = wall_map
    off = motion(np.array([0.0, 0.02, 0.01]), np.array([0.02, -0.02, 0.03]))
    seen = pose_near(map_code, look(encoder, depth), HERE @ off, 0, PoseConfig())
    distance_m, angle_deg = se3.pose_error(seen.world_T_cam, HERE)
    assert distance_m < 0.01 and angle_deg < 0.1 and seen.inliers > 0.9 * seen.matches


def test_no_pose_is_found_where_the_map_has_nothing(wall_map: tuple[MapCode, SceneEncoder]) -> None:
    map_code, encoder = wall_map
    away = look_at((0.0, 0.0, 0.0), (0.0, 0.0, -4.0))
    assert pose_near(map_code, look(encoder), away, 0, PoseConfig()) is None


def test_depth_makes_a_pose_more_exact_and_more_certain() -> None:
    random = np.random.default_rng(0)
    seen, pixels = WALL.visible(HERE)
    points_m, camera = WALL.points_m[seen][:40], CAMERA.pinhole()
    pixels = pixels[:40] + random.normal(scale=1.0, size=(40, 2))
    depths_m = se3.transform(se3.inverse(HERE), points_m)[:, 2] + random.normal(scale=0.002, size=40)
    arguments = camera, se3.inverse(HERE), pixels, points_m, np.full(40, 1.0)
    plain, plain_covariance = refined_pose(*arguments)
    deep, deep_covariance = refined_pose(*arguments, depth=MeasuredDepth(depths_m, np.full(40, 0.002)))
    assert se3.pose_error(deep, se3.inverse(HERE))[0] < se3.pose_error(plain, se3.inverse(HERE))[0]
    assert np.trace(deep_covariance[:3, :3]) < np.trace(plain_covariance[:3, :3])


def test_depth_that_is_unknown_says_nothing() -> None:
    seen, pixels = WALL.visible(HERE)
    arguments = CAMERA.pinhole(), se3.inverse(HERE), pixels + 0.3, WALL.points_m[seen], np.full(len(seen), 1.0)
    unknown = MeasuredDepth(np.zeros(len(seen)), np.full(len(seen), 0.01))
    assert np.allclose(refined_pose(*arguments)[0], refined_pose(*arguments, depth=unknown)[0])
