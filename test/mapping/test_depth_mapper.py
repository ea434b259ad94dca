"""Mapping with depth, before a wall whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import DepthConfig, MapCodeConfig
from cl_localization.geometry.camera import Camera
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_mapper import DepthMapper
from core_makers import CAMERA, WALL_M, PointScene, look_at, noisy, wall_depth

WALL = PointScene.wall(300)
CENTRE = (0.0, 0.0, WALL_M)
POSES = [look_at((x, 0.1 * (-1) ** index, 0.3 * x), CENTRE) for index, x in enumerate(np.linspace(-0.6, 0.6, 6))]


class Session:
    """A mapper before a wall."""

    def __init__(self, scene: PointScene = WALL, map_code: MapCode | None = None, **options: float) -> None:
        self.scene, self.count = scene, 0
        self.map_code = map_code or MapCode(MapCodeConfig(), "scene", 64)
        self.mapper = DepthMapper(self.map_code, DepthConfig(**options))

    def add(self, world_T_cam: np.ndarray, depth_m: np.ndarray | None = None, camera: Camera = CAMERA,
            changed: bool = False, **noise: float) -> tuple[int, int]:
        frame = self.map_code.add_keyframe(world_T_cam, 0, self.map_code.scene_number("room"))
        features = self.scene.features(world_T_cam, camera, seed=self.count, **noise)
        self.count += 1
        depth_m = wall_depth(world_T_cam, camera) if depth_m is None else depth_m
        return self.mapper.add(View.of(frame, world_T_cam, camera, features), features.keypoints_px, depth_m, changed)

    def errors_m(self) -> np.ndarray:
        """Return how far each code is from the point that it looks like."""
        rows = self.map_code.codes.rows()
        truth = (self.map_code.descriptors(rows) @ self.scene.descriptors.T).argmax(axis=1)
        return np.linalg.norm(self.map_code.codes["positions_m"][rows] - self.scene.points_m[truth], axis=1)


def test_one_view_is_a_map():
    session = Session()
    seen, _ = WALL.visible(POSES[0])
    inserted, merged = session.add(POSES[0])
    assert merged == 0
    assert len(session.map_code) == inserted > 0.97 * len(seen)
    assert session.errors_m().max() < 0.01


def test_the_same_view_again_merges_everything():
    session = Session()
    first, _ = session.add(POSES[0], noise_px=0.2, similarity=0.97)
    inserted, merged = session.add(POSES[0], noise_px=0.2, similarity=0.97)
    assert inserted < 0.05 * first
    assert merged > 0.95 * first
    assert (session.map_code.codes["seen"][session.map_code.codes.rows()] == 2).mean() > 0.9


def test_many_views_sharpen_positions():
    session = Session()
    session.add(POSES[0], noise_px=0.5, similarity=0.95)
    before_m, before_sigma_m = (
        np.median(session.errors_m()),
        np.median(session.map_code.codes["sigmas_m"][session.map_code.codes.rows()]),
    )
    for _ in range(3):
        for pose in POSES:
            session.add(pose, noise_px=0.5, similarity=0.95)
    rows = session.map_code.codes.rows()
    often = session.map_code.codes["seen"][rows] > 10
    assert often.sum() > 100
    assert np.median(session.errors_m()[often]) < 0.6 * before_m
    assert np.median(session.map_code.codes["sigmas_m"][rows][often]) < 0.5 * before_sigma_m


def test_a_lens_that_distorts_makes_no_difference():
    barrel = Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
    session = Session()
    for pose in POSES:
        session.add(pose, camera=barrel)
    assert len(session.map_code) > 150
    assert np.quantile(session.errors_m(), 0.95) < 0.02


def test_without_depth_where_a_keypoint_is_it_is_left_out():
    session = Session()
    depth_m = wall_depth(POSES[0])
    depth_m[:, 160:] = 0
    _, pixels = WALL.visible(POSES[0])
    inserted, _ = session.add(POSES[0], depth_m)
    left = (pixels[:, 0] < 160).sum()
    assert 0.9 * left < inserted < 1.1 * left


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_depth_that_knows_nothing_adds_nothing(nothing):
    session = Session()
    assert session.add(POSES[0], np.full((240, 320), nothing, np.float32)) == (0, 0)
    assert len(session.map_code) == 0


def test_what_is_beyond_the_range_is_left_out():
    assert Session(max_depth_m=3.0).add(POSES[0]) == (0, 0)


def test_features_that_look_different_are_modes_of_their_own():
    session = Session()
    session.add(POSES[0])
    session.scene = PointScene(WALL.points_m, noisy(np.random.default_rng(0), WALL.descriptors, 0.3))
    inserted, merged = session.add(POSES[0])
    assert inserted > 100
    assert merged < 10


def test_features_without_a_view_that_confirms_them_go():
    session = Session(max_misses=2)
    session.add(POSES[0])
    stale = session.map_code.codes.rows()
    session.scene = PointScene(WALL.points_m, -WALL.descriptors)
    for _ in range(3):
        session.add(POSES[0])
    kept = session.map_code.descriptors(session.map_code.codes.rows()) @ WALL.descriptors.T
    assert (kept.max(axis=1) < 0.9).mean() > 0.95
    assert len(stale) > 100


def test_a_code_in_the_row_of_one_that_went_starts_anew():
    session = Session(max_misses=2)
    session.add(POSES[0])
    random = np.random.default_rng(0)
    second, third = (PointScene(WALL.points_m, noisy(random, sign * WALL.descriptors, 0.5)) for sign in (-1, 1))
    for scene in (second, second, third, second):
        session.scene = scene
        session.add(POSES[0])
    similarity = session.map_code.descriptors(session.map_code.codes.rows()) @ third.descriptors.T
    assert (similarity.max(axis=1) > 0.9).sum() > 200


def test_what_looks_the_same_at_another_depth_is_another_code():
    session = Session()
    first, _ = session.add(POSES[0])
    inserted, merged = session.add(POSES[0], wall_depth(POSES[0]) - 0.5)
    assert merged < 0.02 * first
    assert inserted > 0.9 * first


def test_codes_of_a_changed_place_go_unless_one_of_the_next_five_views_of_such_sees_them_again():
    session = Session(max_misses=255, free_space_views=0)
    session.add(POSES[0], changed=True)
    learned = session.map_code.codes.rows()
    again = WALL.visible(POSES[0])[0][::2]
    session.scene = PointScene(WALL.points_m[again], WALL.descriptors[again])
    session.add(POSES[0], changed=True)
    session.scene = PointScene(WALL.points_m[:0], WALL.descriptors[:0])
    for _ in range(3):
        session.add(POSES[0], changed=True)
    session.add(POSES[0])  # a view of a place that has not changed does not count
    assert session.map_code.codes.live[learned].all()
    session.add(POSES[0], changed=True)
    codes = session.map_code.codes
    np.testing.assert_array_equal(codes.live[learned], codes["seen"][learned] > 1)
    assert 0.4 * len(learned) < codes.live[learned].sum() < 0.6 * len(learned)


def test_a_code_in_the_row_of_one_of_a_changed_place_that_went_stays():
    session = Session(max_misses=255, free_space_views=0)
    session.add(POSES[0], changed=True)
    learned = session.map_code.codes.rows()
    session.map_code.remove(learned)
    session.add(POSES[0])
    np.testing.assert_array_equal(session.map_code.codes.rows(), learned)
    session.scene = PointScene(WALL.points_m[:0], WALL.descriptors[:0])
    for _ in range(5):
        session.add(POSES[0], changed=True)
    np.testing.assert_array_equal(session.map_code.codes.rows(), learned)


def test_features_that_were_hidden_meanwhile_stay():
    session = Session(max_misses=2)
    session.add(POSES[0])
    before = session.errors_m()
    someone = PointScene(WALL.points_m[:0], WALL.descriptors[:0])
    session.scene = someone
    for _ in range(5):
        session.add(POSES[0], np.full((240, 320), 1.5, np.float32))
    session.scene = WALL
    assert len(session.errors_m()) == len(before)


def test_mapping_goes_on_in_a_map_that_came_from_elsewhere():
    first = Session()
    first.add(POSES[0])
    copy = MapCode.from_snapshot(first.map_code.delta_since(0), MapCodeConfig())
    second = Session(map_code=copy)
    second.scene = PointScene(WALL.points_m, noisy(np.random.default_rng(0), WALL.descriptors, 0.4))
    inserted, _ = second.add(POSES[0])
    assert inserted > 50
    second.scene = WALL
    _, merged = second.add(POSES[2])
    assert merged > 50


def test_a_view_without_features_changes_nothing():
    session = Session()
    session.add(POSES[0])
    before = len(session.map_code)
    session.scene = PointScene(WALL.points_m[:0], WALL.descriptors[:0])
    assert session.add(POSES[0]) == (0, 0)
    assert len(session.map_code) == before


def test_the_same_views_make_the_same_map():
    maps = []
    for _ in range(2):
        session = Session()
        for pose in POSES:
            session.add(pose, noise_px=0.5, similarity=0.95)
        maps.append(session.map_code)
    np.testing.assert_array_equal(maps[0].positions_m, maps[1].positions_m)
