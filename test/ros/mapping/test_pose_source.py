"""Where the mapper has its poses from when they are late, far off, make no sense or begin anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from tf2_ros import Buffer

from cl_localization.errors import RosError
from cl_localization.ros.mapping.pose_source import MAX_DISTANCE_M, make_pose_source, within_reach
from cl_localization.ros.nodes.config import FramesConfig, PoseSourceConfig
from cl_localization.ros.tf.lookup import TfLookup
from ros_robot import Robot
from ros_world import RosWorld, wait_until


def pose(second: int, x_m: float, w: float = 1.0) -> PoseStamped:
    """A pose of the camera."""
    message = PoseStamped()
    message.header.stamp, message.pose.position.x, message.pose.orientation.w = Time(sec=second), x_m, w
    return message


@pytest.mark.parametrize("x_m", [MAX_DISTANCE_M, -1e300, math.inf, math.nan])
def test_a_pose_so_far_off_that_a_map_cannot_hold_it_is_refused(x_m: float) -> None:
    far, near = np.eye(4), np.eye(4)
    far[0, 3] = x_m
    with pytest.raises(RosError, match="pose of the camera must lie within 100000 m of the map's origin"):
        within_reach(far)
    assert within_reach(near) is near


def test_poses_are_found_again_after_time_has_gone_back_and_senseless_ones_are_left_out(ros: RosWorld, room) -> None:
    node = Robot(ros, room).node
    source = make_pose_source(node, TfLookup(Buffer(), 0.0), FramesConfig(tf_wait_s=0.0),
                              PoseSourceConfig(source="pose"))
    publisher = ros.node.create_publisher(PoseStamped, "pose", 100)

    def x_at(second: int) -> float | None:
        try:
            return float(source.map_T_cam("camera", Time(sec=second))[0, 3])
        except RosError:
            return None

    wait_until(lambda: publisher.publish(pose(1000, 1.0)) or x_at(1000) == 1.0)
    for message in (pose(1001, math.nan), pose(1002, 5.0, w=0.0), pose(-5, 7.0), pose(2_000_000_000, 9.0),
                    pose(1003, 3.0)):
        publisher.publish(message)
    wait_until(lambda: x_at(1003) == 3.0)
    assert [x_at(second) for second in (1000, 2_000_000_000)] == [1.0, None] and abs(x_at(1001) - 5 / 3) < 1e-9
    for second in (10, 11, 12):
        publisher.publish(pose(second, float(second)))
    wait_until(lambda: x_at(12) == 12.0)
    assert [x_at(second) for second in (11, 1003)] == [11.0, None]
    source.close()
