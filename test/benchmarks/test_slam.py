"""The table of own poses: errors are those after alignment, laps follow each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.orb_slam3 import BRANCHES, LEVELS, vocabulary_text
from benchmarks.slam import COVERED, STRETCH, Carried, SecondLap, odometry_alone, own_poses, standing_still
from benchmarks.slam_afterwards import mean_motion
from benchmarks.slam_figure import draw_trajectories
from benchmarks.slam_run import HEADERS, all_of, scored
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence

PART = "sim:3?rooms=1&frames=120&size=200x150&drift={}[:16]"
SLOWLY = "sim:3?rooms=1&frames=480&size=200x150[:24]"


def test_own_poses_of_a_short_way_are_near_the_truth() -> None:
    run, slam = own_poses("part", open_sequence(PART.format(0)), MapperConfig(), LocalizerConfig(regressor="nearest"))
    assert (run.frames, run.posed, len(run.row())) == (16, 16, len(HEADERS))
    assert run.rmse_cm < 3 and run.path_m > 0.3 and run.codes == len(slam.mapper.map_code) > 1000


def test_without_depth_the_errors_of_a_camera_alone_are_those_up_to_scale() -> None:
    sequence = open_sequence(SLOWLY)
    run, slam = own_poses("part", sequence, MapperConfig(), LocalizerConfig(regressor="nearest"), with_depth=False)
    assert slam.mapper.without_scale == {"default"} and run.posed == 24
    still = standing_still("part", sequence)
    assert run.rmse_cm < 0.3 * still.rmse_cm and still.frames == 24


def test_odometry_that_does_not_drift_has_no_error_and_more_drift_has_more() -> None:
    errors = [odometry_alone(f"sim:3?rooms=1&frames=60&drift={drift}").rmse_cm for drift in (0, 1, 4)]
    assert errors[0] == pytest.approx(0, abs=1e-6) and errors[0] < errors[1] < errors[2]


def test_the_second_lap_follows_the_first_in_time_and_odometry() -> None:
    sequence = open_sequence("sim:3?rooms=1&frames=20&size=64x48&drift=2")
    first, second = list(sequence), list(SecondLap(sequence))
    assert second[0].stamp_ns > first[-1].stamp_ns and len(second) == len(first)
    true = np.linalg.inv(first[-1].world_T_cam) @ second[0].world_T_cam
    assert np.allclose(np.linalg.inv(first[-1].odom_T_cam) @ second[0].odom_T_cam, true)


def test_a_camera_that_is_carried_sees_nothing_on_the_way() -> None:
    carried = Carried(open_sequence("sim:3?rooms=1&frames=50&size=64x48"), 0)
    frames = list(carried)
    assert len(frames) == len(carried) and all(np.diff([frame.stamp_ns for frame in frames]) > 0)
    seen = [frame.image.any() for frame in frames[:STRETCH + COVERED + 1]]
    assert seen == [*[True] * STRETCH, *[False] * COVERED, True]


def test_a_way_that_is_only_turned_and_moved_has_no_error_and_is_drawn_where_the_true_one_is(tmp_path: Path) -> None:
    true = {number: np.array([np.cos(number), np.sin(number), 0.1 * number]) for number in range(12)}
    turned = [(number, np.array([-position[1], position[0], position[2] + 3])) for number, position in true.items()]
    run = scored("ring", true, turned[2:])
    assert (run.frames, run.posed) == (12, 10) and run.rmse_cm == pytest.approx(0, abs=1e-9)
    assert np.allclose(run.found_m, run.true_m) and "found_m" not in run.to_json()
    draw_trajectories([run, scored("ring: another program", true, []), scored("lost", true, turned[:2])],
                      tmp_path / "slam.png")
    assert (tmp_path / "slam.png").read_bytes().startswith(b"\x89PNG")


def test_one_row_of_several_has_the_errors_of_all_their_frames() -> None:
    true = {number: np.array([number, 0.0, 0.0]) for number in range(4)}
    right = scored("right", true, list(true.items()), loops=1, codes=5)
    off = scored("off", true, [(number, np.array([2.0 * number, 0, 0])) for number in true], loops=2, codes=7)
    both = all_of("both", [right, off])
    assert (both.frames, both.posed, both.loops, both.codes) == (8, 8, 3, 12)
    assert both.rmse_cm == pytest.approx(off.rmse_cm / np.sqrt(2)) and both.largest_cm == pytest.approx(off.largest_cm)


def test_the_mean_of_motions_lies_between_them() -> None:
    half = mean_motion(np.array([np.eye(4), turned_by(0.2)]))
    assert np.allclose(half[:3, :3], turned_by(0.1)[:3, :3]) and np.allclose(half[:3, 3], [0.5, 0, 0])


def turned_by(angle_rad: float) -> np.ndarray:
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]]
    motion[0, 3] = 5 * angle_rad
    return motion


def test_a_vocabulary_is_a_tree_whose_words_weigh_more_the_fewer_images_have_them() -> None:
    rng = np.random.default_rng(0)
    common = np.zeros((30, 32), np.uint8)
    images = [np.concatenate([common, rng.integers(0, 256, (40, 32), np.uint8)]) for _ in range(4)]
    first, *nodes = vocabulary_text(images, rng).split("\n")
    assert first.split() == [str(BRANCHES), str(LEVELS), "0", "0"]
    values = np.array([[float(value) for value in node.split()] for node in nodes])
    assert values.shape[1] == 35 and (values[:, 0] <= np.arange(len(nodes))).all()
    words = values[values[:, 1] == 1]
    is_common = (words[:, 2:34] == 0).all(axis=1)
    assert is_common.any() and np.allclose(words[is_common, 34], 0) and (words[~is_common, 34] > 0).any()
