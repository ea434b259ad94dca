"""Codes of several scenes: none is changed by learning another, and a full map is shared evenly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from cl_localization.config import MapperConfig
from cl_localization.map.learned_codes import learned_arrays
from cl_localization.mapper import Mapper
from cl_localization.mapping.learned.distillation import compressed
from cl_localization.mapping.learned.optimizer import CodeOptimizer, Samples
from cl_localization.mapping.learned.options import DistillationConfig, LearnedCodesConfig
from cl_localization.mapping.learned.scene_codes import CodesByScene, SceneCodes
from core_makers import PointScene, SceneEncoder, look_at, wall_depth

CONFIG = LearnedCodesConfig(size_kb=60.0, final_steps=50, steps_per_keyframe=5)
WAY = [look_at((x, 0.0, 0.0), (0.3 * x, 0.0, 4.0)) for x in (-0.6, 0.0, 0.6)]


def scene_codes(count: int) -> SceneCodes:
    """Codes of a scene, the later the more used."""
    scene = PointScene.room(count, seed=count)
    points = torch.from_numpy(scene.points_m.astype(np.float32))
    codes = CodeOptimizer(Samples(torch.from_numpy(scene.descriptors), points, points.norm(dim=1)))
    codes.usage = torch.arange(count, dtype=torch.float32)
    return SceneCodes(codes, np.zeros(3))


def learn(mapper: Mapper, encoder: SceneEncoder, name: str, first_ns: int) -> None:
    """Have a mapper learn the wall as a scene."""
    mapper.use_scene(name)
    for number, pose in enumerate(WAY):
        mapper.add(replace(encoder.frame(pose, wall_depth(pose)), stamp_ns=first_ns + number))
    mapper.finish()


def test_learning_a_scene_changes_no_code_of_another() -> None:
    encoder = SceneEncoder(PointScene.wall(400))
    mapper = Mapper(MapperConfig(), encoder, learned=CONFIG)
    learn(mapper, encoder, "first", 0)
    before = learned_arrays(mapper.made)
    learn(mapper, encoder, "second", 1000)
    after, first = learned_arrays(mapper.made), mapper.map_code.scene_number("first")
    kept = after.select(after.scenes == first)
    np.testing.assert_array_equal(kept.positions_m, before.positions_m)
    np.testing.assert_allclose(kept.keys, before.keys, atol=np.abs(after.keys).max() / 100)
    assert len(after.keys) > len(kept.keys)


def test_a_compressed_map_has_codes_of_every_scene() -> None:
    encoder = SceneEncoder(PointScene.wall(400))
    mapper = Mapper(MapperConfig(), encoder)
    for name in ("first", "second"):
        learn(mapper, encoder, name, 1000 * len(name))
    small = compressed(mapper.map_code, 30_000, DistillationConfig(steps=20))
    numbers = [mapper.map_code.scene_number(name) for name in ("first", "second")]
    assert np.unique(learned_arrays(small).scenes).tolist() == numbers


def test_a_scene_takes_from_those_with_more_than_their_share() -> None:
    codes = CodesByScene({0: scene_codes(70), 1: scene_codes(10)})
    assert codes.make_room(1, 30, 80) == 30
    assert len(codes.scenes[0].codes) == 40 and float(codes.scenes[0].codes.usage.min()) == 30.0


def test_a_scene_takes_no_more_than_its_share() -> None:
    codes = CodesByScene({0: scene_codes(50), 1: scene_codes(30)})
    assert codes.make_room(1, 30, 80) == 10 and len(codes.scenes[0].codes) == 40


def test_the_only_scene_has_all_the_room_there_is() -> None:
    codes = CodesByScene({0: scene_codes(70)})
    assert codes.make_room(0, 30, 80) == 10 and codes.make_room(0, 30, 60) == 0
