"""What is known of keyframes: the way since each of them, and the ties between them."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import SeenPose
from cl_localization.mapping.slam.keyframe_graph import TURN_M_PER_DEG, KeyframeGraph
from core_makers import motion

QUARTER = np.pi / 2


def test_when_the_unit_of_length_becomes_the_metre_the_way_since_a_keyframe_does_so_too_but_not_its_turns() -> None:
    map_code = MapCode(MapCodeConfig(), "xfeat", 64)
    first, other = (map_code.add_keyframe(np.eye(4), stamp_ns, map_code.scene_number(name))
                    for stamp_ns, name in ((1, "default"), (2, "default 2")))
    graph, both = KeyframeGraph(map_code), np.array([first, other])
    graph.add(first, None, -1)
    graph.add(other, None, -1)
    there = motion(np.array([0.0, QUARTER, 0.0]), np.array([2.0, 0.0, 0.0]))
    graph.moved(np.eye(4), there)
    turned_m = 90 * TURN_M_PER_DEG
    assert graph.way_since(both) == pytest.approx([2 + turned_m] * 2)
    graph.rescale({first: 0.5})
    assert graph.way_since(both) == pytest.approx([1 + turned_m, 2 + turned_m])
    graph.moved(there, motion(np.array([0.0, QUARTER, 0.0]), np.array([2.0, 0.0, 0.3])))
    assert graph.way_since(both) == pytest.approx([1.3 + turned_m, 2.3 + turned_m])


def test_what_was_there_before_was_seen_infinitely_long_ago() -> None:
    map_code = MapCode(MapCodeConfig(), "xfeat", 64)
    keyframe = map_code.add_keyframe(np.eye(4), 1, map_code.scene_number("default"))
    assert KeyframeGraph(map_code).way_since(np.array([keyframe])).tolist() == [np.inf]


def mapped(poses: list[np.ndarray], scene: str, map_code: MapCode, graph: KeyframeGraph) -> list[int]:
    """Add keyframes at poses to a scene, each tied to the one before; return their numbers."""
    numbers = [-1]
    for pose in poses:
        number = map_code.add_keyframe(pose, len(map_code.keyframes) + 1, map_code.scene_number(scene))
        graph.add(number, None, numbers[-1])
        numbers.append(number)
    return numbers[1:]


def along_x(*positions_m: float) -> list[np.ndarray]:
    """Return poses on the x axis, turned a little."""
    return [motion(np.array([0.0, 0.3, 0.0]), np.array([x_m, 0.0, 0.0])) for x_m in positions_m]


def test_a_keyframe_with_the_number_of_one_that_had_to_go_is_not_tied_as_that_was() -> None:
    map_code = MapCode(MapCodeConfig(), "xfeat", 64)
    graph = KeyframeGraph(map_code)
    _, gone, last = mapped(along_x(0.0, 1.0, 2.0), "default", map_code, graph)
    map_code.keyframes.remove(np.array([gone]), map_code.version + 1)
    assert map_code.add_keyframe(along_x(7.0)[0], 9, 0) == gone
    graph.add(gone, None, last)
    assert graph.bend(0) < 1e-6


@pytest.mark.parametrize("has_scale", [False, True])
def test_once_two_parts_have_one_unit_of_length_their_ties_agree(has_scale: bool) -> None:
    map_code, unit = MapCode(MapCodeConfig(), "xfeat", 64), 0.5
    graph = KeyframeGraph(map_code)
    mapped(along_x(0.0, 1.0, 2.0), "old", map_code, graph)
    new = mapped(along_x(10.0, 12.0, 14.0), "new", map_code, graph)
    to_old = se3.similarity(motion(np.array([0.0, 1.0, 0.0]), np.array([3.0, 1.0, 0.0])), unit)
    believed = map_code.pose_of(np.array(new))
    seen = SeenPose(se3.moved(to_old, believed[2]), np.eye(6) * 1e-6, np.arange(9), np.zeros(0, np.int64), 9, 1.0)
    graph.add_loop(new[2], 2, seen, believed[2], unit)
    map_code.move_keyframes(np.array(new), se3.moved(to_old, believed), np.full(3, unit))
    graph.rescale(dict.fromkeys(new, unit))
    map_code.join_scene(1, 0)
    assert graph.bend(0, has_scale) < 1e-4
