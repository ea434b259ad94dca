"""What the map carries on tf: REP 105's map -> odom, smooth and never behind the present; map -> base where there is no
odometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import TransformStamped

from cl_localization.geometry.robot_pose import RobotPose
from cl_localization.geometry.se3 import inverse
from cl_localization.geometry.smoothing import SmoothCorrection
from cl_localization.ros.conversions import time_message, transform_message
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.tf.lookup import Mounting

NANOSECONDS = 1_000_000_000


class MapTf:
    """Sends the frame that the map carries. Stamps only grow, so that nobody sees the past change; not thread-safe.

    With odometry the correction is sent with every trusted pose and repeated between them, stamped
    `transform_tolerance_s` after the present, so that who asks for now gets an answer. Without odometry nothing is
    known between images: a transform has its image's stamp, is not repeated and not smoothed.
    """

    def __init__(self, config: LocalizerNodeConfig, send: Callable[[list[TransformStamped]], None]) -> None:
        """Be silent. `config` may be replaced; `send` publishes transforms."""
        self.config = config
        self._send = send
        self._smooth = SmoothCorrection()
        self._carried = ""
        self._sent_ns = self._advanced_ns = 0

    def show(self, robot: RobotPose, mounting: Mounting, at_once: bool, stamp_ns: int, now_ns: int) -> None:
        """Send what a trusted pose of the robot means for the frame that the map carries.

        Args:
            robot: of the base, or of the camera where tf does not know the base.
            mounting: of the camera at the image's stamp.
            at_once: whether the frame may jump.
            stamp_ns, now_ns: of the image, and the present on the same clock.
        """
        if mounting.carried != self.config.frames.odom:
            self._publish(mounting.carried, robot.map_T_base, stamp_ns)
        elif mounting.odom_T_cam is not None:
            odom_T_base = (
                mounting.odom_T_cam
                if mounting.base_T_cam is None
                else mounting.odom_T_cam @ inverse(mounting.base_T_cam)
            )
            self._smooth.aim(robot.map_T_base, odom_T_base, at_once)
            if at_once:
                self._publish(mounting.carried, self._smooth.map_T_odom, stamp_ns)
                self._advanced_ns = now_ns
            self._carried = mounting.carried
            self.repeat(now_ns)
        elif at_once:
            self.silence()

    def repeat(self, now_ns: int) -> None:
        """Go on towards the newest correction and send what is then in force; nothing when silent or without
        odometry."""
        if self._smooth.map_T_odom is None:
            return
        map_T_odom = self._smooth.advance((now_ns - self._advanced_ns) / NANOSECONDS, self.config.smoothing)
        self._advanced_ns = now_ns
        self._publish(self._carried, map_T_odom, now_ns + round(self.config.transform_tolerance_s * NANOSECONDS))

    def silence(self) -> None:
        """Send nothing until the next trusted pose, which is then taken at once."""
        self._smooth.reset()

    def restart(self) -> None:
        """Be silent, and accept stamps from before: time has jumped back."""
        self.silence()
        self._sent_ns = 0

    def _publish(self, carried: str, map_T_carried: np.ndarray, stamp_ns: int) -> None:
        if stamp_ns <= self._sent_ns or not carried:
            return
        self._sent_ns = stamp_ns
        message = TransformStamped(child_frame_id=carried, transform=transform_message(map_T_carried))
        message.header.stamp, message.header.frame_id = time_message(stamp_ns), self.config.frames.map
        self._send([message])
