"""The same photos with positions in any unit: the same decisions, and the same poses in that unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.data.frame import Frame
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from core_makers import PointScene, SceneEncoder, look_at, unit_vectors

ROOM = PointScene.room(250)
MAPPED = [look_at((x, 0.1 * (-1) ** index, 0.05 * index), (0.0, 0.0, 3.8))
          for index, x in enumerate(np.linspace(-0.8, 0.8, 8))]
QUERIES = [look_at((x, y, z), (0.0, 0.0, 3.8)) for x, y, z in
           [(0.1, 0.0, 0.1), (-0.6, 0.2, 0.0), (1.5, -0.4, -0.3), (0.0, 0.5, -6.0), (3.0, 0.0, -9.0), (0.0, 0.0, 2.0)]]


def photo(encoder: SceneEncoder, world_T_cam: np.ndarray, scale: float) -> Frame:
    """Return a photo taken at a pose (4, 4), whose position is given in a unit of which a metre has `scale`."""
    given = world_T_cam.copy()
    given[:3, 3] *= scale
    return replace(encoder.frame(world_T_cam), world_T_cam=given)


def localized(scale: float, pose: PoseConfig = PoseConfig()) -> list[Localization]:
    """Return what comes of the queries, and of one of another place, in a map without depth."""
    encoder = SceneEncoder(ROOM, noise_px=0.4, similarity=0.9)
    mapper = Mapper(encoder=encoder)
    for world_T_cam in MAPPED:
        mapper.add(photo(encoder, world_T_cam, scale))
    mapper.finish()
    elsewhere = SceneEncoder(replace(ROOM, descriptors=unit_vectors(np.random.default_rng(5), 250, 64)))
    localizer, other = (Localizer(mapper.map_code, LocalizerConfig(pose=pose), one) for one in (encoder, elsewhere))
    return [*(localizer.localize(photo(encoder, world_T_cam, scale)) for world_T_cam in QUERIES),
            other.localize(photo(elsewhere, QUERIES[0], scale))]


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_positions_in_another_unit_change_no_decision(scale: float) -> None:
    metric, other = localized(1.0), localized(scale)
    assert [found.accepted for found in other] == [found.accepted for found in metric]
    assert {True, False} == {found.accepted for found in metric}
    for one, same in zip(metric, other):
        if one.accepted:
            np.testing.assert_allclose(same.world_T_cam[:3, 3] / scale, one.world_T_cam[:3, 3], atol=0.01)
            np.testing.assert_allclose(same.world_T_cam[:3, :3], one.world_T_cam[:3, :3], atol=0.005)


def test_a_robot_can_ask_for_a_bound_in_metres() -> None:
    bounded = [localized(scale, PoseConfig(max_position_sigma_m=0.3))[0] for scale in (1.0, 100.0)]
    assert [found.accepted for found in bounded] == [True, False]
    assert "at most 0.3 m allowed" in bounded[1].reason
