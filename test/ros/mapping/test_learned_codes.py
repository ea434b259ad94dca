"""A localizer by the codes that a mapper learns, and by the grown map of the same place when that comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from geometry_msgs.msg import PoseWithCovarianceStamped

from cl_localization.geometry.se3 import pose_error
from cl_localization.map.learned_codes import is_learned
from cl_localization.ros.conversions import matrix_of, stamp_ns
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import STARVED_S, Robot
from ros_world import RosWorld


def start_mapper(ros: RosWorld, folder: Path, **parameters: Any) -> MapperNode:
    """A mapper of the robot's true poses that keeps its map in a folder."""
    return ros.start(MapperNode, poses__source="pose", map_file=str(folder / "room.map"), **parameters)


def localized_in(map_id: str, statuses: list[Any], robot: Robot, frames: list[Any]) -> None:
    """Show frames until one is localized in a map."""
    robot.show_until(frames, lambda: any(status.reason == "ok" and status.map_id == map_id for status in statuses),
                     STARVED_S)


def test_a_localizer_uses_learned_codes_at_once_and_the_grown_map_when_it_comes(ros, robot, frames, tmp_path) -> None:
    robot.send_poses()
    localizer = ros.start(LocalizerNode)
    statuses = ros.heard(LocalizationStatus, "/localizer/status", 100)
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    mapper = start_mapper(ros, tmp_path, codes="learned", learned__steps_per_keyframe=200)
    localized_in(mapper._mapper.made.map_id, statuses, robot, frames[:3])
    learned, grown_beside = localizer._map.map_code, mapper._mapper.map_code
    assert is_learned(learned) and 0 < len(learned) < len(grown_beside)
    ros.end(mapper)
    grown = start_mapper(ros, tmp_path)._mapper.map_code
    assert not is_learned(grown) and grown.parent_id == grown_beside.map_id
    localized_in(grown.map_id, statuses, robot, frames[:3])
    assert not is_learned(localizer._map.map_code)
    for pose in poses:
        truth = robot.shown[stamp_ns(pose.header.stamp)].world_T_cam
        assert pose_error(matrix_of(pose.pose.pose), truth)[0] < 0.1
