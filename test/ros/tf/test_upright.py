"""Images of a rolled camera are turned upright by its mounting on tf."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import TransformStamped
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM
from cl_localization.ros.conversions import transform_message
from cl_localization.ros.images.image_source import ImageBundle, Reading
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup, Upright
from core_makers import motion


def mounted(buffer: GuardedBuffer, roll_deg: float, camera_frame: str = "camera") -> None:
    """Put a camera that is rolled clockwise on the robot."""
    base_T_cam = FORWARD_BASE_T_CAM @ motion(np.deg2rad([0.0, 0.0, roll_deg]), np.zeros(3))
    transform = TransformStamped(child_frame_id=camera_frame, transform=transform_message(base_T_cam))
    transform.header.frame_id = "base_link"
    buffer.set_transform_static(transform, "test")


@pytest.mark.parametrize(("roll_deg", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3)])
def test_the_mounting_on_tf_tells_the_turns(roll_deg: float, turns: int) -> None:
    buffer = GuardedBuffer()
    mounted(buffer, roll_deg)
    assert Upright(TfLookup(buffer, 0), "base_link").turns("camera") == turns


def test_a_camera_that_is_not_on_tf_is_taken_for_upright_until_it_is() -> None:
    buffer = GuardedBuffer()
    upright = Upright(TfLookup(buffer, 0), "base_link")
    assert upright.turns("camera") == 0
    mounted(buffer, 180)
    assert upright.turns("camera") == 2


def test_a_mounting_that_is_lost_is_remembered() -> None:
    buffer = GuardedBuffer()
    mounted(buffer, 90)
    upright = Upright(TfLookup(buffer, 0), "base_link")
    upright.turns("camera")
    upright._lookup = TfLookup(GuardedBuffer(), 0)
    assert (upright.turns("camera"), upright.turns("another")) == (1, 0)


def test_the_frame_of_an_image_says_how_it_must_be_turned() -> None:
    buffer, header = GuardedBuffer(), Header(frame_id="camera")
    mounted(buffer, 270)
    image = Image(header=header, height=48, width=64, step=64 * 3, encoding="rgb8", data=bytes(48 * 64 * 3))
    info = CameraInfo(header=header, height=48, width=64, k=[50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0])
    for upright, turns in ((None, 0), (Upright(TfLookup(buffer, 0), "base_link"), 3)):
        frame = ImageBundle(image, info, None, 0.0, Reading(upright=upright)).frame()
        assert (frame.upright_turns, frame.image.shape) == (turns, (48, 64, 3))
