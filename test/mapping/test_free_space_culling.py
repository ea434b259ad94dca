"""Codes of things that are gone fade, those that are hidden or seen again do not."""

from __future__ import annotations

import numpy as np

from cl_localization.config import DepthConfig, MapCodeConfig
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.depth_mapper import DepthMapper
from cl_localization.mapping.free_space_culling import FreeSpaceCulling
from core_makers import CAMERA, WALL_M, PointScene, look_at, unit_vectors, wall_depth

SCENE = PointScene.wall(200)
NONE = np.zeros(0, np.int64)


def wall_map() -> MapCode:
    """A map of the wall."""
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    map_code.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), np.full(200, 0.01, np.float32)),
                    keyframe)
    return map_code


def view_from(x_m: float) -> View:
    pose = look_at((x_m, 0.0, 0.0), (0.0, 0.0, WALL_M))
    return View.of(0, pose, CAMERA, SCENE.features(pose))


def depth_behind(pose: np.ndarray, behind_m: float = 1.0) -> np.ndarray:
    """Depth of a wall behind the one that was mapped."""
    moved = pose.copy()
    moved[2, 3] -= behind_m
    return wall_depth(moved)


def test_codes_fade_after_some_views_saw_through_them() -> None:
    map_code, view = wall_map(), view_from(0.0)
    space = FreeSpaceCulling(map_code, 2)
    assert len(space.observe(view, depth_behind(view.world_T_cam), NONE)) == 0
    gone = space.observe(view, depth_behind(view.world_T_cam), NONE)
    assert len(gone) > 50 and not map_code.codes.live[gone].any()


def test_codes_that_are_seen_again_hidden_or_forgotten_do_not_fade() -> None:
    map_code, view = wall_map(), view_from(0.0)
    space = FreeSpaceCulling(map_code, 1)
    for depth_m in (wall_depth(view.world_T_cam), 0.5 * wall_depth(view.world_T_cam), np.zeros((240, 320), np.float32)):
        assert len(space.observe(view, depth_m, NONE)) == 0
    assert len(space.observe(view, depth_behind(view.world_T_cam), map_code.codes.rows())) == 0
    slow = FreeSpaceCulling(map_code, 2)
    for _ in range(3):
        assert len(slow.observe(view, depth_behind(view.world_T_cam), NONE)) == 0
        slow.forget(map_code.codes.rows())


def test_depth_must_lie_behind_a_code_by_a_share_of_it_and_by_what_the_code_is_uncertain_by() -> None:
    view = view_from(0.0)
    for sigma_m, kept_m, gone_m in ((0.01, 0.32, 0.36), (0.05, 0.48, 0.52)):  # 10 cm + 5 % of 4 m + 4 sigmas
        for behind_m, fades in ((kept_m, False), (gone_m, True)):
            map_code = wall_map()
            map_code.move(map_code.codes.rows(), map_code.positions_m, np.full(200, sigma_m, np.float32))
            gone = FreeSpaceCulling(map_code, 1).observe(view, depth_behind(view.world_T_cam, behind_m), NONE)
            assert (len(gone) > 50) is fades, (sigma_m, behind_m)


def test_a_code_at_the_edge_of_something_as_near_is_not_seen_through() -> None:
    map_code, view = wall_map(), view_from(0.0)
    depth_m = depth_behind(view.world_T_cam)
    depth_m[::7] = wall_depth(view.world_T_cam)[::7]  # from any code such a row is at most three pixels away
    assert len(FreeSpaceCulling(map_code, 1).observe(view, depth_m, NONE)) == 0


def faded(free_space_views: int) -> tuple[int, int]:
    """How many of 30 codes that float before the wall, and of the wall's, are left when four views with depth saw
    through them."""
    map_code, random = wall_map(), np.random.default_rng(2)
    floating = np.column_stack([random.uniform(-0.5, 0.5, (30, 2)), np.full(30, 2.0)])
    rows = map_code.insert(NewCodes(unit_vectors(random, 30, 64), floating.astype(np.float32),
                                    np.full(30, 0.01, np.float32)), 0)
    map_code.codes["seen"][rows] = 9  # else those that one view saw go by another rule
    mapper = DepthMapper(map_code, DepthConfig(free_space_views=free_space_views))
    for x_m in (-0.2, -0.1, 0.0, 0.1):
        view = view_from(x_m)
        mapper.add(view, view.features.keypoints_px, wall_depth(view.world_T_cam))
    left = int(map_code.codes.live[rows].sum())
    return left, len(map_code) - left


def test_mapping_with_depth_gives_up_what_it_sees_through_and_keeps_the_rest() -> None:
    left, wall = faded(free_space_views=3)
    assert left < 10 and wall >= 200
    assert faded(free_space_views=0)[0] == 30
