"""Which keyframes a corrected path concerns, and where it puts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.map.pose_correction import MAX_GAP_NS, corrected_keyframes
from core_makers import motion, motions

SECOND = 10**9
SHIFT = motion(np.array([0.0, 0.0, 0.3]), np.array([1.0, -2.0, 0.5]))


def way(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Stamps a second apart and poses a metre apart."""
    poses = np.array([motion(np.array([0, 0.2 * index, 0]), np.array([index, 0, 0])) for index in range(count)])
    return np.arange(count) * SECOND, poses


def test_a_keyframe_gets_the_pose_that_has_its_stamp():
    stamps, poses = way(6)
    index, moved = corrected_keyframes(stamps, poses, stamps[[5, 2]], SHIFT @ poses[[5, 2]])
    assert {2, 5} <= set(index.tolist())
    for keyframe, pose in zip(index, moved):
        np.testing.assert_allclose(pose, SHIFT @ poses[keyframe], atol=1e-9)


@pytest.mark.parametrize(("late_ns", "matches"), [(1_000_000, True), (-1_000_000, True), (1_000_001, False)])
def test_stamps_may_differ_as_floating_point_seconds_do(late_ns, matches):
    stamps, poses = way(3)
    index, _ = corrected_keyframes(stamps, poses, stamps[1:2] + late_ns, SHIFT @ poses[1:2])
    assert index.tolist() == ([1] if matches else [])


def test_keyframes_between_two_corrected_ones_follow_in_proportion_to_time():
    stamps, poses = way(5)
    ends = np.array([poses[0], motion(np.zeros(3), np.array([0, 4.0, 0])) @ poses[4]])
    index, moved = corrected_keyframes(stamps, poses, stamps[[0, 4]], ends)
    assert index.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(moved[:, :3, 3] - poses[1:, :3, 3], [[0, y, 0] for y in (1, 2, 3, 4)], atol=1e-9)
    np.testing.assert_allclose(moved[:, :3, :3], poses[1:, :3, :3], atol=1e-9)


def test_keyframes_of_another_drive_are_left_where_they_are():
    stamps, poses = way(3)
    stamps = stamps * (MAX_GAP_NS // SECOND)
    index, _ = corrected_keyframes(stamps, poses, stamps[[0, 2]], SHIFT @ poses[[0, 2]])
    assert sorted(index.tolist()) == [0, 2]


def test_of_two_poses_for_one_stamp_the_later_counts():
    stamps, poses = way(2)
    _, moved = corrected_keyframes(stamps, poses, stamps[[1, 1]], np.array([poses[0], SHIFT @ poses[1]]))
    np.testing.assert_allclose(moved, (SHIFT @ poses[1])[None], atol=1e-9)


@given(st.integers(2, 6), st.lists(st.integers(0, 5), min_size=1, max_size=4), motions(5.0),
       st.randoms(use_true_random=False))
def test_the_same_poses_once_more_move_nothing(count, chosen, correction, random):
    stamps, poses = way(count)
    chosen = np.array([index % count for index in chosen])
    order = np.array(random.sample(range(count), count))
    path = stamps[chosen], correction @ poses[chosen]
    index, moved = corrected_keyframes(stamps[order], poses[order], *path)
    now = poses[order].copy()
    now[index] = moved
    assert len(corrected_keyframes(stamps[order], now, *path)[0]) == 0


@pytest.mark.parametrize(("keyframes", "path"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_given_moves_nothing(keyframes, path):
    index, moved = corrected_keyframes(*way(keyframes), *way(path)) if keyframes and path else corrected_keyframes(
        np.zeros(keyframes, np.int64), np.zeros((keyframes, 4, 4)), np.zeros(path, np.int64), np.zeros((path, 4, 4)))
    assert len(index) == len(moved) == 0
