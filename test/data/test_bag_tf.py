"""The tf tree of a bag."""

import numpy as np
import pytest

from cl_localization.data.bag_tf import TfTree
from cl_localization.data.trajectory import interpolated
from cl_localization.geometry.se3 import inverse
from data.makers import make_pose


@pytest.fixture
def tree():
    """map -> odom (moves) -> base (moves) -> camera (fixed), and odom -> lidar (fixed)."""
    tree = TfTree(max_gap_ns=100, max_hold_ns=10)
    for stamp_ns in (100, 200):
        tree.add("map", "odom", stamp_ns, make_pose(stamp_ns), static=False)
        tree.add("odom", "base", stamp_ns, make_pose(stamp_ns + 1), static=False)
    tree.add("base", "camera", 0, make_pose(5), static=True)
    tree.add("odom", "lidar", 0, make_pose(6), static=True)
    return tree


def test_transforms_are_chained_at_a_stamp(tree):
    assert tree.lookup("map", "camera", 200) == pytest.approx(make_pose(200) @ make_pose(201) @ make_pose(5))


def test_transforms_are_interpolated_between_stamps(tree):
    middle = interpolated(make_pose(100), make_pose(200), 0.5) @ interpolated(make_pose(101), make_pose(201),
                                                                              0.5) @ make_pose(5)
    assert tree.lookup("map", "camera", 150) == pytest.approx(middle)


def test_the_way_leads_up_and_down_and_back(tree):
    lidar_T_camera = inverse(make_pose(6)) @ make_pose(101) @ make_pose(5)
    assert tree.lookup("lidar", "camera", 100) == pytest.approx(lidar_T_camera)
    assert tree.lookup("camera", "lidar", 100) == pytest.approx(inverse(lidar_T_camera))
    assert np.array_equal(tree.lookup("base", "base", 7), np.eye(4))


def test_static_transforms_hold_at_any_time(tree):
    assert tree.lookup("base", "camera", 10**18) == pytest.approx(make_pose(5))


@pytest.mark.parametrize(("stamp_ns", "known"), [(95, True), (89, False), (205, True), (211, False)])
def test_nothing_is_extrapolated_beyond_a_moment(tree, stamp_ns, known):
    assert (tree.lookup("map", "camera", stamp_ns) is not None) == known


def test_frames_that_are_not_connected_have_no_transform(tree):
    tree.add("moon", "rover", 0, np.eye(4), static=True)
    assert tree.lookup("map", "rover", 100) is None
    assert tree.lookup("map", "nowhere", 100) is None
    assert "moon" in tree and "nowhere" not in tree


def test_a_frame_that_moves_to_another_parent_loses_its_past(tree):
    tree.add("map", "base", 150, make_pose(8), static=False)
    assert tree.lookup("map", "camera", 150) == pytest.approx(make_pose(8) @ make_pose(5))
    assert tree.lookup("odom", "base", 100) is None


def test_a_loop_of_parents_ends():
    tree = TfTree(100, 10)
    tree.add("a", "b", 0, np.eye(4), static=True)
    tree.add("b", "a", 0, np.eye(4), static=True)
    assert tree.lookup("a", "c", 0) is None
    assert not tree.connects("a", "c")
