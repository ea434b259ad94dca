"""Mapping with own poses without depth: when a map is begun, what is known of its scale, and what bad
input does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.evaluation.trajectory_error import rmse
from core_makers import look_at
from slam_makers import Drive, box_depth, joined_scene, room_points, spinning, turning

ROOM = room_points(1)
BOTH = joined_scene(ROOM, room_points(2, room=1))


def sideways(count: int, ahead_m: tuple[float, float, float]) -> list[np.ndarray]:
    """Return poses of a camera that moves along a wall by 2 cm at a time, looking in a direction."""
    eyes_m = np.column_stack([0.02 * np.arange(count), np.zeros(count), np.zeros(count)])
    return [look_at(tuple(eye_m), tuple(eye_m + ahead_m)) for eye_m in eyes_m]


@pytest.fixture(scope="module")
def round_trip() -> Drive:
    """A camera without anything else that went all the way round a room."""
    drive = Drive(ROOM, has_depth=False)
    drive.go(turning(60))
    return drive


def test_a_camera_alone_finds_its_poses_up_to_scale(round_trip: Drive) -> None:
    assert round_trip.statuses[0] == "starting" and "began" in round_trip.statuses
    assert set(round_trip.statuses) <= {"starting", "began", "tracking", "loop closed"}
    assert round_trip.aligned_errors_m(with_scale=True).max() < 0.03
    assert round_trip.slam.mapper.without_scale == {"default"}


def test_frames_before_the_start_get_their_poses_when_there_is_a_map() -> None:
    drive = Drive(ROOM, has_depth=False)
    statuses = drive.go(sideways(20, ahead_m=(1.0, 0.0, 1.0)))
    assert statuses[:3] == ["starting"] * 3 and statuses[-1] == "tracking"
    assert [stamp_ns for stamp_ns, _ in drive.slam.trajectory.poses()] == sorted(drive.true)
    assert drive.aligned_errors_m(with_scale=True).max() < 0.03


def test_a_map_is_begun_by_who_keeps_only_the_newest_pose() -> None:
    drive = Drive(ROOM, has_depth=False, trajectory_length=1)
    assert "began" in drive.go(sideways(12, ahead_m=(1.0, 0.0, 1.0))) and len(drive.slam.trajectory) == 1


def test_the_health_of_a_map_says_that_its_scale_is_unknown(round_trip: Drive) -> None:
    health = round_trip.slam.mapper.examine()
    assert health.scenes_without_scale == ("default",) and "not in metres" in health.warnings[0]


def test_odometry_tells_the_scale() -> None:
    drive = Drive(ROOM, has_depth=False, has_odometry=True)
    drive.go(turning(40, turn_deg=240.0))
    assert drive.aligned_errors_m(with_scale=False).max() < 0.03
    assert not drive.slam.mapper.without_scale and not drive.slam.mapper.examine().scenes_without_scale


def test_odometry_that_comes_a_little_later_still_tells_the_scale() -> None:
    drive = Drive(ROOM, has_depth=False)
    drive.go(sideways(3, ahead_m=(1.0, 0.0, 1.0)))
    drive.has_odometry = True
    assert "began" in drive.go(sideways(20, ahead_m=(1.0, 0.0, 1.0))[3:])
    assert not drive.slam.mapper.without_scale


@pytest.mark.parametrize("has_odometry", [False, True])
def test_before_a_wall_only_odometry_tells_how_to_begin(has_odometry: bool) -> None:
    drive = Drive(ROOM, has_depth=False, has_odometry=has_odometry)
    statuses = drive.go(sideways(20, ahead_m=(0.0, 0.0, 1.0)))
    assert ("began" in statuses) == has_odometry and not drive.slam.mapper.without_scale


def test_a_turn_on_the_spot_begins_no_map() -> None:
    drive = Drive(ROOM, has_depth=False)
    assert set(drive.go(spinning(30))) == {"starting"}
    assert len(drive.slam.mapper.map_code) == 0 and len(drive.slam.trajectory) == 0
    assert "began" in drive.go(turning(20, turn_deg=120.0))


def test_no_map_is_begun_with_an_image_from_before_the_place_was_recognised() -> None:
    drive, along = Drive(ROOM, has_depth=False, begin_after_frames=1), sideways(9, ahead_m=(1.0, 0.0, 1.0))
    drive.go(along)
    assert drive.go([spinning(1)[0], along[-1]]) == ["starting", "tracking"]
    assert drive.slam._start._frames == []


def test_a_covered_lens_begins_no_map() -> None:
    drive = Drive(ROOM, has_depth=False)
    assert set(drive.go(turning(5), covered=True)) == {"lost"}
    assert "began" in drive.go(turning(20, turn_deg=120.0))


def test_nothing_is_learned_through_a_covered_lens_and_tracking_goes_on_after_it() -> None:
    drive = Drive(ROOM, has_depth=False)
    drive.go(turning(20, turn_deg=120.0))
    version = drive.slam.mapper.map_code.version
    assert set(drive.go(turning(5, 120.0, 20.0), covered=True)) == {"lost"}
    assert drive.slam.mapper.map_code.version == version
    assert "tracking" in drive.go(turning(6, 110.0, -30.0))
    assert drive.aligned_errors_m(with_scale=True).max() < 0.03


@pytest.mark.parametrize("later", ["has_depth", "has_odometry"])
def test_what_is_metric_and_comes_later_makes_the_map_metric(later: str) -> None:
    drive = Drive(ROOM, has_depth=False)
    drive.slam.begin_world_T_cam = look_at((0.5, 0.0, 1.0), (0.0, 0.0, 3.0))
    drive.go(turning(20, turn_deg=120.0))
    assert drive.slam.mapper.without_scale == {"default"}
    setattr(drive, later, True)
    statuses = drive.go(turning(40, 120.0, 240.0))
    assert statuses.count("scaled") == 1 and set(statuses) <= {"tracking", "loop closed", "scaled"}
    assert not drive.slam.mapper.without_scale and not drive.slam.mapper.examine().scenes_without_scale
    assert drive.aligned_errors_m(with_scale=False).max() < 0.05
    assert np.allclose(drive.slam.trajectory.poses()[0][1], drive.slam.begin_world_T_cam, atol=0.03)


def test_depth_that_contradicts_itself_makes_no_map_metric() -> None:
    drive = Drive(ROOM, has_depth=False)
    drive.go(turning(20, turn_deg=120.0))
    for number, pose in enumerate(turning(12, 120.0, 60.0)):
        frame = drive.frame(pose)
        wrong_m = box_depth(pose) * (1.0 if number % 2 else 0.5)
        assert drive.slam.add(replace(frame, depth_m=wrong_m)).status in ("tracking", "loop closed")
    assert drive.slam.mapper.without_scale == {"default"}


@pytest.mark.parametrize("has_scale", [False, True])
def test_a_part_begun_while_lost_gets_the_scale_of_the_other_or_gives_it_the_metre(has_scale: bool) -> None:
    drive = Drive(BOTH, has_depth=False, begin_after_frames=3, loop_every_m=0.1)
    drive.go(turning(24, turn_deg=140.0))
    drive.has_odometry = has_scale
    statuses = drive.go(turning(24, 200.0, 120.0))
    assert "began" in statuses, statuses
    statuses = drive.go(turning(40, 320.0, 200.0))
    assert "joined" in statuses, statuses
    assert drive.slam.mapper.without_scale == (set() if has_scale else {"default"})
    assert rmse(drive.aligned_errors_m(with_scale=not has_scale)) < 0.05


def test_rooms_that_never_saw_each_other_stay_apart() -> None:
    drive = Drive(BOTH, has_depth=False, begin_after_frames=3, loop_every_m=0.1)
    drive.go(turning(20, turn_deg=120.0))
    drive.go(turning(25, turn_deg=120.0, room=1))
    assert drive.slam.joined == 0 and drive.slam.mapper.map_code.scene_names == ["default", "default 2"]
    assert drive.slam.mapper.without_scale == {"default", "default 2"}
    assert np.isfinite(drive.slam.mapper.map_code.positions_m).all()
