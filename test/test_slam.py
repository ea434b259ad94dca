"""Mapping with own poses: what is posed, what is learned, when a map is begun beside another, and when two become
one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, MapCodeConfig
from cl_localization.map.map_file import load_map, save_map
from cl_localization.mapper import Mapper
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam
from slam_makers import CONFIG, Drive, RoomEncoder, joined_scene, room_points, turning

ROOM, OTHER = room_points(1), room_points(2, room=1)
BOTH = joined_scene(ROOM, OTHER)


@pytest.fixture(scope="module")
def round_trip() -> Drive:
    """A camera that went all the way round a room."""
    drive = Drive(ROOM)
    drive.go(turning(45))
    return drive


def test_a_camera_alone_finds_its_poses(round_trip: Drive) -> None:
    assert round_trip.statuses[0] == "began" and set(round_trip.statuses[1:]) <= {"tracking", "loop closed"}
    assert len(round_trip.slam.trajectory) == 45
    assert round_trip.errors_m().max() < 0.03


def test_what_is_seen_again_is_not_mapped_again(round_trip: Drive) -> None:
    codes = len(round_trip.slam.mapper.map_code)
    round_trip.go(turning(10, turn_deg=80.0))
    assert len(round_trip.slam.mapper.map_code) < 1.1 * codes


def test_the_first_pose_is_the_frame_of_the_map(round_trip: Drive) -> None:
    assert np.allclose(round_trip.slam.trajectory.poses()[0][1], np.eye(4), atol=1e-6)


def test_nothing_is_learned_through_a_covered_lens_and_tracking_goes_on_after_it() -> None:
    drive = Drive(ROOM)
    drive.go(turning(12, turn_deg=90.0))
    version = drive.slam.mapper.map_code.version
    assert set(drive.go(turning(5, 90.0, 20.0), covered=True)) == {"lost"}
    assert drive.slam.mapper.map_code.version == version
    assert "tracking" in drive.go(turning(6, 80.0, -30.0))
    assert drive.errors_m().max() < 0.03 and len(drive.slam.mapper.map_code.scene_names) == 1


def test_a_camera_that_was_carried_begins_another_part_and_the_two_become_one() -> None:
    drive = Drive(BOTH, begin_after_frames=3, loop_every_m=0.1)
    drive.go(turning(14, turn_deg=120.0))
    before = drive.slam.mapper.map_code.keyframe_world_T_cam.copy()
    statuses = drive.go(turning(14, 180.0, 60.0, room=0))  # beyond what it has seen, after a jump
    assert "began" in statuses, statuses
    assert np.array_equal(drive.slam.mapper.map_code.keyframe_world_T_cam[:len(before)], before)
    keyframes = drive.slam.mapper.examine().unjoined_parts
    assert list(keyframes) == ["default", "default 2"] and keyframes["default"] == len(before)
    statuses = drive.go(turning(40, 240.0, 220.0))  # round to where it began
    assert "joined" in statuses, statuses
    assert not drive.slam.mapper.examine().unjoined_parts and not drive.slam.mapper.examine().warnings
    assert drive.slam.joined == 1 and drive.errors_m().max() < 0.05
    scenes = drive.slam.mapper.map_code.codes["scenes"][drive.slam.mapper.map_code.codes.rows()]
    assert len(np.unique(scenes)) == 1


def test_what_was_learned_of_a_part_where_it_is_no_more_goes_when_it_becomes_one_with_another() -> None:
    encoder = RoomEncoder(ROOM)
    mapper = Mapper(CONFIG, encoder, learned=LearnedCodesConfig(steps_per_keyframe=1, final_steps=50))
    drive = Drive(ROOM, Slam(mapper, SlamConfig(min_features=40, begin_after_frames=3, loop_every_m=0.1),
                             LocalizerConfig(regressor="nearest")))
    drive.encoder = encoder
    drive.go(turning(10, turn_deg=80.0))
    drive.go(turning(8, 180.0, 60.0))
    assert mapper.made.scenes_in_use == [0, 1] and len(mapper.made.rows_of(1))
    assert any("joined" in drive.go([pose]) for pose in turning(24, 248.0, 190.0))
    assert len(mapper.made.rows_of(0)) and not len(mapper.made.rows_of(1)) and mapper.made.scenes_in_use == [0]
    drive.slam.finish()
    assert mapper.made.scenes_in_use == [0]
    assert len(mapper.made.rows_of(0)) == len(mapper.made)


def test_rooms_that_never_saw_each_other_stay_apart() -> None:
    drive = Drive(BOTH, begin_after_frames=3, loop_every_m=0.1)
    drive.go(turning(12, turn_deg=120.0))
    drive.go(turning(25, turn_deg=200.0, room=1))
    assert drive.slam.joined == 0 and drive.slam.mapper.map_code.scene_names == ["default", "default 2"]
    assert len(drive.slam.trajectory.poses_of_first_part()) == 12


def test_parts_of_a_map_from_a_file_are_joined_by_a_camera_that_goes_from_one_to_the_other(tmp_path: Path) -> None:
    drive = Drive(ROOM, begin_after_frames=3)
    drive.go(turning(10, turn_deg=80.0))
    drive.slam.finish()
    drive.go(turning(10, 180.0, 80.0))
    drive.slam.finish()
    warning, = drive.slam.mapper.examine().warnings
    assert "2 parts that are not joined" in warning
    save_map(drive.slam.mapper.map_code, tmp_path / "parts.map")
    mapper = Mapper(CONFIG, drive.encoder, load_map(tmp_path / "parts.map"))
    assert mapper.apart == {"default 2"} and mapper.examine().warnings == (warning,)
    drive.slam = Slam(mapper, drive.slam.config, LocalizerConfig(regressor="nearest"))
    assert "joined" in drive.go(turning(40, 10.0, 250.0))
    assert mapper.examine().warnings == () and mapper.apart == set()


def test_a_known_map_is_gone_on_from_in_its_own_frame(round_trip: Drive) -> None:
    known = round_trip.slam.mapper.map_code
    encoder = RoomEncoder(ROOM)
    slam = Slam(Mapper(CONFIG, encoder, known), SlamConfig(min_features=40), LocalizerConfig(regressor="nearest"))
    drive = Drive(ROOM, slam)
    drive.encoder = encoder
    statuses = drive.go(turning(8, 100.0, 40.0))
    assert "relocalized" in statuses and "began" not in statuses and len(slam.trajectory) >= 6
    true = [np.linalg.inv(turning(1)[0]) @ drive.true[stamp_ns] for stamp_ns, _ in slam.trajectory.poses()]
    apart = [np.linalg.norm(a[:3, 3] - b[:3, 3]) for a, (_, b) in zip(true, slam.trajectory.poses())]
    assert max(apart) < 0.03


def test_a_jump_within_a_moment_is_not_believed() -> None:
    drive = Drive(ROOM)
    drive.go(turning(30, turn_deg=240.0))
    assert drive.go(turning(1, 20.0, 0.0)) == ["lost"]
    assert drive.go(turning(3, 240.0, 10.0))[-1] == "tracking"


def test_a_pose_that_nothing_confirms_is_learned_from_only_when_the_next_image_agrees(
        monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Drive(ROOM)
    drive.go(turning(5, turn_deg=30.0))
    slam, find = drive.slam, drive.slam._poser.find
    version, posed = slam.mapper.map_code.version, len(slam.trajectory)
    slam._motion.forget()
    with monkeypatch.context() as patched:
        patched.setattr(slam._poser, "find", lambda *given: replace(find(*given), is_sure=False))
        result = slam.add(drive.frame(turning(2, turn_deg=45.0)[1]))
    assert (result.status, result.world_T_cam) == ("unconfirmed", None)
    assert (slam.mapper.map_code.version, len(slam.trajectory)) == (version, posed)
    assert drive.go(turning(2, turn_deg=45.0)[1:]) == ["tracking"]


def test_with_learning_off_a_map_is_neither_begun_nor_changed_and_poses_are_found() -> None:
    drive, back = Drive(ROOM), turning(5, 40.0, -40.0)
    slam, map_code = drive.slam, drive.slam.mapper.map_code
    assert slam.add(drive.frame(turning(1)[0]), learn=False).status == "lost" and len(map_code) == 0
    drive.go(turning(8, turn_deg=40.0))
    version, way_m = map_code.version, slam._graph.way_m
    results = [slam.add(drive.frame(pose), learn=False) for pose in back]
    assert {result.status for result in results} == {"tracking"} and map_code.version == version
    assert len(slam.trajectory) == 8 + len(back) and drive.errors_m().max() < 0.03
    assert slam._graph.way_m > 1.8 * way_m and slam._keyframe == 0  # it follows what it sees


def test_own_poses_are_as_uncertain_as_keyframes_nearby_turned_out_to_be() -> None:
    drive = Drive(ROOM)
    drive.go(turning(5, turn_deg=30.0))
    map_code, pose = drive.slam.mapper.map_code, turning(2, turn_deg=30.0)[1]
    known = drive.slam.add(drive.frame(pose), learn=False).covariance
    rows = map_code.keyframes.rows()
    map_code.set_variance_factors(rows, np.full(len(rows), 10_000.0))
    assert np.all(np.diag(drive.slam.add(drive.frame(pose), learn=False).covariance) > 20 * np.diag(known))


def test_what_was_seen_in_a_sequence_confirms_nothing_in_the_next() -> None:
    drive = Drive(ROOM)
    drive.go(turning(2, turn_deg=8.0))
    finder, scale = drive.slam._closing._finder, drive.slam._scale
    finder._seen.append((None, []))
    scale._by_odometry.append(2.0)
    drive.slam.finish()
    assert not finder._seen and not scale._by_odometry and drive.slam._motion.last_world_T_cam is None


def test_images_whose_pose_is_not_found_now_and_then_begin_no_map() -> None:
    drive = Drive(ROOM, begin_after_frames=3)
    drive.go(turning(5, turn_deg=30.0))
    for _ in range(3):
        assert drive.go([*turning(2, 180.0, 5.0), *turning(1, 30.0, 0.0)]) == ["lost", "lost", "tracking"]


def test_a_map_at_its_budget_goes_on_without_the_keyframes_that_had_to_go() -> None:
    config = replace(CONFIG, map_code=MapCodeConfig(budget_mb=0.1))
    encoder = RoomEncoder(ROOM)
    slam = Slam(Mapper(config, encoder), SlamConfig(min_features=40), LocalizerConfig(regressor="nearest"))
    drive = Drive(ROOM, slam)
    drive.encoder = encoder
    statuses = [status for _ in range(2) for status in drive.go(turning(40))]
    live = len(drive.slam.mapper.map_code.keyframes)
    assert drive.slam.mapper.map_code.size_bytes <= 100_000 and 0 < live
    assert statuses.count("lost") < 20 and drive.errors_m().max() < 0.3


@pytest.mark.parametrize("max_speed_m_s, joined", [(1.2, 0), (3.0, 1)])
def test_parts_are_not_joined_where_the_camera_cannot_have_gone_so_fast(max_speed_m_s: float, joined: int) -> None:
    drive = Drive(ROOM, begin_after_frames=3, loop_every_m=0.1, max_speed_m_s=max_speed_m_s)
    drive.go(turning(12, turn_deg=120.0))
    assert "began" in drive.go(turning(4, 300.0, 20.0))  # 0.8 m away, after 0.2 s
    drive.go(turning(14, 320.0, 110.0))
    assert drive.slam.joined == joined


def test_the_end_of_a_sequence_bends_the_map_by_what_its_loops_know() -> None:
    drive = Drive(BOTH, begin_after_frames=3, loop_every_m=0.1)
    for way in (turning(14, turn_deg=120.0), turning(14, 180.0, 60.0, room=0), turning(40, 240.0, 220.0)):
        drive.go(way)
    slam, map_code = drive.slam, drive.slam.mapper.map_code
    second = map_code.keyframes_of(slam._scene)[14:28]
    right, wrong = map_code.pose_of(second), map_code.pose_of(second)
    wrong[:, :3, 3] += [0.0, 0.0, 0.3]
    map_code.move_keyframes(second, wrong)
    slam.finish()
    assert slam.joined and np.linalg.norm(map_code.pose_of(second)[:, :3, 3] - right[:, :3, 3], axis=1).max() < 0.1
