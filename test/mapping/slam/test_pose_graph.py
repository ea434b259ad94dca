"""Poses that agree best with what ties keyframes: a loop is shared out, a wrong one bends nothing."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry import se3
from cl_localization.mapping.slam.pose_graph import Tie, agreed_poses, agreed_similarities
from core_makers import motion

SIDE = 12
STEP = motion(np.array([0.0, 2 * np.pi / SIDE, 0.0]), np.array([0.5, 0.0, 0.0]))
DRIFTING = motion(np.array([0.0, 2 * np.pi / SIDE + 0.01, 0.0]), np.array([0.51, 0.0, 0.0]))


def chained(step: np.ndarray) -> np.ndarray:
    """Return the poses (SIDE, 4, 4) of a camera that makes the same step again and again, round a ring."""
    poses = [np.eye(4)]
    for _ in range(SIDE - 1):
        poses.append(poses[-1] @ step)
    return np.stack(poses)


TRUE, DRIFTED = chained(STEP), chained(DRIFTING)
NUMBERS = np.arange(100, 100 + SIDE)
STEPS = [Tie(100 + place, 101 + place, DRIFTING, 0.01, 0.01) for place in range(SIDE - 1)]
LOOP = Tie(100, 100 + SIDE - 1, se3.inverse(TRUE[0]) @ TRUE[-1], 0.002, 0.002, True)


def errors_m(poses: np.ndarray) -> np.ndarray:
    """Return the distances (SIDE,) from the true positions."""
    return np.linalg.norm(poses[:, :3, 3] - TRUE[:, :3, 3], axis=1)


def test_steps_alone_change_nothing() -> None:
    assert np.allclose(agreed_poses(NUMBERS, DRIFTED, STEPS, 100), DRIFTED, atol=1e-6)


def test_a_loop_is_shared_out_over_all_steps() -> None:
    poses = agreed_poses(NUMBERS, DRIFTED, [*STEPS, LOOP], 100)
    assert errors_m(poses).max() < 0.5 * errors_m(DRIFTED).max() and errors_m(poses)[-1] < 0.01
    assert np.allclose(poses[0], np.eye(4), atol=1e-6)


def test_a_loop_that_contradicts_others_bends_nothing() -> None:
    right = agreed_poses(NUMBERS, DRIFTED, [*STEPS, LOOP], 100)
    wrong = Tie(102, 100 + SIDE - 2, motion(np.zeros(3), np.array([5.0, 0.0, 0.0])), 0.002, 0.002, True)
    assert np.abs(agreed_poses(NUMBERS, right, [*STEPS, LOOP, wrong], 100) - right)[:, :3, 3].max() < 0.02


def test_keyframes_that_nothing_ties_stay() -> None:
    numbers, poses = np.r_[NUMBERS, 7], np.concatenate([DRIFTED, [motion(np.zeros(3), np.ones(3))]])
    found = agreed_poses(numbers, poses, [*STEPS, LOOP, Tie(100, 999, STEP, 0.01, 0.01)], 100)
    assert np.allclose(found[-1], poses[-1], atol=1e-5)


def test_of_keyframes_that_nothing_ties_to_the_fixed_one_the_first_stays_and_the_others_follow() -> None:
    numbers, poses = np.r_[NUMBERS, 7, 8], np.concatenate([DRIFTED, np.stack([STEP, STEP @ STEP])])
    longer = motion(np.zeros(3), np.array([1.0, 0.0, 0.0]))
    for found in (agreed_poses(numbers, poses, [*STEPS, Tie(7, 8, longer, 0.01, 0.01)], 100),
                  agreed_similarities(numbers, poses, [*STEPS, Tie(7, 8, longer, 0.01, 0.01)], 100)[0]):
        assert np.allclose(found[:-1], poses[:-1], atol=1e-5) and np.allclose(found[-1], STEP @ longer, atol=1e-5)


def test_positions_are_those_of_the_tie_that_knows_them_best_and_so_are_rotations() -> None:
    turned, moved = motion(np.array([0.0, 0.2, 0.0]), np.zeros(3)), motion(np.zeros(3), np.array([0.3, 0.0, 0.0]))
    ties = [Tie(0, 1, turned, 10.0, 1e-4), Tie(0, 1, moved, 1e-4, 10.0)]
    both, keyframes = np.stack([np.eye(4)] * 2), np.arange(2)
    for found in (agreed_poses(keyframes, both, ties, 0), agreed_similarities(keyframes, both, ties, 0)[0]):
        distance_m, angle_deg = se3.pose_error(found[1], motion(np.array([0.0, 0.2, 0.0]), np.array([0.3, 0.0, 0.0])))
        assert distance_m < 0.01 and angle_deg < 0.5


def test_a_unit_of_length_that_drifts_is_brought_back_by_a_loop() -> None:
    shrinking = [np.eye(4)]
    for place in range(SIDE - 1):
        step = STEP.copy()
        step[:3, 3] *= 0.995**place
        shrinking.append(shrinking[-1] @ step)
    before = np.stack(shrinking)
    steps = [Tie(100 + place, 101 + place, se3.inverse(before[place]) @ before[place + 1], 0.01, 0.01)
             for place in range(SIDE - 1)]
    loop = Tie(100, 100 + SIDE - 1, LOOP.first_T_second, 0.002, 0.002, is_loop=True, scale=1 / 0.995**(SIDE - 1))
    poses, growth = agreed_similarities(NUMBERS, before, [*steps, loop], 100)
    rigid = agreed_poses(NUMBERS, before, [*steps, loop], 100)
    assert errors_m(poses).max() < 0.7 * errors_m(rigid).max() and errors_m(poses)[-1] < 0.02
    assert growth[0] == 1.0 and np.all(np.diff(growth) > 0) and abs(growth[-1] * 0.995**(SIDE - 1) - 1) < 0.05
