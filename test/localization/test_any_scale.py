"""The same photos with positions in any unit: the same decisions, and the same poses in that unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import RememberingEncoder
from cl_localization.config import EncoderConfig, LocalizerConfig, PoseConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.features.shared import shared_encoder
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


def scaled(frame: Frame, scale: float) -> Frame:
    """Return a frame whose position is given in another unit."""
    world_T_cam = frame.world_T_cam.copy()
    world_T_cam[:3, 3] *= scale
    return replace(frame, world_T_cam=world_T_cam)


@pytest.mark.parametrize(("scene", "every", "queries_every"), [
    ("kitti_1", 2, 2), pytest.param("kitti_1", 1, 1, marks=pytest.mark.long),
    pytest.param("terrace", 4, 2, marks=pytest.mark.long)])
def test_real_photos_at_three_scales_are_accepted_and_placed_alike(data_folder: Path, scene: str, every: int,
                                                                   queries_every: int) -> None:
    encoder = RememberingEncoder(shared_encoder(EncoderConfig()))
    mapped, asked = (open_sequence(str(data_folder / scene / name)) for name in ("map", "query"))
    mapping_frames = [mapped[index] for index in range(0, len(mapped), every)]
    queries = [asked[index] for index in range(0, len(asked), queries_every)]

    def found_at(scale: float) -> list[Localization]:
        mapper = Mapper(encoder=encoder)
        for frame in mapping_frames:
            mapper.add(scaled(frame, scale))
        mapper.finish()
        localizer = Localizer(mapper.map_code, LocalizerConfig(), encoder)
        return [localizer.localize(frame) for frame in queries]

    given, smaller, larger = (found_at(scale) for scale in (1.0, 0.01, 100.0))
    for one, small, large in zip(given, smaller, larger):
        assert one.accepted == small.accepted == large.accepted
        for other, scale in ((small, 0.01), (large, 100.0)):
            if one.accepted:
                apart_m = np.linalg.norm(other.world_T_cam[:3, 3] / scale - one.world_T_cam[:3, 3])
                assert apart_m < max(0.01, 0.01 * one.viewing_distance_m)
