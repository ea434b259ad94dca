"""What diagnostics say while every image is refused: never OK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from cl_localization.geometry.camera import Camera
from cl_localization.ros import conversions
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import Robot
from ros_world import RosWorld, wait_until

SHOWN = 20


def bad_encoding(robot: Robot, frame: Any) -> Any:
    """Images of an encoding that nobody reads."""
    convert = robot.outputs._convert

    def spoiled(image: Any) -> Any:
        message = convert(image)
        message.encoding = "nv24"
        return message
    robot.outputs._convert = spoiled
    return frame


def other_size(robot: Robot, frame: Any) -> Any:
    """A camera_info of another size than the images'."""
    camera = frame.camera
    return replace_camera(robot, frame, Camera(camera.width_px * 2, camera.height_px * 2, camera.fx_px * 2,
                                               camera.fy_px * 2, camera.cx_px * 2, camera.cy_px * 2))


def replace_camera(robot: Robot, frame: Any, camera: Camera) -> Any:
    """Publish another camera's camera_info."""
    publish = robot.outputs._info.publish

    def published(message: Any) -> None:
        spoiled = conversions.camera_info_message(camera)
        spoiled.header = message.header
        publish(spoiled)
    robot.outputs._info = type("Publisher", (), {"publish": staticmethod(published)})
    return frame


def no_pose(robot: Robot, frame: Any) -> Any:
    """A robot whose pose in the map nobody publishes."""
    return frame


@pytest.mark.parametrize(("node", "spoil", "reason"), [
    (LocalizerNode, bad_encoding, "encoding of image on /image must be one of"),
    (LocalizerNode, other_size, "must have the camera's size"),
    (MapperNode, no_pose, "tf map -> camera_optical_frame must arrive within")])
def test_while_all_images_are_refused_diagnostics_warn_and_then_report_an_error(
        ros: RosWorld, robot: Robot, frames: list[Any], room_map: Path, node: type, spoil: Any, reason: str) -> None:
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    parameters = {"map_file": str(room_map)} if node is LocalizerNode else {"poses__source": "tf"}
    started = ros.start(node, diagnostics_period_s=0.1, **parameters)
    frame = spoil(robot, frames[0])
    robot.show_until([frame], lambda: started._diagnostics.refusals.refused >= SHOWN)
    shown = len(arrays)
    robot.show_until([frame], lambda: len(arrays) > shown + 2)
    statuses = [status for array in arrays for status in array.status]
    assert all(status.level != DiagnosticStatus.OK for status in statuses[-3:])
    assert "images were refused: " in statuses[-1].message and reason in statuses[-1].message
    assert started._diagnostics.refusals.succeeded == 0


def test_without_a_clock_diagnostics_report_an_error_and_the_localizer_becomes_lost_when_images_stop(
        ros: RosWorld, robot: Robot, frames: list[Any], room_map: Path) -> None:
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    node = ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.1, use_sim_time=True)
    robot.show_until(frames, lambda: node._tracking.state.name != "LOST")
    robot.show_until(frames, lambda: any("nothing publishes /clock" in status.message
                                         and status.level == DiagnosticStatus.ERROR
                                         for array in arrays for status in array.status))
    wait_until(lambda: node._tracking.state.name == "LOST")
