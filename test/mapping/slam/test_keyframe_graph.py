"""What is known of keyframes: the way since each of them."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_code import MapCode
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
