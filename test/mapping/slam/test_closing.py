"""Loops: a place mapped again beside itself is found, needs a second view, and becomes one; a wrong one changes
nothing."""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.closing import Closure, LoopClosing
from cl_localization.mapping.slam.depth_pose import look_at_frame
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.options import SlamConfig
from core_makers import motion
from slam_makers import CONFIG, RoomEncoder, box_depth, joined_scene, room_points, turning

ROOM = room_points(1)
OPTIONS = SlamConfig(loop_every_m=0.1, loop_after_m=2.0)


class Drifted:
    """A map by a camera whose poses drift a little more with every frame, and are tied only to the ones before."""

    def __init__(self, drift: np.ndarray, scene=ROOM, config: SlamConfig = OPTIONS) -> None:
        self.encoder = RoomEncoder(scene)
        self.mapper = Mapper(CONFIG, self.encoder)
        self.map_code, self.drift = self.mapper.map_code, drift
        self.graph = KeyframeGraph(self.map_code)
        self.without_scale: set[str] = set()
        self.closing = LoopClosing(self.map_code, self.graph, config, PoseConfig(), self.without_scale)
        self.before, self.keyframe, self.true, self.off, self.unit = None, -1, {}, np.eye(4), 1.0

    def begin_part(self, unit: float) -> None:
        """Have what comes belong to another scene, with distances `unit` times as long and nothing to tell it."""
        self.mapper.use_scene("another")
        self.without_scale.add("another")
        self.before, self.keyframe, self.unit = None, -1, unit

    def add(self, poses: list[np.ndarray]) -> list[Closure | None]:
        """Learn frames at poses, and return what each of them closed."""
        found = []
        for pose in poses:
            self.off = self.off @ self.drift
            believed = self.off @ se3.moved(se3.similarity(np.eye(4), self.unit), pose)
            frame = self.encoder.frame(believed, self.unit * box_depth(pose))
            self.encoder.poses[-1] = pose
            look = look_at_frame(frame, self.encoder.encode(frame.image), 6.0)
            look = look if self.unit == 1.0 else look.without_depth()
            result = self.mapper.add(frame)
            self.graph.moved(self.before, believed)
            self.before = believed
            if result.is_keyframe:
                self.graph.add(result.keyframe_id, None, self.keyframe)
                self.keyframe, self.true[result.keyframe_id] = result.keyframe_id, pose
                found.append(self.closing.close(look, self.keyframe, believed))
        return found

    def number_newest_anew(self) -> None:
        """Remove the newest keyframe with its codes, as for the budget, and let another take its number."""
        codes, keyframes = self.map_code.codes, self.map_code.keyframes
        stamp_ns, pose = int(keyframes["keyframe_stamps_ns"][self.keyframe]), self.map_code.pose_of(self.keyframe)
        self.map_code.remove(np.flatnonzero(codes.live & (codes["anchors"] == self.keyframe)))
        keyframes.remove(np.array([self.keyframe]), self.map_code.version + 1)
        assert self.map_code.add_keyframe(pose, stamp_ns + 1, 0) == self.keyframe
        self.graph.add(self.keyframe, None, -1)

    def largest_error_m(self) -> float:
        """Return how far the keyframe most off is from the truth."""
        map_code = self.mapper.map_code
        return max(se3.pose_error(map_code.pose_of(keyframe), pose)[0] for keyframe, pose in self.true.items())


DRIFT = motion(np.array([0.0, 0.0002, 0.0]), np.array([0.002, 0.0, 0.002]))


def test_a_loop_is_closed_by_two_views_and_mends_the_map() -> None:
    lap = Drifted(DRIFT)
    assert set(lap.add(turning(28, turn_deg=270.0))) == {None}
    assert 0.07 < lap.largest_error_m() < 0.2
    codes = len(lap.map_code)
    closures = lap.add(turning(12, 280.0, 110.0))
    first = next(number for number, closure in enumerate(closures) if closure is not None)
    assert first > 0 and not closures[first].joined
    assert closures[first].merged > 20 and len(lap.map_code) < 1.4 * codes
    assert 0.05 < np.linalg.norm(closures[first].correction[:3, 3]) < 0.2


def test_a_closed_loop_leaves_the_keyframes_nearer_to_the_truth() -> None:
    closed, open_ = Drifted(DRIFT), Drifted(DRIFT, config=SlamConfig(loop_after_m=1000.0))
    for lap in (closed, open_):
        lap.add(turning(38, turn_deg=370.0))
    assert closed.largest_error_m() < 0.7 * open_.largest_error_m()


def test_a_view_by_a_keyframe_whose_number_is_another_ones_by_now_confirms_no_loop() -> None:
    lap = Drifted(DRIFT)
    lap.add(turning(28, turn_deg=270.0))
    for pose in turning(12, 280.0, 110.0):
        assert not any(lap.add([pose]))
        lap.number_newest_anew()


def test_twin_rooms_are_not_taken_for_a_loop() -> None:
    twins = joined_scene(ROOM, room_points(5, room=1, looks_like=1))
    tour = Drifted(np.eye(4), twins)
    tour.add(turning(20, turn_deg=300.0))
    before = tour.map_code.keyframe_world_T_cam.copy()
    assert set(tour.add(turning(20, turn_deg=300.0, room=1))) == {None}
    assert np.array_equal(tour.map_code.keyframe_world_T_cam[:len(before)], before)
    assert tour.largest_error_m() < 1e-9


def test_a_heading_that_no_way_so_short_can_have_turned_closes_no_loop() -> None:
    tour = Drifted(motion(np.deg2rad([0.0, 0.7, 0.0]), np.zeros(3)))
    assert set(tour.add(turning(38, turn_deg=370.0))) == {None}


def test_when_a_part_becomes_metric_what_ties_its_keyframes_does_so_too() -> None:
    lap = Drifted(np.eye(4))
    lap.add(turning(10, turn_deg=60.0))
    lap.closing.grow(0, se3.similarity(np.eye(4), 2.0))
    assert lap.graph.bend(0) < 1e-6


def test_parts_of_other_units_of_length_lie_where_they_are_once_they_are_one() -> None:
    tour = Drifted(np.eye(4))
    tour.add(turning(14, turn_deg=120.0))
    tour.begin_part(2.0)
    joined = any(closure is not None and closure.joined
                 for pose in turning(24, 180.0, 230.0) for closure in tour.add([pose]))
    assert joined and tour.largest_error_m() < 0.02
