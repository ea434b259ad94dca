"""The table of mapping without depth, and the plain recipe in it, on scenes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.encoders import TimedEncoder
from benchmarks.outdoors import (
    HEADERS,
    SCENES,
    WRONG_SHARE,
    OutdoorsResult,
    Scene,
    UnguidedErrors,
    outdoors_table,
    result_of,
)
from benchmarks.plain_recipe import PlainRecipe
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.geometry.se3 import pose_error
from cl_localization.mapper import Mapper
from core_makers import PointScene, SceneEncoder, look_at

POSES = [look_at((x, 0.05 * (-1) ** index, 0.0), (0.0, 0.0, 3.8)) for index, x in enumerate(np.linspace(-0.6, 0.6, 7))]


class Posed:
    """A sequence of which only the poses are asked for."""

    def __init__(self, poses: list[np.ndarray]) -> None:
        self._poses = poses

    def __len__(self) -> int:
        return len(self._poses)

    def pose(self, index: int) -> np.ndarray:
        """Return a pose."""
        return self._poses[index]


@pytest.fixture(scope="module")
def encoder() -> SceneEncoder:
    """A room that an encoder knows by heart."""
    return SceneEncoder(PointScene.room(300), noise_px=0.3, similarity=0.95)


def test_the_plain_recipe_finds_poses_among_exact_ones(encoder):
    recipe = PlainRecipe([encoder.frame(pose) for pose in POSES], encoder)
    query = look_at((0.1, 0.0, 0.1), (0.0, 0.0, 3.8))
    distance_m, angle_deg = pose_error(recipe.localize(encoder.frame(query)), query)
    assert distance_m < 0.02
    assert angle_deg < 0.5


def test_the_plain_recipe_has_no_pose_where_nothing_was_seen_twice(encoder):
    assert PlainRecipe([encoder.frame(POSES[0])], encoder).localize(encoder.frame(POSES[1])) is None


def test_encoding_is_timed(encoder):
    timed = TimedEncoder(encoder)
    frame = encoder.frame(POSES[0])
    assert len(timed.encode(frame.image)) == len(encoder.encode(frame.image))
    assert timed.seconds > 0


def test_a_row_fits_the_headers():
    for scene in SCENES:
        result = OutdoorsResult(scene.name, "ours", 10, 9, 0.01, 0.1, (80.0, 90.0), 0, None, 2.0)
        assert len(result.row(scene)) == len(HEADERS)


def test_scenes_that_are_not_there_are_left_out(tmp_path):
    assert outdoors_table(tmp_path, MapperConfig(), LocalizerConfig()).rows == []


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_what_is_wrong_in_a_scene_without_scale_is_a_share_of_its_extent(encoder, scale):
    poses = [pose.copy() for pose in POSES]
    for pose in poses:
        pose[:3, 3] *= scale
    sequence = Posed(poses)
    scene = Scene("terrace", ((0.005, "0.5 %"), (0.02, "2 %")), relative=True)
    extent = float(np.linalg.norm(np.ptp(np.array(poses)[:, :3, 3], axis=0)))
    errors = np.array([(0.5 * WRONG_SHARE * extent, 0.1), (2.0 * WRONG_SHARE * extent, 0.1), (0.0, 30.0)])
    assert result_of(scene, "ours", sequence, sequence, errors, None, 1.0).wrong == 2


def test_poses_before_guided_refinement_are_noted(encoder):
    mapper = Mapper(MapperConfig(), encoder)
    for pose in POSES:
        mapper.add(encoder.frame(pose))
    localizer = UnguidedErrors(mapper.map_code, LocalizerConfig(), encoder)
    found = localizer.localize(encoder.frame(look_at((0.1, 0.0, 0.1), (0.0, 0.0, 3.8))))
    assert found.accepted
    assert len(localizer.errors) == 1
    assert localizer.errors[0][0] < 0.1
