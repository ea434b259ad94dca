"""A loop is believed once a second view, from elsewhere, says the same, and where the way since allows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, PoseConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.loops import (
    DEG_PER_M,
    DRIFT_SHARE,
    FLOOR_DEG,
    FLOOR_M,
    JOINING_SHARE,
    MIN_BASELINE_M,
    Loop,
    LoopFinder,
)
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.mapping.slam.reach import Reach
from cl_localization.places.map_places import place_descriptor
from core_makers import CAMERA, motion, unit_vectors

SCALE = 1.2
TO_OLD = se3.similarity(motion(np.array([0.0, 0.5, 0.0]), np.array([3.0, 0.0, 1.0])), SCALE)


def loop(x_m: float, way_m: float) -> Loop:
    """Return a loop by a camera at a place on the x axis, after a way."""
    world_T_cam = motion(np.array([0.0, 0.2, 0.0]), np.array([x_m, 0.0, 0.0]))
    seen = SeenPose(se3.moved(TO_OLD, world_T_cam), np.eye(6), np.arange(50), np.zeros(50, np.int64), 50, 1.0)
    return Loop(1, 0, world_T_cam, seen, way_m, SCALE)


def turned(one: Loop, angle_rad: float) -> Loop:
    """Return a loop with the camera seen turned."""
    pose = one.seen.world_T_cam @ motion(np.array([0.0, angle_rad, 0.0]), np.zeros(3))
    return replace(one, seen=replace(one.seen, world_T_cam=pose))


def test_views_from_two_places_that_say_the_same_agree() -> None:
    assert loop(0.0, 1.0).agrees(loop(0.5, 1.5)) and loop(0.5, 1.5).agrees(loop(0.0, 1.0))


def test_what_is_wrong_from_one_place_is_not_confirmed_from_there() -> None:
    assert not loop(0.0, 1.0).agrees(loop(0.0, 1.0 + 0.9 * MIN_BASELINE_M))


def test_views_that_say_different_things_do_not_agree() -> None:
    assert not turned(loop(0.0, 1.0), 0.1).agrees(loop(0.5, 1.5))
    assert not off_by(0.0).agrees(replace(off_by(1.2 * FLOOR_M), way_m=1.0))


SEEN_CODES = 50
WAY_M = 3.0
OPTIONS = SlamConfig(loop_every_m=0.1, loop_after_m=2.0)


class Told(LoopFinder):
    """A finder that sees what it is told, where that is: a camera in the newest scene of a map whose other keyframes
    were there before, or are of other scenes."""

    def __init__(self, scenes: list[str], features: int = SEEN_CODES) -> None:
        descriptors = unit_vectors(np.random.default_rng(0), features, 64)
        self.look = Look(Features(np.zeros((features, 2), np.float32), descriptors, np.ones(features, np.float32)),
                         CAMERA.pinhole(), np.zeros(features, np.float32))
        self.map_code, place = MapCode(MapCodeConfig(), "scene", 64), place_descriptor(descriptors)
        for stamp_ns, scene in enumerate(scenes):
            self.map_code.add_keyframe(np.eye(4), stamp_ns, self.map_code.scene_number(scene), descriptor=place)
        self.newest, self.scene = len(scenes) - 1, self.map_code.scene_number(scenes[-1])
        self.graph = KeyframeGraph(self.map_code)
        self.graph.add(self.newest, None, -1)
        super().__init__(self.map_code, self.graph, OPTIONS, PoseConfig(), Reach(self.map_code, 3.0), frozenset())

    def _loop_at(self, look: Look, keyframe: int, world_T_cam: np.ndarray, keyframes: np.ndarray,
                 min_inliers: int) -> Loop | None:
        return self.told if self.told.old in keyframes and self.told.seen.inliers >= min_inliers else None

    def after(self, way_m: float, told: Loop) -> list[Loop]:
        """Return what it finds when it is told of a loop, so much farther on the way."""
        self.graph.moved(np.eye(4), motion(np.zeros(3), np.array([way_m, 0.0, 0.0])))
        self.told = replace(told, keyframe=self.newest, way_m=self.graph.way_m)
        return self.find(self.look, self.newest, told.world_T_cam, self.scene)


def off_by(distance_m: float, angle_deg: float = 0.0, old: int = 0) -> Loop:
    """Return a loop that says that the camera is so far from where it is believed to be."""
    pose = motion(np.deg2rad([0.0, angle_deg, 0.0]), np.array([distance_m, 0.0, 0.0]))
    return Loop(1, old, np.eye(4), SeenPose(pose, np.eye(6), np.arange(SEEN_CODES), np.zeros(0, np.int64), SEEN_CODES,
                                            1.0), 0.0)


def test_a_loop_is_found_once_a_second_view_agrees() -> None:
    finder = Told(["old", "new"])
    assert finder.after(3.0, off_by(0.5)) == [] and len(finder.after(1.0, off_by(0.5))) == 2


def test_views_of_places_whose_distance_from_each_other_nothing_tells_do_not_confirm_each_other() -> None:
    finder = Told(["one", "another", "new"])
    assert finder.after(3.0, off_by(0.5, old=0)) == [] == finder.after(1.0, off_by(0.5, old=1))


def test_a_view_of_long_ago_confirms_nothing() -> None:
    finder = Told(["old", "new"])
    assert finder.after(3.0, off_by(0.5)) == [] == finder.after(OPTIONS.loop_after_m + 0.1, off_by(0.5))


def test_a_view_before_the_camera_was_lost_confirms_nothing() -> None:
    finder = Told(["old", "new"])
    finder.after(3.0, off_by(0.5))
    finder.forget()
    assert finder.after(1.0, off_by(0.5)) == []


@pytest.mark.parametrize(("off_m", "off_deg", "found"), [
    (FLOOR_M + 0.99 * DRIFT_SHARE * WAY_M, FLOOR_DEG + 0.99 * DEG_PER_M * WAY_M, 2),
    (FLOOR_M + 1.11 * DRIFT_SHARE * WAY_M, 0.0, 0),
    (0.0, FLOOR_DEG + 1.11 * DEG_PER_M * WAY_M, 0),
])
def test_what_was_mapped_before_the_drive_is_at_most_as_far_off_as_all_of_the_way_allows(
        off_m: float, off_deg: float, found: int) -> None:
    finder = Told(["known", "known"])
    finder.after(WAY_M, off_by(off_m, off_deg))
    assert len(finder.after(0.1 * WAY_M, off_by(off_m, off_deg))) == found


@pytest.mark.parametrize(("share", "found"), [(0.9, 0), (1.1, 2)])
def test_parts_of_a_map_are_joined_only_by_a_large_share_of_what_is_seen(share: float, found: int) -> None:
    finder = Told(["old", "new"], features=int(SEEN_CODES / JOINING_SHARE / share))
    finder.after(3.0, off_by(0.5))
    assert len(finder.after(1.0, off_by(0.5))) == found
