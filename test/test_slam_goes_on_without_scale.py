"""A map by a camera alone is extended: in its own unit of length, in metres as soon as something tells them, and by
parts that begin elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig
from cl_localization.data.frame import Frame
from cl_localization.evaluation.trajectory_error import alignment
from cl_localization.map.map_file import load_map, save_map
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam
from slam_makers import CONFIG, Drive, RoomEncoder, room_points, turning

ROOM = room_points(1)


@dataclass
class Known:
    """The file of a map without scale, and what takes (4, 4) true positions to where it has them."""

    path: Path
    map_T_world: np.ndarray

    def extended(self, has_depth: bool) -> Drive:
        """Return a drive, by another SLAM, that goes on in the map."""
        encoder = RoomEncoder(ROOM)
        slam = Slam(Mapper(CONFIG, encoder, load_map(self.path).fork()),
                    SlamConfig(min_features=40, begin_after_frames=3, loop_every_m=0.1),
                    LocalizerConfig(regressor="nearest"))
        drive = Drive(ROOM, slam, has_depth=has_depth)
        drive.encoder = encoder
        return drive

    def errors(self, drive: Drive) -> np.ndarray:
        """Return how far the poses of a drive are from where the map has the true ones, in its unit of length."""
        return np.array([np.linalg.norm(self.map_T_world[:3, :3] @ drive.true[stamp_ns][:3, 3]
                                        + self.map_T_world[:3, 3] - pose[:3, 3])
                         for stamp_ns, pose in drive.slam.trajectory.poses()])


def known_map(folder: Path, poses: list[np.ndarray]) -> Known:
    """Return the map that a camera alone makes on its way."""
    drive = Drive(ROOM, has_depth=False)
    drive.go(poses)
    drive.slam.finish()
    drive.slam.mapper.examine()
    save_map(drive.slam.mapper.map_code, folder / "map.safetensors", {})
    posed = drive.slam.trajectory.poses()
    return Known(folder / "map.safetensors", alignment(
        np.array([drive.true[stamp_ns][:3, 3] for stamp_ns, _ in posed]),
        np.array([pose[:3, 3] for _, pose in posed]), with_scale=True))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """The map of a third of the room."""
    return known_map(tmp_path_factory.mktemp("part"), turning(24, turn_deg=140.0))


def test_a_camera_alone_goes_on_in_the_unit_of_the_map(part: Known) -> None:
    drive = part.extended(has_depth=False)
    statuses = drive.go(turning(6, 60.0, 40.0))
    assert statuses[0] == "relocalized" and set(statuses[1:]) == {"tracking"}
    assert part.errors(drive).max() < 0.02 and drive.slam.mapper.without_scale == {"default"}


def test_depth_is_recognised_in_a_map_without_scale_and_makes_it_metric(part: Known) -> None:
    drive = part.extended(has_depth=True)
    statuses = drive.go(turning(8, 60.0, 40.0))
    assert statuses[0] == "relocalized" and "scaled" in statuses and set(statuses[1:]) <= {"tracking", "scaled"}
    assert not drive.slam.mapper.without_scale and drive.aligned_errors_m(with_scale=False).max() < 0.03


def test_what_is_metric_is_not_learned_in_a_map_without_scale_not_even_of_the_image_that_is_recognised(
        part: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    drive, learned = part.extended(has_depth=True), list[Frame]()
    drive.has_odometry, add = True, drive.slam.mapper.add
    monkeypatch.setattr(drive.slam.mapper, "add", lambda frame: learned.append(frame) or add(frame))
    assert drive.go(turning(2, 60.0, 5.0)) == ["relocalized", "tracking"]
    assert [(frame.depth_m, frame.odom_T_cam) for frame in learned] == [(None, None)] * 2


def test_the_pose_that_tells_the_scale_is_stated_in_metres_and_so_is_its_uncertainty(
        part: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    drive, metres = part.extended(has_depth=True), 3.0
    before = drive.slam.add(drive.frame(turning(2, 60.0, 5.0)[0]))
    monkeypatch.setattr(drive.slam._scale, "add", lambda *given: metres)
    scaled = drive.slam.add(drive.frame(turning(2, 60.0, 5.0)[1]))
    assert scaled.status == "scaled"
    assert np.allclose(scaled.world_T_cam, drive.slam.trajectory.poses()[-1][1], atol=1e-6)
    growth = np.sqrt(np.diag(scaled.covariance) / np.diag(before.covariance))
    assert 0.6 * metres < np.median(growth[:3]) < 1.6 * metres and 0.6 < np.median(growth[3:]) < 1.6


@pytest.mark.parametrize("has_depth", [False, True])
def test_what_begins_elsewhere_has_a_unit_of_its_own_until_the_known_place_is_seen(part: Known,
                                                                                   has_depth: bool) -> None:
    drive = part.extended(has_depth)
    statuses = drive.go(turning(22, 210.0, 110.0))
    assert "began" in statuses and drive.slam.mapper.map_code.scenes_in_use == [0, 1]
    assert drive.slam.mapper.without_scale == {"default"} | (set() if has_depth else {"default 2"})
    statuses = drive.go(turning(24, 325.0, 120.0))
    assert "joined" in statuses and drive.slam.mapper.map_code.scenes_in_use == [0]
    assert drive.slam.mapper.without_scale == (set() if has_depth else {"default"})
    assert drive.aligned_errors_m(with_scale=not has_depth).max() < 0.06


def test_what_lies_behind_the_known_place_is_mapped_in_its_unit(part: Known) -> None:
    drive = part.extended(has_depth=False)
    assert "began" not in drive.go(turning(30, 60.0, 180.0))
    assert part.errors(drive).max() < 0.06 and len(drive.slam.trajectory) == 30
