"""Trajectories in TUM's format and poses between their stamps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.trajectory import (
    interpolated,
    read_pose_lines,
    read_trajectory,
    trajectory_of,
    write_trajectory,
)
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.se3 import from_quaternion, pose_error, rotation_angle_deg
from data.makers import make_pose

numbers = st.floats(-1e3, 1e3, allow_nan=False)
quaternions = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda quat: np.linalg.norm(quat) > 0.1)


@given(st.dictionaries(st.integers(0, 2 * 10**18), st.tuples(st.tuples(numbers, numbers, numbers), quaternions),
                       min_size=1, max_size=5))
def test_a_trajectory_survives_its_file(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("tum") / "poses.txt"
    poses = {stamp: from_quaternion(np.array(position), np.array(quat)) for stamp, (position, quat) in entries.items()}
    assert write_trajectory(path, poses.items()) == len(poses)
    read = read_trajectory(path)
    assert read.stamps_ns.tolist() == sorted(poses)
    assert read.poses == pytest.approx(np.array([poses[stamp] for stamp in sorted(poses)]), abs=1e-12)


@given(st.integers(0, 50), st.integers(51, 99), st.floats(0, 1))
def test_an_interpolated_pose_lies_on_the_way(first, second, share):
    start, end = make_pose(first), make_pose(second)
    middle = interpolated(start, end, share)
    assert middle[:3, 3] == pytest.approx((1 - share) * start[:3, 3] + share * end[:3, 3])
    whole_deg = rotation_angle_deg(start[:3, :3].T @ end[:3, :3])
    assert rotation_angle_deg(start[:3, :3].T @ middle[:3, :3]) == pytest.approx(share * whole_deg, abs=1e-4)


def test_a_pose_at_its_own_stamp_is_exact_and_between_stamps_interpolated():
    trajectory = trajectory_of([(200, make_pose(2)), (100, make_pose(1)), (100, make_pose(9))])
    assert np.array_equal(trajectory.at(100, 100), make_pose(1))
    assert pose_error(trajectory.at(150, 100),
                      interpolated(make_pose(1), make_pose(2), 0.5)) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize(("stamp_ns", "hold_ns", "expected"),
                         [(95, 5, 1), (94, 5, None), (205, 5, 2), (206, 5, None), (110, 10, 1), (150, 10, None)])
def test_beyond_the_ends_and_in_gaps_only_a_near_pose_is_taken(stamp_ns, hold_ns, expected):
    trajectory = trajectory_of([(100, make_pose(1)), (200, make_pose(2))])
    pose = trajectory.at(stamp_ns, 99, hold_ns)
    assert (pose is None) == (expected is None)
    if expected is not None:
        assert np.array_equal(pose, make_pose(expected))


def test_an_empty_trajectory_has_no_pose():
    assert trajectory_of([]).at(0, 10**9, 10**9) is None


def test_a_line_with_nan_has_no_pose(tmp_path):
    (tmp_path / "poses.txt").write_text("1.0 0 0 0 0 0 0 1\n2.0 nan 0 0 0 0 0 1\n")
    assert np.isnan(read_pose_lines(tmp_path / "poses.txt")[1]).any(axis=(1, 2)).tolist() == [False, True]
    assert read_trajectory(tmp_path / "poses.txt").stamps_ns.tolist() == [10**9]


@pytest.mark.parametrize(("line", "error", "message"), [
    ("1.0 0 0 0", DataError, "pose 1 of .*poses.txt must be: stamp x y z qx qy qz qw, found 4 words"),
    ("1.0 a 0 0 0 0 0 1", DataError, "pose 1 of .* must hold numbers, found 'a'"),
    ("x 0 0 0 0 0 0 1", DataError, "each line of .*poses.txt must begin with a stamp in seconds, found 'x'"),
    ("1.0 0 0 0 0 0 0 0", GeometryError, "quaternion 1 of file .*poses.txt must not be zero")])
def test_a_malformed_line_is_named(tmp_path, line, error, message):
    (tmp_path / "poses.txt").write_text(line + "\n")
    with pytest.raises(error, match=message):
        read_trajectory(tmp_path / "poses.txt")


def test_a_trajectory_begins_with_its_header(tmp_path):
    write_trajectory(tmp_path / "poses.txt", [], header="map_T_camera")
    assert (tmp_path / "poses.txt").read_text().startswith("# map_T_camera\n# stamp_s")
