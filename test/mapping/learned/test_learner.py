"""Learning codes beside a grown map: with depth and without, within its sizes, and after corrections of poses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, MapCodeConfig, MapperConfig, PlaceConfig, TriangulationConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import MapError
from cl_localization.geometry import se3
from cl_localization.localizer import Localizer
from cl_localization.map.keyframe_views import View
from cl_localization.map.learned_codes import is_learned
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.map.map_file import save_map
from cl_localization.mapper import Mapper
from cl_localization.mapping.learned.distillation import compressed
from cl_localization.mapping.learned.learner import MATURE_AFTER, CodeLearner
from cl_localization.mapping.learned.options import DistillationConfig, LearnedCodesConfig
from cl_localization.mapping.learned.replay import LEAST_FEATURES, MOST_FEATURES, FeatureReplay
from core_makers import CAMERA, WALL_M, PointScene, SceneEncoder, look_at, motion, wall_depth

SCENE = PointScene.wall(800)
WAY = [look_at((x, 0.1 * x, 0.0), (0.3 * x, 0.0, 4.0)) for x in np.linspace(-0.8, 0.8, 9)]
LEARNED = LearnedCodesConfig(size_kb=30.0, final_steps=300, steps_per_keyframe=10)


def mapper_of(learned: LearnedCodesConfig | None = LEARNED) -> tuple[Mapper, SceneEncoder]:
    """A mapper of the wall, and its encoder."""
    encoder = SceneEncoder(SCENE)
    return Mapper(MapperConfig(), encoder, learned=learned), encoder


def frames_of(encoder: SceneEncoder, depth: bool = True) -> list[Frame]:
    """The frames of the way."""
    return [encoder.frame(pose, wall_depth(pose) if depth else None) for pose in WAY]


def mapped(learned: LearnedCodesConfig | None = LEARNED, depth: bool = True) -> Mapper:
    """A mapper that has driven along the wall."""
    mapper, encoder = mapper_of(learned)
    for frame in frames_of(encoder, depth):
        mapper.add(frame)
    mapper.finish()
    return mapper


def error_m(map_code: MapCode) -> float:
    """How far off the pose of a view between those mapped is; infinite if it is not accepted."""
    encoder = SceneEncoder(SCENE)
    asked = encoder.frame(look_at((0.13, 0.0, 0.0), (0.05, 0.0, 4.0)))
    found = Localizer(map_code, LocalizerConfig(place=PlaceConfig(enabled=False)), encoder).localize(asked)
    return se3.pose_error(found.world_T_cam, asked.world_T_cam)[0] if found.accepted else float("inf")


@pytest.mark.parametrize("depth", [True, False])
def test_a_camera_is_found_by_codes_learned_on_the_way(depth: bool) -> None:
    mapper = mapped(depth=depth)
    assert is_learned(mapper.made) and len(mapper.made) < len(mapper.map_code)
    assert error_m(mapper.made) < 0.15


def test_grown_codes_are_made_by_default() -> None:
    mapper = mapped(None)
    assert mapper.made is mapper.map_code and not is_learned(mapper.made)


def test_the_map_and_the_memory_keep_to_their_sizes(tmp_path) -> None:
    mapper = mapped(replace(LEARNED, size_kb=12.0, replay_mb=0.09))
    assert save_map(mapper.made, tmp_path / "small.map") <= 12_000
    assert 0 < mapper.learner._replay._buffer.size_bytes <= 90_000


def test_a_small_memory_holds_few_features_of_several_keyframes() -> None:
    grown = mapper_of(None)[0].map_code
    assert FeatureReplay(grown, replace(LEARNED, replay_mb=0.1)).features == LEAST_FEATURES
    assert FeatureReplay(grown, LEARNED).features == MOST_FEATURES


def test_codes_follow_a_corrected_trajectory_when_they_are_learned_to_the_end() -> None:
    mapper, encoder = mapper_of()
    frames = frames_of(encoder)
    for frame in frames:
        mapper.add(frame)
    shift = np.eye(4)
    shift[0, 3] = 0.5
    mapper.correct(np.array([frame.stamp_ns for frame in frames]), np.stack([shift @ pose for pose in WAY]))
    before = mapper.made.positions_m[:, 0].mean()
    mapper.finish()
    assert mapper.made.positions_m[:, 0].mean() - before == pytest.approx(0.5, abs=0.2)


def test_views_without_depth_that_the_map_matches_no_more_follow_a_corrected_trajectory_too() -> None:
    encoder = SceneEncoder(SCENE)
    mapper = Mapper(MapperConfig(triangulation=TriangulationConfig(max_views=2)), encoder,
                    learned=replace(LEARNED, final_steps=1, steps_per_keyframe=1))
    frames = frames_of(encoder, depth=False)
    for frame in frames:
        mapper.add(frame)
    shift = motion(np.array([0.0, 0.0, 0.5]), np.array([0.5, 0.0, 0.0]))
    mapper.correct(np.array([frame.stamp_ns for frame in frames]), np.stack([shift @ pose for pose in WAY]))
    mapper.finish()
    kept = mapper.learner._replay.samples(0, np.zeros(3))
    on_wall = se3.transform(se3.inverse(shift), kept.points.numpy().astype(np.float64))
    assert np.abs(on_wall[:, 2] - 4.0).max() < 0.2 and np.ptp(on_wall[:, 0]) > 3.0
    nearest = [np.linalg.norm(SCENE.points_m - point, axis=1).min() for point in on_wall[::50]]
    assert np.median(nearest) < 0.02


@pytest.mark.parametrize("depth", [True, False])
def test_at_its_budget_learning_goes_on_without_the_keyframes_that_had_to_go(depth: bool) -> None:
    encoder = SceneEncoder(SCENE)
    mapper = Mapper(MapperConfig(map_code=MapCodeConfig(budget_mb=0.02)), encoder,
                    learned=replace(LEARNED, final_steps=10, steps_per_keyframe=1))
    for frame in [*frames_of(encoder, depth), *frames_of(encoder, depth)]:
        mapper.add(frame)
    mapper.finish()
    assert len(mapper.made) > 0 and len(mapper.map_code.keyframes) < len(WAY)


def test_keyframes_that_are_looked_at_again_are_kept_once() -> None:
    mapper = mapped(depth=False)
    replay = mapper.learner._replay
    assert len(replay._buffer) <= len(mapper.map_code.keyframes)
    assert len(replay.samples(0, np.zeros(3))) == replay.features * len(replay._buffer)


class Grown:
    """A map of the wall in two scenes, and what learns codes beside it."""

    def __init__(self) -> None:
        self.map_code = MapCode(MapCodeConfig(), "scene", 64)
        self.map_code.set_cell_size(1e-3)
        self.learner = CodeLearner(self.map_code, replace(LEARNED, final_steps=1, steps_per_keyframe=1))

    def observe(self, scene: str) -> np.ndarray:
        """Learn from a view without depth, and return the codes that it shows."""
        pose, number = WAY[len(self.map_code.keyframes) % len(WAY)], self.map_code.scene_number(scene)
        keyframe = self.map_code.add_keyframe(pose, len(self.map_code.keyframes), number)
        seen = SCENE.visible(pose)[0]
        rows = self.map_code.insert(NewCodes(SCENE.descriptors[seen], SCENE.points_m[seen],
                                             np.full(len(seen), 0.01, np.float32)), keyframe)
        view = View.of(keyframe, pose, CAMERA, SCENE.features(pose), number)
        view.link(np.arange(len(seen)), rows)
        self.learner.observe(view, np.zeros(len(seen)))
        return rows


def test_in_the_end_features_are_where_the_codes_that_they_show_are_by_then() -> None:
    grown = Grown()
    rows = np.concatenate([grown.observe("wall") for _ in range(MATURE_AFTER + 2)])
    grown.map_code.move(rows, grown.map_code.codes["positions_m"][rows] + [0.0, 0.0, 0.5],
                        np.full(len(rows), 0.01, np.float32))
    grown.learner.finish()
    assert np.allclose(grown.learner._replay.samples(0, np.zeros(3)).points[:, 2], WALL_M + 0.5, atol=1e-3)


def test_when_a_scene_moves_those_that_it_may_have_become_part_of_are_learned_again() -> None:
    grown = Grown()
    for scene in ("one", "other"):
        grown.observe(scene)
    grown.learner.finish()
    before = grown.learner.map_code.positions_m.copy()
    grown.learner.finish()
    assert np.array_equal(grown.learner.map_code.positions_m, before)
    grown.map_code.join_scene(1, 0)
    grown.learner.forget(1)
    grown.learner.finish()
    of_one = len(grown.learner.map_code.rows_of(0))
    assert len(grown.learner.map_code.rows_of(1)) == 0
    assert not np.array_equal(grown.learner.map_code.positions_m[:of_one], before[:of_one])


def test_a_compressed_map_finds_the_camera_and_keeps_to_its_size(tmp_path) -> None:
    mapper = mapped(None)
    small = compressed(mapper.map_code, 15_000, DistillationConfig(steps=400))
    assert save_map(small, tmp_path / "small.map") <= 15_000
    assert is_learned(small) and error_m(small) < 0.15


def test_a_map_is_not_compressed_twice_nor_extended_after() -> None:
    small = compressed(mapped(None).map_code, 15_000, DistillationConfig(steps=1))
    with pytest.raises(MapError, match="must hold grown codes"):
        compressed(small, 10_000, DistillationConfig(steps=1))
    with pytest.raises(MapError, match="must hold grown codes"):
        Mapper(MapperConfig(), SceneEncoder(SCENE), small)


def test_a_size_without_room_for_codes_is_refused() -> None:
    with pytest.raises(MapError, match="map size must have room for 16 codes"):
        compressed(mapped(None).map_code, 3_000, DistillationConfig(steps=1))
